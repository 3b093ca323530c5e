"""Which transactions are in which block: from the receipts of each block as it comes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from node.errors import NodeError
from node.traffic.connection import Connection, Refused

STALLED_S = 30.0
"""So long without a new block while transactions wait, and none of them was evicted: nothing will come."""
LOOK_S = 3.0
"""So long without a new block, and one asks whether what waits was evicted."""


class Stalled(NodeError):
    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"{waiting} transactions were taken and no block came for {STALLED_S:.0f} s: see what is wrong by "
            "tandem status"
        )


class Evicted(Exception):
    """A transaction will never be included; the text says why."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a transaction is; `gas_used` of its receipt, and whether it succeeded."""

    block: int
    succeeded: bool
    gas_used: int


class Inclusions:
    """Follows the chain from the moment it is made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, asyncio.Future[Inclusion]] = {}
        self._newest: int | None = None
        self.base_fee = 0

    async def follow(self) -> None:
        """Until cancelled. Raises Stalled, and ChainEnded."""
        await self._connection.follow_heads()
        await self._take(await self._connection.ask("eth_getBlockByNumber", "latest", False))
        quiet_s = 0.0
        while True:
            try:
                head = await asyncio.wait_for(self._connection.heads.get(), LOOK_S if self._waiting else None)
            except TimeoutError:
                quiet_s += LOOK_S
                if not await self._forget_evicted() and quiet_s >= STALLED_S and self._waiting:
                    raise Stalled(len(self._waiting)) from None
                continue
            quiet_s = 0.0
            await self._take(head)

    def expect(self, hash: str) -> "asyncio.Future[Inclusion]":
        """What comes of a transaction that is about to be sent. The future raises Evicted."""
        return self._waiting.setdefault(hash, asyncio.get_running_loop().create_future())

    def forget(self, hash: str) -> None:
        """It was not taken."""
        self._waiting.pop(hash, None)

    async def of(self, hash: str) -> Inclusion:
        """Of a transaction that was sent, perhaps some time ago. Raises Evicted."""
        waiting = self.expect(hash)
        receipt = await self._connection.ask("eth_getTransactionReceipt", hash)
        if receipt is not None:
            self._found(receipt)
        return await waiting

    async def _take(self, head: Any) -> None:
        number = int(head["number"], 16)
        self.base_fee = int(head.get("baseFeePerGas") or "0x0", 16)
        first = number if self._newest is None else min(number, self._newest + 1)
        self._newest = number
        for each in range(first, number + 1):
            for receipt in await self._connection.ask("eth_getBlockReceipts", hex(each)) or ():
                self._found(receipt)

    def _found(self, receipt: Any) -> None:
        waiting = self._waiting.pop(receipt["transactionHash"], None)
        if waiting is not None and not waiting.done():
            block, gas_used = int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)
            waiting.set_result(Inclusion(block, receipt["status"] == "0x1", gas_used))

    async def _forget_evicted(self) -> bool:
        """Whether any of those that wait was evicted."""
        hashes = list(self._waiting)
        asked = [self._connection.ask("tandem_getTransactionStatus", hash) for hash in hashes]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        evicted = False
        for hash, answer in zip(hashes, answers, strict=True):
            if isinstance(answer, Refused | None):
                continue
            if isinstance(answer, BaseException):
                raise answer
            if answer["status"] == "evicted":
                evicted = True
                waiting = self._waiting.pop(hash, None)
                if waiting is not None and not waiting.done():
                    waiting.set_exception(Evicted(answer["reason"]))
        return evicted
