"""Chooses the transactions of the next proposal: best tip first, each sender's in nonce order."""

import heapq
from collections.abc import Iterable, Iterator

from chain.types import Gas, Wei
from consensus.sender_queue import Entry, SenderQueue, highest_cost

LEAST_TRANSACTION_GAS = 21_000


def fits(entry: Entry, highest_base_fee: Wei, spendable: int, gas: int, size: int) -> bool:
    """Whether it can go in where so much balance, gas and room are left, whatever the base fee turns out to be."""
    transaction = entry.transaction
    return (
        transaction.max_fee >= highest_base_fee
        and transaction.gas <= gas
        and entry.size <= size
        and highest_cost(transaction) <= spendable
    )


def stuck_first(queues: Iterable[SenderQueue], highest_base_fee: Wei, gas_limit: Gas, bytes_limit: int) -> list[int]:
    """How long the runs are that cannot begin, of the senders before the first whose run can. Who has become ready
    since stands behind them, so these are all that have waited for long.
    """
    stuck: list[int] = []
    for queue in queues:
        head = queue.head
        if head is not None and fits(head, highest_base_fee, queue.spendable, gas_limit, bytes_limit):
            break
        stuck.append(queue.run_length)
    return stuck


def pack(
    queues: Iterable[SenderQueue], base_fee: Wei, highest_base_fee: Wei, gas_limit: Gas, bytes_limit: int
) -> list[Entry]:
    """The transactions that pay most per gas at `base_fee`, the earlier arrived first among equals.

    A sender whose next transaction does not fit gives up its turn for this proposal.
    """
    heap: list[tuple[int, int, Entry, Iterator[Entry], int]] = []

    def offer(run: Iterator[Entry], spendable: int) -> None:
        entry = next(run, None)
        if entry is not None:
            heapq.heappush(heap, (-entry.tip(base_fee), entry.arrival, entry, run, spendable))

    for queue in queues:
        offer(queue.run(), queue.spendable)
    packed: list[Entry] = []
    gas, size = int(gas_limit), bytes_limit
    while heap and gas >= LEAST_TRANSACTION_GAS:
        _, _, entry, run, spendable = heapq.heappop(heap)
        if not fits(entry, highest_base_fee, spendable, gas, size):
            continue
        packed.append(entry)
        gas -= entry.transaction.gas
        size -= entry.size
        offer(run, spendable - highest_cost(entry.transaction))
    return packed
