"""What storage asks of the chain that this one was forked from, and why that may fail.

The remote is read as it was after the block where this chain left it, so what it says once is true for ever.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from chain.types import Address, BlockNumber, Hash32, Wei
from storage.keyvalue import StoreError

Slot: TypeAlias = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    """An account with its code; one that does not exist is all zero."""

    nonce: int
    balance: Wei
    code: bytes


@dataclass(frozen=True, slots=True)
class RemoteValues:
    """Accounts and slots in the order asked."""

    accounts: tuple[RemoteAccount, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RemoteRefusal:
    """The error object that the remote answered a method with; `data` as JSON, if there was any."""

    code: int
    message: str
    data: bytes | None


class RemoteChain(Protocol):
    """Reads of the remote. All raise RemoteError; a call takes as long as the remote does, within bounds."""

    async def state(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...]) -> RemoteValues:
        """The state after the block where this chain begins."""
        ...

    async def hashes(self, numbers: tuple[BlockNumber, ...]) -> tuple[Hash32, ...]:
        """The hashes of blocks up to that one."""
        ...

    async def forward(self, method: str, params: bytes) -> bytes | RemoteRefusal:
        """The result of any method, as JSON; `params` is a JSON array."""
        ...

    def counters(self) -> dict[str, int]:
        """What was asked so far, by name."""
        ...

    async def close(self) -> None: ...


class RemoteError(StoreError):
    """The remote does not tell what is needed. `url` is without secrets; `reason` says why, `remedy` what to do."""

    def __init__(self, url: str, reason: str, remedy: str) -> None:
        super().__init__(f"the remote chain at {url} {reason}: {remedy}")
        self.url = url


class RemoteUnavailable(RemoteError):
    """It cannot be reached, is too slow, or asks for patience."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, "what it was not asked before has to wait until it answers")


class RemoteUnreachable(RemoteError):
    """It did not answer somebody who has just been told the URL."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, "see that it runs, and that the URL is right")


class RemoteForbids(RemoteError):
    """It answers, but not to us."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, "check the key in --fork-url, or give another one")


class RemoteLacksState(RemoteError):
    """A node that keeps only the newest states was asked for an older one."""

    def __init__(self, url: str, number: int, said: str) -> None:
        super().__init__(
            url,
            f"does not have the state of block {number} ({said})",
            "give the --fork-url of an archive node, or a newer --fork-block",
        )


class RemoteNonsense(RemoteError):
    """An answer that cannot be what was asked for."""

    def __init__(self, url: str, said: str) -> None:
        super().__init__(url, f"answers {said}", "give the --fork-url of an Ethereum JSON-RPC server")


class OtherRemote(RemoteError):
    """The URL leads to another chain than the one that was forked."""

    def __init__(self, url: str, number: int, expected: Hash32, found: str) -> None:
        super().__init__(
            url,
            f"is not the chain that was forked: its block {number} is {found}, not 0x{expected.hex()}",
            "give the --fork-url of that chain",
        )
