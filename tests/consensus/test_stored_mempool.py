"""What of the mempool is in a validator's store: found again as it was, and in few records."""

from collections.abc import Mapping
from random import Random

import pytest

from chain.messages.mempool import SenderState
from chain.types import Address, Hash32, Height, Wei
from consensus.sender_queue import Entry
from consensus.stored_mempool import ADMISSION, LEFT, MOST_KEPT, SENDER, StoredMempool
from tests.consensus.builders import CrashableDatabase, transfer

ALICE = transfer(0, 0).sender


def entries(*arrivals: int) -> list[Entry]:
    return [Entry(transfer(0, arrival), arrival) for arrival in arrivals]


def hashes(*arrivals: int) -> list[Hash32]:
    return [transfer(0, arrival).hash for arrival in arrivals]


class Stored:
    """A stored mempool whose batches are written at once."""

    def __init__(self) -> None:
        self.database = CrashableDatabase()
        self.mempool = StoredMempool(self.database)

    def change(
        self, came: list[Entry], gone: list[Hash32], senders: Mapping[Address, tuple[SenderState, Height] | None]
    ) -> int:
        """How many records were written."""
        batch = self.mempool.change(came, gone, senders)
        self.database.write(batch)
        return len(batch)

    def restart(self) -> None:
        self.mempool = StoredMempool(self.database)

    def found(self) -> list[Entry]:
        return sorted(StoredMempool(self.database).entries(), key=lambda entry: entry.arrival)

    def records(self, kind: bytes) -> int:
        return len(list(self.database.with_prefix(kind)))


def test_what_is_admitted_together_is_one_record_and_found_again() -> None:
    stored = Stored()
    assert stored.change(entries(*range(1, 51)), [], {}) == 1
    assert stored.found() == entries(*range(1, 51))
    assert stored.change([], hashes(*range(1, 51)), {}) == 1
    assert (stored.found(), stored.records(b"")) == ([], 0)


def test_what_has_left_is_not_found_again_though_others_of_its_admission_wait() -> None:
    stored = Stored()
    stored.change(entries(1, 2, 3, 4, 5), [], {})
    stored.change([], hashes(2), {})
    assert stored.found() == entries(1, 3, 4, 5)
    stored.restart()
    stored.change([], hashes(5), {})
    assert stored.found() == entries(1, 3, 4)
    stored.change(entries(6), hashes(1, 3, 4), {})
    assert stored.found() == entries(6)
    assert stored.records(LEFT) == 0


def test_an_admission_is_written_anew_once_most_of_it_has_left() -> None:
    stored = Stored()
    stored.change(entries(*range(1, 101)), [], {})
    before = len(stored.database.get(ADMISSION + (1).to_bytes(8, "big")) or b"")
    stored.change([], hashes(*range(1, 75)), {})
    assert stored.records(LEFT) == 1
    stored.change([], hashes(80), {})
    assert stored.records(LEFT) == 0
    assert len(stored.database.get(ADMISSION + (1).to_bytes(8, "big")) or b"") < 0.3 * before
    stored.restart()
    stored.change([], hashes(90), {})
    assert stored.found() == entries(*range(75, 80), *range(81, 90), *range(91, 101))


def test_one_that_is_taken_again_is_found_once_with_its_new_arrival() -> None:
    stored = Stored()
    stored.change(entries(1, 2, 3), [], {})
    again = Entry(transfer(0, 2), 9)
    stored.change([again], [], {})
    assert stored.found() == [*entries(1, 3), again]


def test_the_state_of_a_sender_is_written_when_it_is_another_one() -> None:
    stored = Stored()
    state = SenderState(ALICE, 3, Wei(7)), Height(2)
    assert stored.change([], [], {ALICE: None}) == 0, "it was not there"
    assert stored.change([], [], {ALICE: state}) == 1
    assert stored.change([], [], {ALICE: state}) == 0
    stored.restart()
    assert list(stored.mempool.senders()) == [state]
    assert stored.change([], [], {ALICE: state}) == 0
    assert stored.change([], [], {ALICE: (SenderState(ALICE, 3, Wei(7)), Height(3))}) == 1
    assert stored.change([], [], {ALICE: None}) == 1
    assert stored.records(SENDER) == 0


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_leaves_the_store_holds_what_waits_and_not_much_more(seed: int) -> None:
    chance, stored, waiting, arrival = Random(seed), Stored(), dict[Hash32, Entry](), 0
    for _ in range(300):
        if chance.random() < 0.1:
            stored.restart()
        came = entries(*range(arrival + 1, arrival + 1 + chance.choice((0, 1, 2, 30))))
        arrival += len(came)
        gone = chance.sample(list(waiting), chance.randrange(len(waiting) + 1) // chance.choice((1, 2, 10)))
        stored.change(came, gone, {})
        waiting = {name: entry for name, entry in waiting.items() if name not in gone}
        waiting |= {entry.transaction.hash: entry for entry in came}
        assert stored.found() == list(waiting.values())
    size = sum(len(value) for _, value in stored.database.with_prefix(ADMISSION))
    assert size <= MOST_KEPT * sum(len(entry.transaction.raw) + 120 for entry in waiting.values()) + 10
    stored.change([], list(waiting), {})
    assert stored.records(b"") == 0
