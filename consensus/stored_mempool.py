"""How a validator's store keeps the transactions that wait and the states of their senders.

What was admitted together is one record: a record for each transaction takes three times as long. It stays until all
of them have left; which have left meanwhile stands in a second, small record. Once three quarters have, it is written
anew without those, so that no more than four times what waits is kept. Nothing is written that is stored already.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chain.codec import decode_value, encode_value
from chain.messages.mempool import PooledTransaction, SenderState
from chain.types import Address, Hash32, Height
from consensus.sender_queue import Entry

ADMISSION, LEFT, SENDER = b"t", b"l", b"a"
MOST_KEPT = 4
"""How many times as many as wait a record holds at most."""

Batch = dict[bytes, bytes | None]
StateAt = tuple[SenderState, Height]


class Readable(Protocol):
    """The part of a key-value store that is read here."""

    def get(self, key: bytes) -> bytes | None: ...

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...


class StoredEntry(NamedTuple):
    transaction: PooledTransaction
    arrival: int


@dataclass(frozen=True, slots=True)
class StoredAdmission:
    """Transactions in the order of their arrival. Its key ends with the arrival of the first one that it ever held."""

    entries: tuple[StoredEntry, ...]


@dataclass(frozen=True, slots=True)
class StoredSender:
    state: SenderState
    height: Height


@dataclass(slots=True)
class _Admission:
    """How many transactions its record has, how many of them wait, and a bit for the place of each that has left."""

    size: int
    waiting: int
    left: int = 0
    is_marked: bool = False
    """Whether there is a record of those that have left."""


class StoredMempool:
    """What is stored, and what to write when it changes. Each batch is to be written before the next is asked for."""

    def __init__(self, database: Readable) -> None:
        self._database = database
        self._admissions: dict[int, _Admission] = {}
        self._places: dict[Hash32, tuple[int, int]] = {}
        """Of each transaction its admission and its place in there."""
        self._senders: dict[Address, StateAt] = dict(self._read_senders())
        for first, stored, left in self._read_admissions():
            self._keep(first, stored, left)

    def entries(self) -> Iterator[Entry]:
        """The transactions that wait."""
        for _, stored, left in self._read_admissions():
            for _, entry in _remaining(stored, left):
                yield Entry(entry.transaction, entry.arrival)

    def senders(self) -> Iterator[StateAt]:
        yield from self._senders.values()

    def change(self, came: Sequence[Entry], gone: Iterable[Hash32], senders: Mapping[Address, StateAt | None]) -> Batch:
        """The writes for transactions that `came` together, for others that are `gone`, and for new states of senders,
        None for those that are needed no more.
        """
        batch: Batch = {}
        touched: set[int] = set()
        for transaction_hash in gone:
            self._leave(transaction_hash, touched)
        for entry in came:  # one that is back under a new arrival
            self._leave(entry.transaction.hash, touched)
        for first in touched:
            self._settle(first, batch)
        if came:
            stored = tuple([StoredEntry(entry.transaction, entry.arrival) for entry in came])
            self._write(came[0].arrival, stored, batch)
        for address, state in senders.items():
            self._learn(address, state, batch)
        return batch

    def _leave(self, transaction_hash: Hash32, touched: set[int]) -> None:
        first, place = self._places.pop(transaction_hash, (None, 0))
        if first is not None:
            admission = self._admissions[first]
            admission.waiting -= 1
            admission.left |= 1 << place
            touched.add(first)

    def _settle(self, first: int, batch: Batch) -> None:
        """Transactions of that admission have left."""
        admission = self._admissions[first]
        if MOST_KEPT * admission.waiting > admission.size:
            batch[LEFT + _key(first)] = _mask(admission.left)
            admission.is_marked = True
            return
        if admission.is_marked:
            batch[LEFT + _key(first)] = None
        if admission.waiting:
            stored = self._read(first)
            self._write(first, tuple([entry for _, entry in _remaining(stored, admission.left)]), batch)
        else:
            del self._admissions[first]
            batch[ADMISSION + _key(first)] = None

    def _write(self, first: int, stored: tuple[StoredEntry, ...], batch: Batch) -> None:
        self._keep(first, stored, left=0)
        batch[ADMISSION + _key(first)] = encode_value(StoredAdmission(stored))

    def _keep(self, first: int, stored: tuple[StoredEntry, ...], left: int) -> None:
        self._admissions[first] = _Admission(len(stored), len(stored) - left.bit_count(), left, left > 0)
        for place, entry in _remaining(stored, left):
            self._places[entry.transaction.hash] = first, place

    def _learn(self, address: Address, state: StateAt | None, batch: Batch) -> None:
        if state == self._senders.get(address):
            return
        if state is None:
            del self._senders[address]
            batch[SENDER + address] = None
        else:
            self._senders[address] = state
            batch[SENDER + address] = encode_value(StoredSender(*state))

    def _read(self, first: int) -> tuple[StoredEntry, ...]:
        value = self._database.get(ADMISSION + _key(first))
        assert value is not None
        return decode_value(StoredAdmission, value).entries

    def _read_admissions(self) -> Iterator[tuple[int, tuple[StoredEntry, ...], int]]:
        left = {key[1:]: int.from_bytes(mask, "big") for key, mask in self._database.with_prefix(LEFT)}
        for key, value in self._database.with_prefix(ADMISSION):
            first = int.from_bytes(key[1:], "big")
            yield first, decode_value(StoredAdmission, value).entries, left.get(key[1:], 0)

    def _read_senders(self) -> Iterator[tuple[Address, StateAt]]:
        for _, value in self._database.with_prefix(SENDER):
            stored = decode_value(StoredSender, value)
            yield stored.state.address, (stored.state, stored.height)


def _remaining(stored: Sequence[StoredEntry], left: int) -> Iterator[tuple[int, StoredEntry]]:
    """Those that have not left, with their places."""
    return ((place, entry) for place, entry in enumerate(stored) if not left >> place & 1)


def _mask(left: int) -> bytes:
    return left.to_bytes((left.bit_length() + 7) // 8, "big")


def _key(first: int) -> bytes:
    return first.to_bytes(8, "big")
