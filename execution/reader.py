"""Reading state and block hashes from storage: in batches without blocking, or blocking for workers.

Execution runs the engine on known values only. What is missing aborts the run, is fetched here, and the run starts
again: reads are deterministic, and the event loop never waits for storage inside the interpreter. What a block surely
touches is fetched before, in one request, and one more for code.
"""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from chain.keccak import EMPTY_HASH, keccak256
from chain.messages import Message
from chain.messages.execution import BlockEnvironment
from chain.messages.storage import BlockHashes, ReadHashes, ReadState, StateValues
from chain.rlp import encode_bytes, encode_int, encode_list
from chain.system_contracts import BEACON_ROOTS, CONSOLIDATION_REQUESTS, SYSTEM_CONTRACTS, WITHDRAWAL_REQUESTS
from chain.transactions import Transaction
from chain.types import Address, BlockNumber, Hash32, Version
from execution.errors import ExecutionError
from execution.known import KnownState, MissingKeys
from execution.outcome import Slot
from execution.storage_requests import StorageRequests
from execution.touched import Kind, TouchedSlots, kind_of

DELEGATION_PREFIX = b"\xef\x01\x00"
DELEGATION_SIZE = 23
BEACON_RING = 8191
READ_AHEAD_S = 32
"""Each second has its place in the ring of beacon roots: so many are read at once, so that not every second has a block
that waits for storage, or on a fork for the remote chain."""


class UnexpectedAnswer(ExecutionError):
    """A process answered with something else than was asked for."""

    def __init__(self, wanted: str, answer: Message) -> None:
        super().__init__(f"the answer was a {type(answer).__name__} where a {wanted} belongs")


def read_request(keys: MissingKeys, base: Version) -> ReadState:
    return ReadState(base, keys.accounts, keys.slots, keys.codes)


def learn_state(known: KnownState, keys: MissingKeys, answer: Message) -> StateValues:
    """Take the answer to `read_request(keys)` into the known state. Raises UnexpectedAnswer."""
    if not isinstance(answer, StateValues):
        raise UnexpectedAnswer("StateValues", answer)
    known.learn_accounts(zip(keys.accounts, answer.accounts, strict=True))
    known.learn_slots(zip(keys.slots, answer.slots, strict=True))
    for code_hash, code in zip(keys.codes, answer.codes, strict=True):
        known.learn_code(code_hash, code)
    return answer


def learn_hashes(known: KnownState, numbers: tuple[BlockNumber, ...], answer: Message) -> None:
    """Take the answer to a ReadHashes into the known state. Raises UnexpectedAnswer."""
    if not isinstance(answer, BlockHashes):
        raise UnexpectedAnswer("BlockHashes", answer)
    for number, block_hash in zip(numbers, answer.hashes, strict=True):
        known.learn_hash(number, block_hash)


class ExpectedReads(NamedTuple):
    """What a block's transactions will probably read, and of that the entries of mappings by transaction."""

    addresses: dict[Address, None]
    recipients: dict[Address, None]
    slots: dict[Slot, None]
    entries: dict[Hash32, list[Slot]]


