"""The block that the pool would fill on the head, if it were made at this moment."""

import heapq
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chain.headers import MAX_TIMESTAMP
from chain.messages.execution import BlockEnvironment
from chain.messages.mempool import PooledTransaction
from chain.types import Address, Gas, Wei
from rpc.environments import pending_environment
from rpc.methods import Node
from rpc.txpool import pending_transactions

LEAST_TRANSACTION_GAS = 21_000


def environment_to_come(node: Node) -> BlockEnvironment:
    return pending_environment(node.chain.head.header, node.genesis, node.chain.settings, int(time.time()))


def environment_to_estimate_in(node: Node) -> BlockEnvironment:
    """As that of the block to come, and like the newest block's in nothing that is not known yet: who stores the second
    or the randomness again pays for another value then, and an estimate that saw the same one would be too low."""
    environment, head, settings = environment_to_come(node), node.chain.head, node.chain.settings
    if settings.next_timestamp is None and settings.timestamp_interval is None:
        later = min(head.header.timestamp + 1, MAX_TIMESTAMP)
        environment = replace(environment, timestamp=max(environment.timestamp, later))
    if settings.next_prev_randao is None:
        environment = replace(environment, prev_randao=head.hash)
    return environment


def transactions_to_come(node: Node, environment: BlockEnvironment) -> list[PooledTransaction]:
    return packed(pending_transactions(node), environment.base_fee, environment.gas_limit)


def packed(pooled: Iterable[PooledTransaction], base_fee: Wei, gas_limit: Gas) -> list[PooledTransaction]:
    """As leaders pack: best tip first, the earlier arrived among equals, each sender's in nonce order."""
    senders: dict[Address, list[tuple[int, PooledTransaction]]] = {}
    for arrival, transaction in enumerate(pooled):
        senders.setdefault(transaction.sender, []).append((arrival, transaction))
    heap: list[tuple[int, int, PooledTransaction, Iterator[tuple[int, PooledTransaction]]]] = []

    def offer(run: Iterator[tuple[int, PooledTransaction]]) -> None:
        arrival, transaction = next(run, (0, None))
        if transaction is not None:
            tip = min(transaction.max_priority_fee, transaction.max_fee - base_fee)
            heapq.heappush(heap, (-tip, arrival, transaction, run))

    for waiting in senders.values():
        offer(iter(sorted(waiting, key=lambda each: each[1].nonce)))
    taken: list[PooledTransaction] = []
    gas = int(gas_limit)
    while heap and gas >= LEAST_TRANSACTION_GAS:
        _, _, transaction, run = heapq.heappop(heap)
        if transaction.max_fee >= base_fee and transaction.gas <= gas:
            taken.append(transaction)
            gas -= transaction.gas
            offer(run)
    return taken
