"""Faults on purpose against real processes, under load: where a quorum is left the chain goes on, nothing is lost, all
ledgers agree, and every validator commits within five seconds of the end of the fault.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consensus.registry import RULE_SETS
from node.folder import open_folder
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.load import Load, check_all_settled, height, wait_for_blocks
from tests.e2e.machine import MachineWatch
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
    shows: Callable[["World"], bool] = lambda _: True
    """Whether it has had the effect that is looked for afterwards."""


def equivocations_seen(world: "World") -> list[int]:
    """How often each validator has met two proposals of one round."""
    return [
        sum(entry["times"] for entry in row.get("rejections", ()) if entry["reason"] == "Equivocation")
        for row in world.validators()
    ]


def two_others_name_it(world: "World") -> bool:
    seen = equivocations_seen(world)
    return sum(count > 0 for count in (seen[0], seen[1], seen[3])) >= 2


FAULTS = [
    Fault("kill", ("tandem_killValidator", 2), ("tandem_restartValidator", 2), [2]),
    Fault("pause", ("tandem_pauseValidator", 1), ("tandem_resumeValidator", 1), [1]),
    Fault("disconnect", ("tandem_partition", [[3]]), ("tandem_heal",), [3]),
    Fault("deafness", ("tandem_partition", [[0, 1, 2], [3]], True), ("tandem_heal",), [3]),
    Fault("restart", ("tandem_restartValidator", 0), None, [0]),
    Fault("slow link", ("tandem_setDelay", 2, "100ms"), ("tandem_heal",), [2]),
    Fault("bad link", ("tandem_setDropRate", 1, "30%"), ("tandem_heal",), [1]),
    Fault("equivocation", ("tandem_equivocate", 2, 5), None, [2], two_others_name_it),
]
CERTIFIED = 3
"""So many blocks at most may be on their way when the validators are split."""
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
        return [row["heights"]["committed"] if "heights" in row else 0 for row in self.validators()]


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
    with MachineWatch() as watch:
        wait_until(lambda: all(world.committed()[i] > head for i in victims), "victims commit new blocks")
    took_s = time.monotonic() - ended_at
    assert took_s < BACK_WITHIN_S or watch.was_busy, f"back after {took_s:.1f} s"


def check_ledgers(world: World) -> None:
    """At rest, and without a word from outside, the newest committed proposals are one; each names its parent."""

    def agree() -> bool:
        ledgers = [row.get("ledger") for row in world.validators()]
        return None not in ledgers and all(ledger == ledgers[0] for ledger in ledgers)

    began_at = time.monotonic()
    with MachineWatch() as watch:
        wait_until(agree, "all ledgers agree")
    took_s = time.monotonic() - began_at
    assert took_s < BACK_WITHIN_S or watch.was_busy, f"they agree after {took_s:.1f} s"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_chain_goes_on_during_a_fault_of_one_and_it_comes_back(world: World, fault: Fault) -> None:
    with world.load(0x40 + FAULTS.index(fault)) as load:
        wait_for_blocks(world.running, 2)
        world.do(fault.begin)
        wait_for_blocks(world.running, 2)  # a quorum is there
        threading.Event().wait(HELD_S)
        wait_until(lambda: fault.shows(world), "the fault shows")
        world.do(fault.end)
        check_back(world, time.monotonic(), height(world.rpc), fault.victims)
    assert load.failures == []
    check_all_settled(world.rpc, load)
    check_ledgers(world)


def test_an_equivocator_is_named_by_the_others(world: World) -> None:
    assert two_others_name_it(world)
    assert equivocations_seen(world)[2] == 0
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


def stands_still(world: World) -> bool:
    """Whether nothing is committed, safe or final in some time that was not before."""

    def look() -> tuple[list[int], list[str]]:
        tags = [world.rpc.call("eth_getBlockByNumber", tag, False)["number"] for tag in ("safe", "finalized")]
        return world.committed(), tags

    before = look()
    threading.Event().wait(HELD_S)
    return look() == before


def test_without_a_quorum_nothing_is_committed_and_nothing_lost(world: World) -> None:
    with world.load(0x60) as load:
        wait_for_blocks(world.running, 2)
        world.do(SPLIT.begin)
        split_at = max(world.committed())
        wait_until(lambda: stands_still(world), "what was certified before is committed and executed")
        before, admitted = world.committed(), len(load.admitted)
        assert max(before) <= split_at + CERTIFIED
        wait_until(lambda: len(load.admitted) > admitted, "transactions are taken all the same")
        assert world.committed() == before
        world.do(SPLIT.end)
        check_back(world, time.monotonic(), max(before), SPLIT.victims)
    assert load.failures == []
    check_all_settled(world.rpc, load)
    check_ledgers(world)
