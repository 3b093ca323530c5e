"""Bursts of transactions signed beforehand: how fast a node takes them, and how fast they are in blocks."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from scripts.benchmarks.client_cost import ClientCost
from scripts.benchmarks.figures import Figure, latency_of
from scripts.benchmarks.http_client import RpcClient, result_of
from scripts.benchmarks.workload import (
    Call,
    Sender,
    SignedTransaction,
    TransactionsLost,
    World,
    batch_of,
    receipts_of,
)

STANDSTILL_SECONDS = 2.0
LOST_SECONDS = 20.0
PATIENCE_SECONDS = 300.0

Calls = Callable[[Sender], Call]


@dataclass(slots=True)
class Burst:
    """`accepted_seconds` until every transaction was answered, `mined_seconds` until every one had its receipt."""

    accepted_seconds: float = 0.0
    mined_seconds: float = 0.0
    answers: list[float] = field(default_factory=list)
    """How long each request took, in seconds."""
    count: int = 0
    blocks: int = 0
    nudges: int = 0
    failures: int = 0

    def accepted(self, name: str) -> Figure:
        return Figure(name, self.count / self.accepted_seconds, "tx/s", latency=latency_of(self.answers))

    def mined(self, name: str) -> Figure:
        notes = []
        if self.nudges:
            notes.append("stood still until another transaction came")
        if self.failures:
            notes.append(f"{self.failures} failed")
        return Figure(name, self.count / self.mined_seconds, "tx/s", ", ".join(notes))


class Bursts:
    """Bursts on one node, each of `each` transactions from every sender."""

    def __init__(self, url: str, client: RpcClient, world: World, each: int) -> None:
        self._url = url
        self._client = client
        self._world = world
        self._each = each
        self.cost = ClientCost()

    async def warm(self, call: Calls) -> None:
        """One transaction of each sender: it fills empty slots, which costs more gas, and warms what it touches."""
        first = [sender.sign(self._world.chain_id, call(sender)) for sender in self._world.senders]
        await self._send_all([[one.request] for one in first], 1)
        await self._wait_for(first)

    async def send(self, call: Calls, connections: int, *, batched: bool = False) -> Burst:
        """Over many connections; a sender stays on one of them, so that its nonces arrive in order.

        `batched`: what one sender sends is one request.
        """
        chain_id = self._world.chain_id
        signed = [[sender.sign(chain_id, call(sender)) for _ in range(self._each)] for sender in self._world.senders]
        if batched:
            requests = [[batch_of(sequence)] for sequence in signed]
        else:
            requests = [[one.request for one in sequence] for sequence in signed]
        burst = Burst()
        began = time.perf_counter()
        with self.cost:
            burst.answers = await self._send_all(requests, connections)
            burst.accepted_seconds = time.perf_counter() - began
        self.cost.requests += len(burst.answers)
        burst.nudges = await self._wait_for([sequence[-1] for sequence in signed])
        burst.mined_seconds = time.perf_counter() - began
        receipts = await receipts_of(self._client, [one.hash for mine in signed for one in mine], LOST_SECONDS)
        burst.count = len(receipts)
        burst.blocks = len({receipt["blockNumber"] for receipt in receipts})
        burst.failures = sum(receipt["status"] != "0x1" for receipt in receipts)
        return burst

    async def _send_all(self, sequences: Sequence[Sequence[bytes]], connections: int) -> list[float]:
        shares = [list(_by_turns(sequences[index::connections])) for index in range(connections)]
        times = await asyncio.gather(*(self._send(share) for share in shares if share))
        return [seconds for share in times for seconds in share]

    async def _send(self, requests: Sequence[bytes]) -> list[float]:
        times = []
        async with RpcClient(self._url) as client:
            for body in requests:
                began = time.perf_counter()
                answer = orjson.loads(await client.post(body))
                times.append(time.perf_counter() - began)
                for one in answer if isinstance(answer, list) else [answer]:
                    result_of(one)
        return times

    async def _wait_for(self, transactions: Sequence[SignedTransaction]) -> int:
        """Until all are mined; returns how often the node had to be nudged, raises `TransactionsLost`.

        A node that mines when a transaction arrives may leave others behind that did not fit: where no block comes for
        a while, one more transaction may set it going again.
        """
        missing = [transaction.hash for transaction in transactions]
        nudges, height = 0, ""
        began = grew = nudged = time.monotonic()
        while True:
            receipts = await self._client.batch("eth_getTransactionReceipt", [[name] for name in missing])
            missing = [name for name, receipt in zip(missing, receipts, strict=True) if receipt is None]
            if not missing:
                return nudges
            now, newest = time.monotonic(), await self._client.call("eth_blockNumber")
            if newest != height:
                height, grew, nudged = newest, now, now
            if now - grew > LOST_SECONDS or now - began > PATIENCE_SECONDS:
                raise TransactionsLost(
                    f"no new block for {now - grew:.0f} s while {len(missing)} senders wait for receipts"
                )
            if now - nudged > STANDSTILL_SECONDS:
                await self._nudge()
                nudges, nudged = nudges + 1, now
            await asyncio.sleep(0.01)

    async def _nudge(self) -> None:
        spare = self._world.spare
        await self._client.post(spare.sign(self._world.chain_id, self._world.transfer(spare)).request)


def _by_turns(sequences: Sequence[Sequence[bytes]]) -> Iterator[bytes]:
    for level in zip(*sequences, strict=True):
        yield from level
