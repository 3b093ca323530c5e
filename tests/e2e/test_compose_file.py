"""docker-compose.yml without an engine: it is valid, and its services are the processes of one chain."""

import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from node import folder as data
from node.endpoints import LocalEndpoints
from node.main import cli, up
from node.plan import Plan, role_named
from node.settings import Settings
from tests.e2e.running_node import DEADLINE_S, PROJECT

FILE = PROJECT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROCESSES = sorted(SERVICES.keys() - {"init"})
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
DATA_DIR = re.findall(r"TANDEM_DATA_DIR=(\S+)", DOCKERFILE)[0]
RPC_PORT = 8545


def with_defaults(text: str) -> str:
    """What compose makes of a value where the user has set nothing."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


def test_the_compose_specification_s_own_schema_takes_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(not has_compose(), reason="no docker command with compose is on this machine")
def test_docker_compose_takes_it() -> None:
    command = ["docker", "compose", "--file", str(FILE), "config", "--quiet"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_its_services_are_the_processes_of_a_chain_of_four_validators_and_one_worker(tmp_path: Path) -> None:
    settings = Settings(validators=4, workers=1)
    plan = Plan(settings, data.create_or_open(tmp_path, settings), LocalEndpoints(tmp_path), None, None, None, None, "")
    roles = [role_named(SERVICES[name]["command"][1]) for name in PROCESSES]
    assert len(roles) == len(set(roles))
    second_reader = role_named("reader-1")  # `--scale reader=2`
    assert set(roles) == {*plan.light_roles(), *plan.evm_roles()} - {second_reader}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_found_by_its_name(name: str) -> None:
    assert SERVICES[name]["command"][:2] == ["run", name]


@pytest.mark.parametrize("name", SERVICES)
def test_where_nothing_is_set_a_service_runs_with_the_defaults(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def initialise(settings: Settings) -> None:
        seen.append(settings)

    def run_one(_: str, settings: Settings) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr("node.containers.initialise", initialise)
    monkeypatch.setattr("node.containers.run_one", run_one)
    service = SERVICES[name]
    environment = {key: with_defaults(value) for key, value in service["environment"].items()}
    run = CliRunner().invoke(cli, service["command"], env={**environment, "TANDEM_DATA_DIR": DATA_DIR})
    assert run.exit_code == 0, run.output
    expected = replace(Settings(), data_dir=Path(DATA_DIR))
    assert seen == [replace(expected, host="0.0.0.0") if name == "rpc" else expected]


def test_every_variable_it_names_is_an_option_s() -> None:
    options = {option.envvar for option in up.params}
    assert set(re.findall(r"TANDEM_[A-Z_]+", TEXT)) <= options


def test_every_option_is_in_it_but_those_that_it_decides_itself() -> None:
    decided = {"port", "host", "data_dir"}  # the container's own address and folder
    decided |= {"validators", "executors", "workers"}  # how many services there are, and `--scale worker=N`
    decided |= {"json", "quiet"}  # how a terminal looks
    decided |= {"load_state", "dump_state", "state"}  # files of the host too: tandem dump reaches a running chain
    decided |= {"artifacts", "genesis"}  # a file or folder of the host, which no container sees
    decided |= {"pool"}  # the image has no Dask: the workers are the service's
    options = {option.name for option in up.params if option.envvar}
    named = {name.removeprefix("TANDEM_").lower() for service in SERVICES.values() for name in service["environment"]}
    assert named == options - decided


def test_a_variable_has_the_same_name_inside_and_outside() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            assert value.startswith(f"${{{name}:-")


def test_one_service_builds_the_image_that_all_run() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["init"]
    assert {service["image"] for service in SERVICES.values()} == {SERVICES["init"]["image"]}


def test_only_rpc_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: [with_defaults(port) for port in ports] for name, ports in published.items()} == {
        "rpc": [f"127.0.0.1:{RPC_PORT}:{RPC_PORT}"]
    }
    assert Settings().port == RPC_PORT


def test_a_service_can_have_several_containers() -> None:
    assert not [name for name, service in SERVICES.items() if {"container_name", "hostname"} & service.keys()]


def test_the_data_is_in_a_named_volume_that_all_share() -> None:
    [volume] = COMPOSE["volumes"]
    assert {name: service["volumes"] for name, service in SERVICES.items()} == {
        name: [f"{volume}:{DATA_DIR}"] for name in SERVICES
    }


def test_every_process_waits_for_the_folder_and_is_started_again_when_it_fails() -> None:
    for name in PROCESSES:
        assert SERVICES[name]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}, name
        assert SERVICES[name]["restart"] == "unless-stopped", name
    assert "restart" not in SERVICES["init"], "what it has to say is said once"


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_change_nothing_but_the_chain_s_folder(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["chain:/data"]
    assert re.search(r"^USER tandem$", DOCKERFILE, re.MULTILINE)


def test_it_asks_for_nothing_that_an_engine_of_2020_refuses() -> None:
    for name, service in SERVICES.items():
        assert "start_interval" not in service.get("healthcheck", {}), name
    assert "# syntax=" not in DOCKERFILE
    assert "--link" not in DOCKERFILE
    assert "<<" not in DOCKERFILE


def exit_status_of_the_health_check(answer: bytes) -> int:
    """The check that rpc's container runs, for a server here that gives this answer."""
    program, *arguments = (with_defaults(word) for word in SERVICES["rpc"]["healthcheck"]["test"][1:])
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1024).startswith(b"GET /health HTTP/1.")
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        arguments = [argument.replace(str(RPC_PORT), str(server.getsockname()[1])) for argument in arguments]
        status = subprocess.run([program, *arguments], timeout=DEADLINE_S, check=False).returncode
        thread.join()
    return status


@pytest.mark.parametrize(
    ("answer", "is_healthy"),
    [
        (b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"status":"ok"}', True),
        (b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":"waiting"}', False),
        (b"", False),
    ],
)
def test_the_health_check_believes_the_status_line(answer: bytes, is_healthy: bool) -> None:
    assert (exit_status_of_the_health_check(answer) == 0) == is_healthy


def test_the_health_check_fails_where_nobody_listens() -> None:
    program, *arguments = (with_defaults(word) for word in SERVICES["rpc"]["healthcheck"]["test"][1:])
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        arguments = [argument.replace(str(RPC_PORT), str(unheard.getsockname()[1])) for argument in arguments]
        checked = subprocess.run([program, *arguments], timeout=DEADLINE_S, capture_output=True, check=False)
    assert checked.returncode != 0
