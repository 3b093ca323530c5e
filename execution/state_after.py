"""The state that a run of a block case leaves: what it wrote, over what was there before."""

from dataclasses import dataclass, field

from chain.accounts import THERE_WITHOUT_CODE, Account
from chain.block_case import BlockCase
from chain.keccak import EMPTY_HASH, keccak256
from chain.types import Address, BlockNumber, Hash32
from execution.case_run import CaseRun
from execution.outcome import Slot

PlainAccount = tuple[int, int, Hash32]
"""Nonce, balance and code hash."""


@dataclass(frozen=True, slots=True)
class StateAfter:
    """The accounts and slots of a case that were written; `cleared` accounts lost all slots that are not given."""

    case: BlockCase
    accounts: dict[Address, PlainAccount]
    slots: dict[Slot, int]
    cleared: frozenset[Address] = field(default_factory=frozenset)

    def account(self, address: Address) -> PlainAccount:
        written = self.accounts.get(address)
        if written is not None:
            return written
        before = self.case.accounts.get(address)
        return (0, 0, EMPTY_HASH) if before is None else (before.nonce, before.balance, keccak256(before.code))

    def slot(self, key: Slot) -> int:
        written = self.slots.get(key)
        if written is not None:
            return written
        before = self.case.accounts.get(key[0])
        return 0 if before is None or key[0] in self.cleared else before.slots.get(key[1], 0)


def state_after(case: BlockCase, run: CaseRun) -> StateAfter:
    """What the run changed, and the parent's hash in its slot, which a chain's storage writes (EIP-2935)."""
    slots = {(change.address, slot): value for change in run.changes for slot, value in change.slots.items()}
    if run.block.parent_hash_slot is not None:
        parent = case.block_hashes.get(BlockNumber(case.environment.number - 1), b"")
        slots[run.block.parent_hash_slot] = int.from_bytes(parent, "big")
    return StateAfter(
        case,
        {change.address: _plain(change.account) for change in run.changes},
        slots,
        frozenset(change.address for change in run.changes if change.clears_storage),
    )


def _plain(account: Account) -> PlainAccount:
    code_hash = EMPTY_HASH if account.code_hash == THERE_WITHOUT_CODE else account.code_hash
    return (account.nonce, account.balance, code_hash)
