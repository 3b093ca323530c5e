"""From a transfer sent to its receipt seen, where every sender waits for the receipt before it sends the next."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import orjson

from scripts.benchmarks.bursts import LOST_SECONDS, STANDSTILL_SECONDS
from scripts.benchmarks.figures import Figure, latency_of
from scripts.benchmarks.http_client import RpcClient, request, result_of
from scripts.benchmarks.reads import connections_open
from scripts.benchmarks.workload import Sender, SignedTransaction, TransactionsLost, World

SHARE = 5
"""Of many connections each sends this part of what one alone sends: together they send more."""


async def measure_receipts(url: str, world: World, connections: Sequence[int], samples: int) -> AsyncIterator[Figure]:
    """p50 and p99 with each number of connections, every one with a sender of its own. Raises TransactionsLost."""
    for count in connections:
        senders = world.senders[:count]
        each = samples if count == 1 else max(1, samples // SHARE)
        run = _Run(url, world)
        latency = latency_of(await run.all_of(senders, each))
        where = connections_open(len(senders))
        yield Figure(f"send → receipt, p50, {where}", latency.p50, "ms", run.note)
        yield Figure(f"send → receipt, p99, {where}", latency.p99, "ms")


class _Run:
    """One number of connections. `nudges`: a node that mines what arrives may leave behind what came meanwhile."""

    def __init__(self, url: str, world: World) -> None:
        self._url = url
        self._world = world
        self._nudges = 0

    @property
    def note(self) -> str:
        return f"stood still until another transaction came, {self._nudges} times" if self._nudges else ""

    async def all_of(self, senders: Sequence[Sender], each: int) -> list[float]:
        """How long each took, in seconds. All are signed beforehand."""
        chain_id, transfer = self._world.chain_id, self._world.transfer
        signed = [[sender.sign(chain_id, transfer(sender)) for _ in range(each)] for sender in senders]
        times = await asyncio.gather(*map(self._one_by_one, signed))
        return [seconds for one in times for seconds in one]

    async def _one_by_one(self, transactions: Sequence[SignedTransaction]) -> list[float]:
        seconds = []
        async with RpcClient(self._url) as client:
            for transaction in transactions:
                question = request("eth_getTransactionReceipt", transaction.hash)
                began = time.perf_counter()
                result_of(orjson.loads(await client.post(transaction.request)))
                await self._receipt(client, question, began)
                seconds.append(time.perf_counter() - began)
        return seconds

    async def _receipt(self, client: RpcClient, question: bytes, began: float) -> None:
        """Ask for it without pause."""
        nudged = began
        while result_of(orjson.loads(await client.post(question))) is None:
            now = time.perf_counter()
            if now - began > LOST_SECONDS:
                raise TransactionsLost(f"no receipt in {LOST_SECONDS:.0f} s")
            if now - nudged > STANDSTILL_SECONDS:
                self._nudges, nudged = self._nudges + 1, now
                spare = self._world.spare
                await client.post(spare.sign(self._world.chain_id, self._world.transfer(spare)).request)
