"""The accounts of a state in the order of their hashes, which storage has by address."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chain.keccak import keccak256
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.types import Hash32, Version
from rpc.errors import LimitExceeded
from rpc.methods import Node
from rpc.state_reader import READ_TIMEOUT_S
from rpc.turns import Turns

PAGE_BYTES = 1 << 20
MAX_ACCOUNTS = 65_536
"""Some 8 MB in order."""
HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class OrderedAccounts:
    """Each entry the hash of an address and the address. `root` is that of the state."""

    version: Version
    root: Hash32
    entries: Sequence[bytes]


class AccountOrder:
    """Keeps what was listed last, so that whoever pages through a state has it listed once: a version never changes."""

    def __init__(self, most_waiting: int) -> None:
        self._turns = Turns(most_waiting)
        self._last: OrderedAccounts | None = None

    async def of(self, node: Node, version: Version) -> OrderedAccounts:
        """Raises LimitExceeded."""
        async with self._turns.one():
            if self._last is None or self._last.version != version:
                self._last = None
                self._last = await _listed(node, version)
            return self._last


async def _listed(node: Node, version: Version) -> OrderedAccounts:
    entries: list[bytes] = []
    after: bytes | None = None
    while after != b"":
        page = await node.storage.request(ReadStatePage(version, after or b"", PAGE_BYTES, alone=True), READ_TIMEOUT_S)
        assert isinstance(page, StatePage)
        entries += [keccak256(part.address) + part.address for part in page.accounts]
        if len(entries) > MAX_ACCOUNTS:
            raise LimitExceeded(f"the state has more than {MAX_ACCOUNTS} accounts: use tandem dump")
        after = page.after
    await asyncio.to_thread(entries.sort)
    return OrderedAccounts(version, page.root, entries)
