"""Which conflicts and waits of a block were real: its transactions' runs that counted, looked at together.

Worked out after the block, and only for blocks where something failed or waited.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from chain.accounts import Account
from chain.records import AccessKind, Dependency
from chain.types import Address
from execution.block_run import Turn
from execution.outcome import Reads, Slot
from execution.transfers import reads_of_transfer

NEVER = 1 << 62
FIELDS = (AccessKind.NONCE, AccessKind.CODE, AccessKind.BALANCE, AccessKind.EMPTINESS)


class Dependencies:
    """Who changed each key first. `before` gives an account as the block found it; it may raise Missing.

    Nothing is looked at before somebody asks for it: most blocks have nothing to ask.
    """

    def __init__(self, turns: Sequence[Turn], beneficiary: Address, before: Callable[[Address], Account]) -> None:
        self._turns = turns
        self._beneficiary = beneficiary
        self._before = before

    def of(self, index: int, kind: AccessKind, address: Address, slot: int) -> Dependency:
        """Whether the transaction really depended on this key, or on any of the account's where `kind` is ACCOUNT."""
        if kind == AccessKind.SLOT:
            outcome, key = self._turns[index].outcome, (address, slot)
            real = outcome is not None and key in outcome.reads.slots and self._slot_changed(index, key)
        elif kind == AccessKind.ACCOUNT:
            real = self.shared_key(index, address) is not None
        else:
            real = self._depends_on_field(index, self._reads(index), kind, address)
        return Dependency.REAL if real else Dependency.ARTEFACT

    def shared_key(self, index: int, address: Address) -> tuple[AccessKind, int] | None:
        """The key of the account (kind, slot) that the transaction really depended on; of several the one that was
        changed most often, and None if there is none."""
        reads = self._reads(index)
        shared = [
            (self._slot_changes[key], AccessKind.SLOT, key[1])
            for key in reads.slots
            if key[0] == address and self._slot_changed(index, key)
        ]
        shared += [
            (self._account_changes[kind, address], kind, 0)
            for kind in FIELDS
            if self._depends_on_field(index, reads, kind, address)
        ]
        return max(shared)[1:] if shared else None

    @cached_property
    def _slots(self) -> dict[Slot, int]:
        """Who changed each slot first."""
        slots: dict[Slot, int] = {}
        for index in reversed(range(len(self._turns))):
            outcome = self._turns[index].outcome
            if outcome is not None:
                slots.update(dict.fromkeys(outcome.writes.slots, index))
        return slots

    @cached_property
    def _cleared(self) -> dict[Address, int]:
        """Who cleared each account first."""
        cleared: dict[Address, int] = {}
        for index, turn in enumerate(self._turns):
            for address in () if turn.outcome is None else turn.outcome.writes.cleared:
                cleared.setdefault(address, index)
        return cleared

    @cached_property
    def _accounts(self) -> dict[tuple[AccessKind, Address], int]:
        """Who changed each field of an account first."""
        changes = reversed(list(self._account_changes_in_order()))
        return {field: index for index, field in changes}

    @cached_property
    def _account_changes(self) -> Counter[tuple[AccessKind, Address]]:
        return Counter(field for _, field in self._account_changes_in_order())

    @cached_property
    def _slot_changes(self) -> Counter[Slot]:
        return Counter(key for turn in self._turns if turn.outcome is not None for key in turn.outcome.writes.slots)

    def _account_changes_in_order(self) -> Iterator[tuple[int, tuple[AccessKind, Address]]]:
        for index, turn in enumerate(self._turns):
            if turn.outcome is None:
                continue
            writes = turn.outcome.writes
            for kind, changed in (
                (AccessKind.NONCE, writes.nonces),
                (AccessKind.CODE, writes.codes),
                (AccessKind.BALANCE, writes.balances),
            ):
                for address in changed:
                    yield index, (kind, address)
            if turn.outcome.fee:
                yield index, (AccessKind.BALANCE, self._beneficiary)

    def _reads(self, index: int) -> Reads:
        """What the run that counted read. One that could not be included read its sender's account."""
        turn = self._turns[index]
        transaction, sender = turn.signed.transaction, turn.signed.sender
        assert transaction is not None
        assert sender is not None
        if turn.outcome is None:
            account = self._before(sender)
            return Reads({sender: account.nonce}, {sender: account.code_hash}, {sender: account.balance})
        if not turn.outcome.reads.nonces:
            return reads_of_transfer(transaction, sender)
        return turn.outcome.reads

    def _depends_on_field(self, index: int, reads: Reads, kind: AccessKind, address: Address) -> bool:
        """Two reads are predicates: what matters of them is whether earlier transactions made the difference."""
        match kind:
            case AccessKind.NONCE:
                return address in reads.nonces and self._changed(index, kind, address)
            case AccessKind.CODE:
                return address in reads.code_hashes and self._changed(index, kind, address)
            case AccessKind.EMPTINESS:
                return address in reads.empty and reads.empty[address] != self._before(address).is_empty
        if address in reads.balances:
            return self._changed(index, AccessKind.BALANCE, address)
        return reads.minimums.get(address, 0) > self._before(address).balance

    def _changed(self, index: int, kind: AccessKind, address: Address) -> bool:
        return self._accounts.get((kind, address), NEVER) < index

    def _slot_changed(self, index: int, key: Slot) -> bool:
        return self._slots.get(key, NEVER) < index or self._cleared.get(key[0], NEVER) < index
