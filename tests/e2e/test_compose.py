"""`docker compose up`: the same chain, one container per process. Needs a Docker engine, which CI machines may lack."""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.chain_process import told_by, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import PROJECT, free_port

Compose = Callable[..., str]
BUILD_S, START_S = 900, 120


def engine_is_missing() -> bool:
    if shutil.which("docker") is None:
        return True
    checks = (["docker", "info"], ["docker", "compose", "version"])
    return any(subprocess.run(check, capture_output=True, check=False).returncode != 0 for check in checks)


pytestmark = pytest.mark.skipif(engine_is_missing(), reason="no Docker engine with compose runs on this machine")


def skip_where_nothing_can_be_built() -> None:
    """An engine without the base image and without a network to fetch it by."""
    [base] = set(re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE))
    for command in (["docker", "image", "inspect", base], ["docker", "pull", "--quiet", base]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
        if done.returncode == 0:
            return
    pytest.skip(f"the Docker engine has no image {base} and cannot fetch it: {done.stderr.strip()[-200:]}")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def compose(port: int) -> Iterator[Compose]:
    project = f"tandem-test-{secrets.token_hex(4)}"
    environment = {**os.environ, "TANDEM_PORT": str(port)}

    def run(*arguments: str, timeout_s: float = START_S) -> str:
        command = ["docker", "compose", "--project-name", project, *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    skip_where_nothing_can_be_built()
    run("build", timeout_s=BUILD_S)
    run("up", "--detach", "--wait")
    yield run
    run("down", "--volumes")


def transfer(port: int) -> None:
    with contextlib.closing(JsonRpc(f"http://127.0.0.1:{port}")) as rpc:
        one, two = rpc.call("eth_accounts")[:2]
        sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")


def test_it_serves_a_transfer(compose: Compose, port: int) -> None:
    transfer(port)


def test_its_containers_run_as_an_ordinary_user_that_can_write_only_the_chain(compose: Compose) -> None:
    writes = "touch /tandem/x || touch /x || touch /data/x && rm /data/x && echo ok"
    script = f"id -u; grep CapEff /proc/self/status; {writes}"
    told = compose("exec", "-T", "rpc", "bash", "-c", script).split()
    assert told == ["1000", "CapEff:", "0" * 16, "ok"]


def test_it_survives_the_kill_of_a_validator_which_catches_up(compose: Compose, port: int) -> None:
    compose("kill", "validator-2")
    transfer(port)
    compose("up", "--detach", "--wait")
    with contextlib.closing(JsonRpc(f"http://127.0.0.1:{port}")) as rpc:
        height = int(rpc.call("eth_blockNumber"), 16)

        def caught_up() -> bool:
            validator = rpc.call("tandem_status")["validators"][2]
            return bool(validator["connected"] and validator.get("heights", {}).get("committed", 0) >= height)

        wait_until(caught_up, "validator 2 has the chain")


def test_more_workers_join(compose: Compose, port: int) -> None:
    compose("up", "--detach", "--wait", "--scale", "worker=3")
    with contextlib.closing(JsonRpc(f"http://127.0.0.1:{port}")) as rpc:
        wait_until(lambda: told_by(rpc, "execution")["workers"] == 3, "three workers")
    transfer(port)


def test_its_data_outlives_the_containers(compose: Compose, port: int) -> None:
    with contextlib.closing(JsonRpc(f"http://127.0.0.1:{port}")) as rpc:
        before = rpc.call("eth_getBlockByNumber", "latest", False)
    compose("down")
    compose("up", "--detach", "--wait")
    with contextlib.closing(JsonRpc(f"http://127.0.0.1:{port}")) as rpc:
        assert rpc.call("eth_getBlockByNumber", "latest", False) == before
