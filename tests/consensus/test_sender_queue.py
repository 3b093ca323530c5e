"""One sender's queue: its run is what its definition says, however it came about, and costs only what changes it."""

import random

import pytest

from chain.messages.mempool import PooledTransaction
from chain.types import Address, Gas, Hash32, Height, Wei
from consensus.sender_queue import Entry, SenderQueue

SENDER = Address(bytes(20))
NONCES = 12


def transaction(nonce: int, gas: int) -> PooledTransaction:
    return PooledTransaction(Hash32(bytes(32)), bytes(gas % 7 + 1), SENDER, nonce, Gas(gas), Wei(1), Wei(1), Wei(0))


def run_by_definition(queue: SenderQueue) -> list[int]:
    """From the sender's nonce on, past what is in flight, as long as nonces follow each other."""
    nonce = queue.nonce
    while nonce in queue.in_flight:
        nonce += 1
    run = []
    while nonce in queue.entries:
        run.append(nonce)
        nonce += 1
    return run


def assert_run(queue: SenderQueue) -> None:
    entries = [queue.entries[nonce] for nonce in run_by_definition(queue)]
    assert list(queue.run()) == entries
    assert queue.head is (entries[0] if entries else None)
    assert queue.run_gas == sum(entry.transaction.gas for entry in entries)
    assert queue.run_bytes == sum(entry.size for entry in entries)


def change(queue: SenderQueue, chance: random.Random) -> None:
    """What a mempool does to a queue, in any order."""
    nonce = chance.randrange(NONCES)
    match chance.randrange(5):
        case 0 if nonce not in queue.entries:
            queue.entries[nonce] = Entry(transaction(nonce, chance.randrange(21_000, 99_000)), nonce)
            if nonce == queue.run_end:
                queue.extend_run()
        case 1 if nonce in queue.entries:
            if queue.in_run(nonce):
                queue.end_run(nonce)
            del queue.entries[nonce]
        case 2:
            queue.in_flight[nonce] = (Height(1), Wei(1))
            queue.begin_run()
        case 3:
            queue.in_flight.pop(nonce, None)
            queue.begin_run()
        case 4 if chance.random() < 0.2:
            queue.update_state(nonce, Wei(0), Height(queue.height + 1))
            queue.begin_run()


@pytest.mark.parametrize("seed", range(50))
def test_the_run_is_what_follows_the_state_and_what_is_in_flight(seed: int) -> None:
    chance, queue = random.Random(seed), SenderQueue(SENDER)
    queue.begin_run()
    for _ in range(300):
        change(queue, chance)
        assert_run(queue)


def test_a_block_costs_what_it_holds_not_what_waits_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = SenderQueue(SENDER, entries={nonce: Entry(transaction(nonce, 21_000), nonce) for nonce in range(5_000)})
    queue.begin_run()
    counted: list[int] = []

    def size(entry: Entry) -> int:
        counted.append(entry.arrival)
        return len(entry.transaction.raw)

    monkeypatch.setattr(Entry, "size", property(size))
    for nonce in range(10):
        queue.in_flight[nonce] = (Height(1), Wei(1))
    queue.begin_run()
    queue.update_state(10, Wei(0), Height(1))
    queue.begin_run()
    queue.in_flight.clear()
    queue.begin_run()
    assert counted == list(range(10))
    assert len(list(queue.run())) == 4_990
