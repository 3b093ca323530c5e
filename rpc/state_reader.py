"""Reads of accounts, slots and code at a version, from storage.

Reads that are asked for in the same turn of the event loop, as those of a JSON-RPC batch are, travel as one message.
Values at a version never change, so they are cached without ever being invalid. The newest state of a small chain is
held whole once there have been enough reads (chain/whole_state.py).
"""

import asyncio
from dataclasses import dataclass, field

from chain.accounts import Account
from chain.keccak import EMPTY_HASH, keccak256
from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import ReadState, StateValues
from chain.types import Address, Hash32, Version
from chain.whole_state import WholeState
from rpc.bounded_cache import BoundedCache

READ_TIMEOUT_S = 10.0
"""How long a read waits for storage to come back before the request fails."""
CACHED_ACCOUNTS = 16_384
CACHED_SLOTS = 16_384
CACHED_CODE_BYTES = 16 << 20
MAX_BATCHED_READS = 4_096

Slot = tuple[Address, int]


@dataclass(eq=False)
class _Batch:
    """What is asked of one version until the message leaves, and then what came back."""

    version: Version
    task: "asyncio.Task[None] | None" = None
    accounts: dict[Address, Account] = field(default_factory=dict)
    slots: dict[Slot, int] = field(default_factory=dict)
    codes: dict[Hash32, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.accounts) + len(self.slots) + len(self.codes)


class StateReader:
    """State at any kept version."""

    def __init__(self, storage: Link) -> None:
        self._storage = storage
        self._open: dict[Version, _Batch] = {}
        self._whole = WholeState()
        self._page: asyncio.Task[None] | None = None
        self._accounts: BoundedCache[tuple[Version, Address], Account] = BoundedCache(CACHED_ACCOUNTS)
        self._slots: BoundedCache[tuple[Version, Slot], int] = BoundedCache(CACHED_SLOTS)
        self._codes: BoundedCache[Hash32, bytes] = BoundedCache(CACHED_CODE_BYTES, len)

    async def account(self, version: Version, address: Address) -> Account:
        """The account; the empty one if it does not exist."""
        if self._whole.covers(version):
            return self._whole.account(address)
        known = self._accounts.get((version, address))
        if known is not None:
            return known
        batch = self._batch(version)
        batch.accounts[address] = Account()
        await self._answered(batch)
        return batch.accounts[address]

    async def slot(self, version: Version, address: Address, number: int) -> int:
        if self._whole.covers(version):
            return self._whole.slot(address, number)
        known = self._slots.get((version, (address, number)))
        if known is not None:
            return known
        batch = self._batch(version)
        batch.slots[address, number] = 0
        await self._answered(batch)
        return batch.slots[address, number]

    async def code(self, version: Version, address: Address) -> bytes:
        code_hash = (await self.account(version, address)).code_hash
        if code_hash == EMPTY_HASH:
            return b""
        known = self._codes.get(code_hash)
        if known is not None:
            return known
        batch = self._batch(version)
        batch.codes[code_hash] = b""
        await self._answered(batch)
        return batch.codes[code_hash]

    def _batch(self, version: Version) -> _Batch:
        batch = self._open.get(version)
        if batch is None or batch.size >= MAX_BATCHED_READS:
            batch = self._open[version] = _Batch(version)
        return batch

    async def _answered(self, batch: _Batch) -> None:
        """Wait for the batch; a waiter that is cancelled leaves it to the others."""
        if batch.task is None:
            batch.task = asyncio.create_task(self._read(batch))
        await asyncio.shield(batch.task)

    async def _read(self, batch: _Batch) -> None:
        if self._open.get(batch.version) is batch:
            del self._open[batch.version]
        accounts, slots, codes = tuple(batch.accounts), tuple(batch.slots), tuple(batch.codes)
        since = self._whole.since(batch.version)
        read = ReadState(batch.version, accounts, slots, codes, since)
        values = await self._storage.request(read, READ_TIMEOUT_S)
        assert isinstance(values, StateValues)
        if since is not None:
            self._whole.follow(since, batch.version, values.changes)
        for address, account in zip(accounts, values.accounts, strict=True):
            batch.accounts[address] = account
            self._accounts.put((batch.version, address), account)
        for slot, value in zip(slots, values.slots, strict=True):
            batch.slots[slot] = value
            self._slots.put((batch.version, slot), value)
        for code_hash, code in zip(codes, values.codes, strict=True):
            batch.codes[code_hash] = code
            self._codes.put(code_hash, code)
        for _ in range(batch.size):
            page = self._whole.next_page(batch.version)
            if page is not None:
                self._page = asyncio.create_task(self._read_page(page))

    async def _read_page(self, wanted: ReadStatePage) -> None:
        try:
            page = await self._storage.request(wanted, READ_TIMEOUT_S)
        except (RequestFailed, LinkClosed, TimeoutError) as error:
            self._whole.give_up(for_good=isinstance(error, RequestFailed) and error.error == "NoWholeState")
            return
        assert isinstance(page, StatePage)
        for code in page.codes:
            self._codes.put(keccak256(code), code)
        self._whole.take(page)
