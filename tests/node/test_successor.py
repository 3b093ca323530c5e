"""What may take a running chain's place: not a fork of itself, and none where its state is to be kept."""

import contextlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from chain.types import ZERO_HASH, BlockNumber
from node import folder
from node.endpoints import LocalEndpoints
from node.errors import BadSetting
from node.output import successor_line
from node.plan import Plan, Successor
from node.remote.base import ForkPoint
from node.remote.source import ForkSource
from node.settings import Settings
from node.successor import ForkOfItself, StateIsDumped, Successors
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
        successor=Successor(path / "2", settings),
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
                Successors(plan).make_fork(f"http://{name}:{port}", None)
        with pytest.raises(BadSetting, match="not known"):
            Successors(plan).make_fork(f"file://{names[0]}:{port}", None)


def test_a_chain_whose_state_is_to_be_written_at_its_end_does_not_give_place(tmp_path: Path) -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        plan = plan_of(tmp_path, listening)
        plan = replace(plan, settings=replace(plan.settings, dump_state=tmp_path / "state.json"))
        with pytest.raises(StateIsDumped, match=r"state\.json at its end: start another one"):
            Successors(plan).make_fork("http://127.0.0.1:1", None)


def test_the_terminal_shows_one_line_without_keys_for_a_chain_that_took_a_place(tmp_path: Path) -> None:
    settings = Settings()
    made = folder.temporary(tmp_path, settings)
    line = successor_line(settings, made, 8545, {"rpc": 1}, 1.234)
    assert line.endswith("  another chain, chain id 31337: 1.23 s")
    forked = replace(
        made, fork=ForkSource("http://127.0.0.1:1/KEY", ForkPoint(BlockNumber(7), ZERO_HASH, by_hash=True))
    )
    assert "  a fork of http://127.0.0.1:1/… at block 7, chain id 31337: " in successor_line(settings, forked, 1, {}, 0)
