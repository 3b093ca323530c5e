"""The state as a worker's runs see it: known values, the runs not merged yet above them, storage below."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from chain.accounts import Account, AccountChange
from chain.keccak import EMPTY_HASH
from chain.messages.storage import ReadHashes
from chain.messages.tasks import Estimate
from chain.records import AccessKind
from chain.transactions import AccessListEntry
from chain.types import Address, BlockNumber, Hash32, Version, Wei
from execution.change_log import NewValues
from execution.known import KnownState, Missing, MissingKeys
from execution.merged import MergedState, StateBefore
from execution.outcome import Slot, Writes
from execution.reader import learn_hashes, learn_state, read_request
from execution.storage_requests import BlockingReads

Value = TypeVar("Value")


class EstimateRead(Exception):
    """A run read an estimate: whoever wrote it must run again first."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__(f"transaction {estimate.writer} will write this again")
        self.estimate = estimate


class SpeculativeView:
    """The StateView of runs that may block on storage.

    The sender's nonce is taken to be the transaction's (Monad's rule): if it is not when its turn comes, validation
    says so. `before` is where values come from once they are known, by default `known` itself.
    """

    def __init__(
        self,
        known: KnownState,
        reads: BlockingReads,
        base: Version,
        beneficiary: Address,
        before: StateBefore | None = None,
    ) -> None:
        self._known = known
        self._reads = reads
        self._base = base
        self._beneficiary = beneficiary
        self._before = known if before is None else before
        self._merged = MergedState(self._before)
        self._estimates: dict[Slot | Address, int] = {}
        self._sender = Address(b"")
        self._nonce = 0
        self.read_accounts: list[tuple[Address, Account]] = []
        self.read_slots: list[tuple[Address, int, int]] = []

    def speak_for(self, sender: Address, nonce: int) -> None:
        """The next run is a transaction of this sender with this nonce."""
        self._sender, self._nonce = sender, nonce

    def read_at(self, base: Version) -> None:
        """From here on what is missing is read at this version, and what is read is noted anew."""
        self._base = base
        self.read_accounts, self.read_slots = [], []

    def rewind(self) -> None:
        """Show no run of the block that is not merged."""
        self._merged = MergedState(self._before)
        self._estimates = {}

    def account(self, address: Address) -> Account:
        if self._estimates and address in self._estimates:
            raise EstimateRead(Estimate(AccessKind.CODE, address, 0, self._estimates[address]))
        try:
            account = self._merged.account(address)
        except Missing as missing:
            account = self.with_values(lambda: self._merged.account(address), missing.keys)
        if address == self._sender and account.nonce != self._nonce:
            return Account(self._nonce, account.balance, account.code_hash)
        return account

    def slot(self, address: Address, number: int) -> int:
        if self._estimates and (address, number) in self._estimates:
            raise EstimateRead(Estimate(AccessKind.SLOT, address, number, self._estimates[address, number]))
        try:
            return self._merged.slot(address, number)
        except Missing as missing:
            return self.with_values(lambda: self._merged.slot(address, number), missing.keys)

    def code(self, code_hash: Hash32) -> bytes:
        try:
            return self._merged.code(code_hash)
        except Missing as missing:
            return self.with_values(lambda: self._merged.code(code_hash), missing.keys)

    def block_hash(self, number: BlockNumber) -> Hash32:
        return self.with_values(lambda: self._before.block_hash(number))

    def can_pay(self, writes: Writes) -> bool:
        """Whether what a run paid with is still there: another one may have taken it since."""
        return all(delta >= 0 or self._balance(address) + delta >= 0 for address, delta in writes.balances.items())

    def merge(self, index: int, writes: Writes, fee: Wei) -> None:
        """Show a run's writes to the runs after it."""
        if self._estimates:
            for key in _estimable(writes):
                self._estimates.pop(key, None)
        try:
            self._merged.merge(index, writes, self._beneficiary, fee)
        except Missing:
            self.with_values(lambda: self._merged.merge(index, writes, self._beneficiary, fee))

    def shows_any_of(self, new: NewValues) -> bool:
        """Whether runs that are shown wrote where others did."""
        return bool(new.cleared) or self._merged.wrote_any_of(new.accounts, new.slots)

    def make_known(self, position: int) -> None:
        """Take what is shown into the known values, as changed up to `position`."""
        self._merged.make_known(self._known, position)

    def changes(self) -> tuple[AccountChange, ...]:
        """What all that was merged changed."""
        return self.with_values(self._merged.changes)

    def estimate(self, index: int, writes: Writes) -> None:
        """Nobody knows what the transaction at `index` will write where this run of it wrote: slots and codes.

        Its balances and nonces are left out: they are written as differences or taken for granted, and most runs read
        them.
        """
        for key in _estimable(writes):
            self._estimates[key] = index

    def read_named(self, named: Iterable[tuple[Address, Address | None, Sequence[AccessListEntry]]]) -> None:
        """Read in one request what transactions name: (sender, recipient, access list); then the recipients' codes."""
        addresses: dict[Address, None] = {}
        recipients: dict[Address, None] = {}
        slots: dict[Slot, None] = {}
        for sender, to, access_list in named:
            addresses[sender] = None
            if to is not None:
                recipients[to] = None
            for entry in access_list:
                addresses[entry.address] = None
                slots.update(dict.fromkeys((entry.address, slot) for slot in entry.slots))
        known = self._known
        unknown = tuple(address for address in (addresses | recipients) if not known.knows_account(address))
        self._read(MissingKeys(unknown, tuple(key for key in slots if not known.knows_slot(key))))
        hashes = dict.fromkeys(known.account(address).code_hash for address in recipients)
        self._read(MissingKeys(codes=tuple(h for h in hashes if h != EMPTY_HASH and not known.knows_code(h))))

    def _balance(self, address: Address) -> int:
        return self.with_values(lambda: self._merged.account(address)).balance

    def with_values(self, get: Callable[[], Value], missed: MissingKeys | None = None) -> Value:
        """What `get` gives once all that it misses is read: `missed` first, if that is known."""
        while True:
            if missed is not None:
                self._read(missed)
            try:
                return get()
            except Missing as missing:
                missed = missing.keys

    def _read(self, keys: MissingKeys) -> None:
        if keys.accounts or keys.slots or keys.codes:
            answer = learn_state(self._known, keys, self._reads.request(read_request(keys, self._base)))
            self.read_accounts += zip(keys.accounts, answer.accounts, strict=True)
            self.read_slots += [
                (address, slot, value) for (address, slot), value in zip(keys.slots, answer.slots, strict=True)
            ]
        if keys.hashes:
            learn_hashes(self._known, keys.hashes, self._reads.request(ReadHashes(self._base, keys.hashes)))


def _estimable(writes: Writes) -> Iterator[Slot | Address]:
    yield from writes.slots
    yield from writes.codes
