"""Reads the states of senders that the pool does not know."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from chain.messages.mempool import SenderState
from chain.types import Address, Hash32
from rpc.chain_view import ChainView
from rpc.pool import TransactionPool

DELEGATION_PREFIX = b"\xef\x01\x00"
DELEGATION_BYTES = 23
"""The code of an account that delegates (EIP-7702): such an account may send all the same."""


@dataclass(frozen=True, slots=True)
class ReadSender:
    """A sender's state, and the hash of its code if it is a contract, which cannot send."""

    state: SenderState
    contract: Hash32 | None


@dataclass(slots=True)
class _Reading:
    task: "asyncio.Task[ReadSender]"
    told: SenderState | None = None


class SenderStates:
    """Supplies the pool with states, one read for any number of transactions that wait for the same sender.

    The news of a block may pass by while storage answers about the block before. What the news says of the account
    wins then, and what it does not mention has not changed, so an answer is always as new as the newest block.
    """

    def __init__(self, chain: ChainView, pool: TransactionPool) -> None:
        self._chain = chain
        self._pool = pool
        self._reading: dict[Address, _Reading] = {}

    async def read(self, address: Address) -> ReadSender:
        """The sender's state after the newest block, which the pool knows from here on unless it is a contract."""
        reading = self._reading.get(address)
        if reading is None:
            reading = self._reading[address] = _Reading(asyncio.create_task(self._read(address)))
        return await asyncio.shield(reading.task)

    def told(self, states: Iterable[SenderState]) -> None:
        """The news of a block: the new states of its senders."""
        if not self._reading:
            return
        for state in states:
            if (reading := self._reading.get(state.address)) is not None:
                reading.told = state

    async def _read(self, address: Address) -> ReadSender:
        try:
            version = self._chain.head.version
            account = await self._chain.state.account(version, address)
            code = await self._chain.state.code(version, address)
        finally:
            reading = self._reading.pop(address)
        state = reading.told or SenderState(address, account.nonce, account.balance)
        if code and not is_delegation(code):
            return ReadSender(state, account.code_hash)
        self._pool.learn(state)
        return ReadSender(state, None)


def is_delegation(code: bytes) -> bool:
    return len(code) == DELEGATION_BYTES and code.startswith(DELEGATION_PREFIX)
