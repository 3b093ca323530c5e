"""The state root of a whole state in memory, by the same tries that a chain's blocks update."""

from collections.abc import Iterable, Mapping

from chain import rlp
from chain.accounts import Account
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import Address, Hash32
from storage.state import SLOT_BYTES
from storage.steps import run
from storage.trie import TrieUpdate, entry


def state_root(accounts: Iterable[tuple[Address, Account, Mapping[int, int]]]) -> Hash32:
    """The root over every account with its slots; slots that are zero are not there."""
    return _root((keccak256(address), account.trie_value(_storage_root(slots))) for address, account, slots in accounts)


def _storage_root(slots: Mapping[int, int]) -> Hash32:
    rows = ((number.to_bytes(SLOT_BYTES, "big"), value) for number, value in slots.items() if value)
    return _root((keccak256(number), rlp.encode_int(value)) for number, value in rows)


def _root(rows: Iterable[tuple[bytes, bytes]]) -> Hash32:
    return run(TrieUpdate(_nothing_stored).run(EMPTY_ROOT, sorted(entry(key, value) for key, value in rows)))


def _nothing_stored(path: bytes) -> bytes:
    raise AssertionError(f"a trie built from nothing has no node at {path!r} to read")
