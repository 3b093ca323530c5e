"""Sends the calls: each wallet one at a time, the next when the one before is in a block."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, Gas, Wei
from node.traffic.arguments import ArgumentMaker, Moment
from node.traffic.connection import Connection, Refused
from node.traffic.inclusion import Evicted, Inclusions
from node.traffic.senders import Sender

FEE_HEADROOM = 3
"""A transaction may pay so many times the newest base fee, which grows by an eighth each full block."""
MAX_REVERTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Job:
    """What is sent. `hot_share` is a part of 1, `rate` calls a second, 0 as fast as blocks come."""

    contract: Address
    chain_id: int
    count: int
    hot_share: float
    rate: float
    value: Wei
    gas: Gas
    tip: Wei
    seed: int


@dataclass(frozen=True, slots=True)
class Reverted:
    """A call that is in a block and failed."""

    block: int
    index: int
    sender: Address
    data: bytes
    gas: Gas


@dataclass(slots=True)
class Outcome:
    """What came of it. `refused` counts by reason what the node did not take, or gave up later."""

    sent: int = 0
    included: int = 0
    reverted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reverts: list[Reverted] = field(default_factory=list)
    blocks: set[int] = field(default_factory=set)
    seconds: float = 0.0
    stopped: bool = False


class Traffic:
    """One run. `stop` lets what is on its way arrive and sends nothing more."""

    def __init__(
        self, connection: Connection, inclusions: Inclusions, job: Job, maker: ArgumentMaker, step: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._inclusions = inclusions
        self._job = job
        self._maker = maker
        self._step = step
        self._stopping = asyncio.Event()
        self.outcome = Outcome()

    def stop(self) -> None:
        self.outcome.stopped = True
        self._stopping.set()

    async def run(self, senders: Sequence[Sender]) -> None:
        """Until all calls are in blocks, or given up."""
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                for place, sender in enumerate(senders):
                    tasks.create_task(self._send_all(sender, range(place, self._job.count, len(senders)), began))
        finally:
            self.outcome.seconds = time.monotonic() - began

    async def _send_all(self, sender: Sender, indices: range, began: float) -> None:
        for index in indices:
            await self._until_due(index, began)
            if self._stopping.is_set():
                return
            await self._send(sender, index)
            self._step()

    async def _until_due(self, index: int, began: float) -> None:
        wait_s = began + index / self._job.rate - time.monotonic() if self._job.rate else 0
        if wait_s > 0:
            try:
                await asyncio.wait_for(self._stopping.wait(), wait_s)
            except TimeoutError:
                pass

    async def _send(self, sender: Sender, index: int) -> None:
        moment = moment_of(index, sender.address, self._job)
        data = self._maker.calldata(moment)
        signed = self._signed(sender, data)
        hash = "0x" + signed.hash.hex()
        inclusion = self._inclusions.expect(hash)
        self.outcome.sent += 1
        try:
            await self._connection.ask("eth_sendRawTransaction", "0x" + signed.raw.hex())
            sender.nonce += 1
            included = await inclusion
        except (Refused, Evicted) as refused:
            self._inclusions.forget(hash)
            self.outcome.refused[str(refused)] += 1
            sender.nonce = int(await self._connection.ask("eth_getTransactionCount", sender.hex, "pending"), 16)
            return
        self.outcome.included += 1
        self.outcome.blocks.add(included.block)
        if not included.succeeded:
            self.outcome.reverted += 1
            if len(self.outcome.reverts) < MAX_REVERTS_KEPT:
                self.outcome.reverts.append(Reverted(included.block, index, sender.address, data, self._job.gas))

    def _signed(self, sender: Sender, data: bytes) -> Transaction:
        job = self._job
        return Transaction(
            type=DYNAMIC_FEE,
            chain_id=job.chain_id,
            nonce=sender.nonce,
            max_fee=Wei(FEE_HEADROOM * self._inclusions.base_fee + job.tip),
            max_priority_fee=job.tip,
            gas=job.gas,
            to=job.contract,
            value=job.value,
            data=data,
        ).signed_with(sender.private_key)


def moment_of(index: int, sender: Address, job: Job) -> Moment:
    """The hot calls are spread evenly at random, and the same ones for the same seed."""
    return Moment(index, sender, Random(f"{job.seed}/{index}/hot").random() < job.hot_share)
