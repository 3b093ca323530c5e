"""A remote chain in memory, of which one can see what it was asked."""

import asyncio

from chain.types import Address, BlockNumber, Hash32, Wei
from storage.remote import RemoteAccount, RemoteError, RemoteRefusal, RemoteValues, Slot


class FakeRemoteChain:
    """Implements storage.remote.RemoteChain. While `failure` is set it fails; it answers only once `go` is set."""

    def __init__(self) -> None:
        self.accounts: dict[Address, RemoteAccount] = {}
        self.slots: dict[Slot, int] = {}
        self.asked: list[tuple[tuple[Address, ...], tuple[Slot, ...]]] = []
        self.forwarded: list[tuple[str, bytes]] = []
        self.results: dict[str, bytes | RemoteRefusal] = {}
        self.failure: RemoteError | None = None
        self.closed = False
        self.go = asyncio.Event()
        self.go.set()

    async def state(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...]) -> RemoteValues:
        self.asked.append((accounts, slots))
        await self._ready()
        found = tuple([self.accounts.get(address, RemoteAccount(0, Wei(0), b"")) for address in accounts])
        return RemoteValues(found, tuple([self.slots.get(slot, 0) for slot in slots]))

    async def hashes(self, numbers: tuple[BlockNumber, ...]) -> tuple[Hash32, ...]:
        self.forwarded += [("hash", b"%d" % number) for number in numbers]
        await self._ready()
        return tuple([hash_of_remote_block(number) for number in numbers])

    async def forward(self, method: str, params: bytes) -> bytes | RemoteRefusal:
        self.forwarded.append((method, params))
        await self._ready()
        return self.results[method]

    def counters(self) -> dict[str, int]:
        return {"remote_requests": len(self.asked) + len(self.forwarded)}

    async def close(self) -> None:
        self.closed = True

    async def _ready(self) -> None:
        await self.go.wait()
        if self.failure is not None:
            raise self.failure


def hash_of_remote_block(number: int) -> Hash32:
    return Hash32(b"\x66" * 24 + number.to_bytes(8, "big"))
