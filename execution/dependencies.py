"""Which conflicts and waits of a block were real: its transactions' runs that counted, looked at together.

Worked out after the block, and only for blocks where something failed or waited.
"""

from collections.abc import Callable, Sequence

from chain.accounts import Account
from chain.records import AccessKind, Dependency
from chain.types import Address
from execution.block_run import Turn
from execution.outcome import Reads, Slot
from execution.transfers import reads_of_transfer

NEVER = 1 << 62
FIELDS = (AccessKind.NONCE, AccessKind.CODE, AccessKind.BALANCE, AccessKind.EMPTINESS)


class Dependencies:
    """Who changed each key first. `before` gives an account as the block found it; it may raise Missing."""

    def __init__(self, turns: Sequence[Turn], beneficiary: Address, before: Callable[[Address], Account]) -> None:
        self._turns = turns
        self._before = before
        self._accounts: dict[tuple[AccessKind, Address], int] = {}
        self._slots: dict[Slot, int] = {}
        self._cleared: dict[Address, int] = {}
        for index, turn in enumerate(turns):
            if turn.outcome is not None:
                self._note(index, turn, beneficiary)

    def of(self, index: int, kind: AccessKind, address: Address, slot: int) -> Dependency:
        """Whether the transaction really depended on this key, or on any of the account's where `kind` is ACCOUNT."""
        reads = self._reads(index)
        if kind == AccessKind.ACCOUNT:
            real = self._depends_on_account(index, reads, address)
        elif kind == AccessKind.SLOT:
            real = (address, slot) in reads.slots and self._slot_changed(index, (address, slot))
        else:
            real = self._depends_on_field(index, reads, kind, address)
        return Dependency.REAL if real else Dependency.ARTEFACT

    def _note(self, index: int, turn: Turn, beneficiary: Address) -> None:
        assert turn.outcome is not None
        writes = turn.outcome.writes
        for address in writes.nonces:
            self._accounts.setdefault((AccessKind.NONCE, address), index)
        for address in writes.codes:
            self._accounts.setdefault((AccessKind.CODE, address), index)
        for address in writes.balances:
            self._accounts.setdefault((AccessKind.BALANCE, address), index)
        if turn.outcome.fee:
            self._accounts.setdefault((AccessKind.BALANCE, beneficiary), index)
        for key in writes.slots:
            self._slots.setdefault(key, index)
        for address in writes.cleared:
            self._cleared.setdefault(address, index)

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

    def _depends_on_account(self, index: int, reads: Reads, address: Address) -> bool:
        return any(self._depends_on_field(index, reads, kind, address) for kind in FIELDS) or any(
            self._slot_changed(index, key) for key in reads.slots if key[0] == address
        )

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
        return min(self._slots.get(key, NEVER), self._cleared.get(key[0], NEVER)) < index
