"""Faults on purpose against real processes, under load: where a quorum is left the chain goes on, nothing is lost, all
ledgers agree, and every validator commits within five seconds of the end of the fault.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consensus.registry import RULE_SETS
from node.folder import open_folder
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.load import Load, check_all_settled, height, wait_for_blocks
from tests.e2e.replay import replayed_head

SENDERS = 2
BACK_WITHIN_S = 5.0
HELD_S = 1.0
"""How long each fault is in force. It is the subject here, nothing is waited for by it."""

Step = tuple[str, *tuple[Any, ...]]
"""A method and its parameters."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    begin: Step
    end: Step | None
    victims: Sequence[int]


FAULTS = [
    Fault("kill", ("tandem_killValidator", 2), ("tandem_restartValidator", 2), [2]),
    Fault("pause", ("tandem_pauseValidator", 1), ("tandem_resumeValidator", 1), [1]),
    Fault("disconnect", ("tandem_partition", [[3]]), ("tandem_heal",), [3]),
    Fault("deafness", ("tandem_partition", [[0, 1, 2], [3]], True), ("tandem_heal",), [3]),
    Fault("restart", ("tandem_restartValidator", 0), None, [0]),
    Fault("slow link", ("tandem_setDelay", 2, "100ms"), ("tandem_heal",), [2]),
    Fault("bad link", ("tandem_setDropRate", 1, "30%"), ("tandem_heal",), [1]),
    Fault("equivocation", ("tandem_equivocate", 2, 5), None, [2]),
]
SPLIT = Fault("split in halves", ("tandem_partition", [[0, 1], [2, 3]]), ("tandem_heal",), [0, 1, 2, 3])


@dataclass(frozen=True, slots=True)
class World:
    running: ChainProcess
    folder: Path
    rpc: JsonRpc

    def do(self, step: Step | None) -> None:
        if step is not None:
            self.rpc.call(*step)

    def load(self, recipient: int) -> Load:
        keys = [account["privateKey"] for account in self.running.ready()["accounts"][:SENDERS]]
        return Load(self.running.url, keys, "0x" + f"{recipient:02x}" * 20)

    def validators(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.rpc.call("tandem_status")["validators"]
        return rows

    def committed(self) -> list[int]:
        """The newest block that each validator has committed."""
        return [row["heights"]["committed"] for row in self.validators()]


@pytest.fixture(scope="module", params=list(RULE_SETS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A chain that goes through all faults, one after the other; at the end it is replayed serially."""
    folder = tmp_path_factory.mktemp("faults") / "chain"
    with chain("--consensus", request.param, "--data-dir", str(folder)) as running:
        with contextlib.closing(running.rpc()) as rpc:
            yield World(running, folder, rpc)
            number, hash = replayed_head(open_folder(folder).genesis, rpc)
            assert rpc.call("eth_getBlockByNumber", hex(number), False)["hash"] == hash
        assert running.end()[0] == 0


def check_back(world: World, ended_at: float, head: int, victims: Sequence[int]) -> None:
    """New blocks are committed, and the victims have caught up with what was the head, within the bound."""
    left_s = ended_at + BACK_WITHIN_S - time.monotonic()
    wait_until(lambda: all(world.committed()[i] > head for i in victims), "victims commit new blocks", left_s)


def check_ledgers(world: World) -> None:
    """At rest, and without a word from outside, the newest committed proposals are one; each names its parent."""

    def agree() -> bool:
        return len({(row["ledger"]["height"], row["ledger"]["proposal"]) for row in world.validators()}) == 1

    wait_until(agree, "all ledgers agree", BACK_WITHIN_S)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_chain_goes_on_during_a_fault_of_one_and_it_comes_back(world: World, fault: Fault) -> None:
    with world.load(0x40 + FAULTS.index(fault)) as load:
        wait_for_blocks(world.running, 2)
        world.do(fault.begin)
        wait_for_blocks(world.running, 2)  # a quorum is there
        threading.Event().wait(HELD_S)
        world.do(fault.end)
        check_back(world, time.monotonic(), height(world.rpc), fault.victims)
    assert load.failures == []
    check_all_settled(world.rpc, load)
    check_ledgers(world)


def test_an_equivocator_is_named_by_the_others(world: World) -> None:
    named = [
        sum(entry["times"] for entry in row["rejections"] if entry["reason"] == "Equivocation")
        for row in world.validators()
    ]
    assert named[2] == 0
    assert sum(count > 0 for count in (named[0], named[1], named[3])) >= 2
    assert {
        entry["peer"] for row in world.validators() for entry in row["rejections"] if entry["reason"] == "Equivocation"
    } == {"validator-2"}


def test_who_was_cut_off_learns_of_what_it_missed_without_new_traffic(world: World) -> None:
    world.do(("tandem_partition", [[3]]))
    cut_at = world.committed()[3] + 1  # one may be on its way within it
    with world.load(0x61) as load:
        wait_for_blocks(world.running, 4)
    check_all_settled(world.rpc, load)
    head = height(world.rpc)
    assert world.committed()[3] <= cut_at < head
    world.do(("tandem_heal",))
    check_back(world, time.monotonic(), head - 1, [3])
    check_ledgers(world)


def standing_still(world: World) -> tuple[list[int], str, str]:
    safe, final = (world.rpc.call("eth_getBlockByNumber", tag, False)["number"] for tag in ("safe", "finalized"))
    return world.committed(), safe, final


def test_without_a_quorum_nothing_is_committed_and_nothing_lost(world: World) -> None:
    with world.load(0x60) as load:
        wait_for_blocks(world.running, 2)
        world.do(SPLIT.begin)
        threading.Event().wait(HELD_S)  # what was certified before is committed and executed
        before = standing_still(world)
        admitted = len(load.admitted)
        threading.Event().wait(HELD_S)
        assert standing_still(world) == before
        assert len(load.admitted) > admitted, "transactions are taken all the same"
        world.do(SPLIT.end)
        check_back(world, time.monotonic(), max(before[0]), SPLIT.victims)
    assert load.failures == []
    check_all_settled(world.rpc, load)
    check_ledgers(world)
