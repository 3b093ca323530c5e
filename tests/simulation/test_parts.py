"""The simulated disk and network do what they say."""

import random
from collections import Counter

import pytest

from chain.types import Round, ValidatorIndex
from consensus.store import SAFETY_KEY
from consensus.wire import Vote
from tests.simulation.disk import Crashed, Disk
from tests.simulation.network import Network
from tests.simulation.running import rounds_to_commit
from tests.simulation.scenario import Rates

VOTE = Vote(Round(1), bytes(32), ValidatorIndex(0), bytes(64))  # type: ignore[arg-type]


def network(rates: Rates) -> tuple[Network, Counter[str]]:
    counts: Counter[str] = Counter()
    return Network(rates, random.Random(1), counts), counts


@pytest.mark.parametrize("after", [False, True])
def test_a_process_dies_at_the_chosen_write_before_or_after_it_is_there(after: bool) -> None:
    durable: list[str] = []
    disk = Disk(lambda: durable.append("signed"))
    disk.crash_at(1, after)
    disk.write({b"a": b"1"})
    with pytest.raises(Crashed):
        disk.write({SAFETY_KEY: b"2"})
    assert disk.get(SAFETY_KEY) == (b"2" if after else None)
    assert durable == ["signed"] * after, "a signature counts once what it depends on is durable"
    disk.repair()
    disk.write({SAFETY_KEY: b"3"})
    assert disk.get(SAFETY_KEY) == b"3"


def test_a_loss_of_power_takes_the_newest_writes_that_were_not_synced_and_no_more() -> None:
    disk = Disk(lambda: None)
    disk.write({b"a": b"synced"})
    for value in (b"1", b"2", b"3"):
        disk.write({b"a": value}, sync=False)
    disk.lose_unsynced(1)
    assert disk.get(b"a") == b"2", "a torn tail: a prefix of the batches is left"
    disk.lose_unsynced(100)
    assert disk.get(b"a") == b"synced"


def test_messages_are_lost_repeated_and_corrupted_as_often_as_said() -> None:
    rates = Rates(drop=0.5, drops=(("Vote", 0.25),), duplicate=0.1, corrupt=0.2)
    made, counts = network(rates)
    arrived = [copy for _ in range(4_000) for copy in made.copies(VOTE)]
    assert 800 < counts["messages lost"] < 1_200, "what is said of a kind of message goes before what is said of all"
    assert 300 < counts["messages repeated"] < 500
    assert 700 < counts["messages corrupted"] < 900
    assert any(copy != VOTE for copy in arrived), "some are still messages"
    assert counts["corrupted beyond decoding"] > 0


def test_a_link_may_be_cut_in_one_direction() -> None:
    made, _ = network(Rates())
    made.cut([0], [1, 2])
    assert not made.reaches(0, 1)
    assert made.reaches(1, 0)
    assert not made.connected(1, 0)
    made.mend()
    assert made.connected(0, 1)


class Turns:
    def leader(self, round: Round) -> ValidatorIndex:
        return ValidatorIndex(round % 4)


def test_the_bound_on_recovery_counts_runs_of_honest_leaders() -> None:
    assert rounds_to_commit(Turns(), Round(8), set(), phases=2) == 7, "three runs of two rounds, and one more"
    liar = {ValidatorIndex(2)}
    assert rounds_to_commit(Turns(), Round(8), liar, phases=3) == 14, "3 0 1 comes once in four rounds"