class StateReader:
    """Fetches into the known state of the execution process, at the newest version that storage has applied."""

    def __init__(self, storage: StorageRequests, known: KnownState, base: Version) -> None:
        self._storage = storage
        self._known = known
        self._touched = TouchedSlots()
        self._entries: dict[Hash32, list[Slot]] = {}
        """What was guessed of each transaction of the block that was prefetched."""
        self.base = base
        self.requests = 0

    async def fetch(self, keys: MissingKeys) -> None:
        """Make the keys known."""
        if keys.accounts or keys.slots or keys.codes:
            self.requests += 1
            learn_state(self._known, keys, await self._storage.request(read_request(keys, self.base)))
        if keys.hashes:
            self.requests += 1
            answer = await self._storage.request(ReadHashes(self.base, keys.hashes))
            learn_hashes(self._known, keys.hashes, answer)

    def expected(self, transactions: Iterable[tuple[Transaction, Address]]) -> ExpectedReads:
        """What these transactions surely touch, and what others like them touched."""
        addresses: dict[Address, None] = {}
        slots: dict[Slot, None] = {}
        recipients: dict[Address, None] = dict.fromkeys(contract.address for contract in SYSTEM_CONTRACTS)
        kinds: dict[Kind, int] = {}
        entries: dict[Hash32, list[Slot]] = {}
        for transaction, sender in transactions:
            addresses[sender] = None
            if transaction.to is None:
                addresses[created_address(sender, transaction.nonce)] = None
                continue
            recipients[transaction.to] = None
            kind = kind_of(transaction)
            if kind is not None and transaction.data:
                entries[transaction.hash] = self._touched.entries(kind, transaction, sender)
                slots.update(dict.fromkeys(self._with_fixed(kind, entries[transaction.hash], kinds)))
            for entry in transaction.access_list:
                addresses[entry.address] = None
                slots.update(dict.fromkeys((entry.address, slot) for slot in entry.slots))
        return ExpectedReads(addresses, recipients, slots, entries)

    async def prefetch(self, expected: ExpectedReads, environment: BlockEnvironment) -> None:
        """Make known what a block's transactions are expected to read, and what the block itself reads."""
        self._entries = expected.entries
        slots = itertools.chain(self._system_slots(environment), expected.slots)
        await self._fetch_unknown([environment.beneficiary, *expected.addresses, *expected.recipients], slots)
        await self._fetch_codes(expected.recipients)

    def guess(self, transaction: Transaction, sender: Address, kinds: dict[Kind, int]) -> list[Slot]:
        """The slots that the transaction probably reads, without those that calls of these `kinds` have in common.

        Its own is added to them, with the number of what is known of it (see TouchedSlots).
        """
        kind = kind_of(transaction)
        if kind is None:
            return []
        entries = self._entries.get(transaction.hash)
        if entries is None:
            entries = self._entries[transaction.hash] = self._touched.entries(kind, transaction, sender)
        return self._with_fixed(kind, entries, kinds)

    def _with_fixed(self, kind: Kind, entries: list[Slot], kinds: dict[Kind, int]) -> list[Slot]:
        edition, fixed = self._touched.fixed(kind)
        if kinds.get(kind) == edition:
            return entries
        kinds[kind] = edition
        return [*fixed, *entries]

    def touched(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None:
        """Remember what a run of this transaction read, for transactions like it."""
        self._touched.remember(transaction, sender, slots)

    def _system_slots(self, environment: BlockEnvironment) -> list[Slot]:
        """What the system contracts read in every block: the ring of beacon roots, and the heads of the request queues.

        The ring is read ahead when the block's own place in it is not known.
        """
        second = environment.timestamp
        known = all(self._known.knows_slot(slot) for slot in beacon_slots(second))
        ahead = range(second, second + (0 if known else READ_AHEAD_S))
        slots = [slot for at in ahead for slot in beacon_slots(at)]
        for queue in (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS):
            slots += [(queue.address, slot) for slot in range(4)]
        return slots

    async def _fetch_unknown(self, addresses: Iterable[Address], slots: Iterable[Slot]) -> None:
        known = self._known
        keys = MissingKeys(
            tuple(address for address in addresses if not known.knows_account(address)),
            tuple(known.unknown_slots(slots)),
        )
        if keys.accounts or keys.slots:
            await self.fetch(keys)

    async def _fetch_codes(self, recipients: Iterable[Address]) -> None:
        known = self._known
        hashes = dict.fromkeys(known.account(address).code_hash for address in recipients)
        wanted = tuple(h for h in hashes if h != EMPTY_HASH and not known.knows_code(h))
        if wanted:
            await self.fetch(MissingKeys(codes=wanted))


def beacon_slots(second: int) -> tuple[Slot, Slot]:
    """The time's place in the ring of beacon roots, and the root's."""
    place = second % BEACON_RING
    return (BEACON_ROOTS.address, place), (BEACON_ROOTS.address, place + BEACON_RING)


def is_delegation(code: bytes) -> bool:
    """Whether the code only points at another account's (EIP-7702): such an account can still send."""
    return len(code) == DELEGATION_SIZE and code.startswith(DELEGATION_PREFIX)


def created_address(sender: Address, nonce: int) -> Address:
    """Where a creation transaction puts its contract."""
    return Address(keccak256(encode_list([encode_bytes(sender), encode_int(nonce)]))[12:])
