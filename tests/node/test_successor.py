"""What may take a running chain's place: not a fork of itself, and none where its state is to be kept."""

import contextlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from node import folder
from node.endpoints import LocalEndpoints
from node.errors import BadSetting
from node.plan import Plan
from node.settings import Settings
from node.successor import ForkOfItself, StateIsDumped, make_successor
from node.up import listen


def plan_of(path: Path, listening: socket.socket) -> Plan:
    settings = Settings()
    return Plan(
        settings,
        folder.temporary(path / "data", settings),
        LocalEndpoints(path),
        listening,
        ready_pipe=None,
        processes_file=None,
        control_socket=None,
        faults_file="",
        successor=path / "2",
    )


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", ("127.0.0.1", "localhost", "0.0.0.0", "127.1", "[::ffff:127.0.0.1]", "[::]")),
        ("0.0.0.0", ("127.0.0.1", "localhost", "0.0.0.0", "127.0.0.9")),
    ],
)
def test_a_chain_is_not_replaced_by_itself_under_any_name(host: str, names: tuple[str, ...], tmp_path: Path) -> None:
    with contextlib.closing(listen(host, 0)) as listening:
        plan, port = plan_of(tmp_path, listening), listening.getsockname()[1]
        for name in names:
            with pytest.raises(ForkOfItself):
                make_successor(plan, f"http://{name}:{port}", None)
        with pytest.raises(BadSetting, match="not known"):
            make_successor(plan, f"file://{names[0]}:{port}", None)


def test_a_chain_whose_state_is_to_be_written_at_its_end_does_not_give_place(tmp_path: Path) -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        plan = plan_of(tmp_path, listening)
        plan = replace(plan, settings=replace(plan.settings, dump_state=tmp_path / "state.json"))
        with pytest.raises(StateIsDumped, match=r"state\.json at its end: start another one"):
            make_successor(plan, "http://127.0.0.1:1", None)
