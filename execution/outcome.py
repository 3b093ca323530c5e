"""What one run of one transaction read, wrote and gave: the value that engine, strategies and workers share.

Reads are kept by field, with the value seen, so that a speculative run can be validated by value. Balances are read
in three ways: exactly (BALANCE and the like), as at least some amount (a sender that could pay), or not at all (a
credit). They are written as differences only, so that two credits to one account never conflict.
"""

from dataclasses import dataclass, field
from typing import Protocol

from chain.accounts import Account
from chain.console_log import NO_CONSOLE_LOGS, ConsoleLogs
from chain.receipts import Log, Receipt
from chain.transactions import TransactionType
from chain.types import Address, BlockNumber, Gas, Hash32, Wei

Slot = tuple[Address, int]

MAX_BALANCE = Wei(2**256 - 1)
"""What is paid on top of it is lost. Nobody gets so much but from an operator, or where a call pretends it."""


class StateView(Protocol):
    """The state a transaction runs on. Every method may block on storage."""

    def account(self, address: Address) -> Account:
        """The account; the empty one if it does not exist."""
        ...

    def slot(self, address: Address, number: int) -> int: ...

    def code(self, code_hash: Hash32) -> bytes: ...

    def block_hash(self, number: BlockNumber) -> Hash32:
        """The hash of an earlier block. Raises ParentHashPending while the parent's root is still computed."""
        ...


class ParentHashPending(Exception):
    """A transaction asked for its parent block's hash before that was known; it runs again when it is."""


@dataclass(slots=True)
class Reads:
    """What a run depended on, each with the value it saw on the view it ran on.

    `minimums` maps an account to the least balance (before the run) with which every check that passed would pass;
    `empty` maps an account to whether it was empty as EIP-161 has it.
    """

    nonces: dict[Address, int] = field(default_factory=dict)
    code_hashes: dict[Address, Hash32] = field(default_factory=dict)
    balances: dict[Address, Wei] = field(default_factory=dict)
    minimums: dict[Address, Wei] = field(default_factory=dict)
    empty: dict[Address, bool] = field(default_factory=dict)
    slots: dict[Slot, int] = field(default_factory=dict)


@dataclass(slots=True)
class Writes:
    """What a run changes. `balances` are signed differences in wei. `cleared` accounts lose their storage first.

    `touched` accounts are there afterwards even if they are empty, as the rules before EIP-161 had it.
    """

    nonces: dict[Address, int] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)
    codes: dict[Address, bytes] = field(default_factory=dict)
    slots: dict[Slot, int] = field(default_factory=dict)
    cleared: tuple[Address, ...] = ()
    touched: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a transaction that can be included. `fee` goes to the beneficiary after validation, in wei.

    `error` names the failure of a transaction that did not succeed; `output` is the return or revert data.
    `console` is what it logged for its developer, which nothing depends on.
    """

    succeeded: bool
    gas_used: Gas
    gas_price: Wei
    fee: Wei
    logs: tuple[Log, ...]
    output: bytes
    error: str
    contract: Address | None
    reads: Reads
    writes: Writes
    console: ConsoleLogs = NO_CONSOLE_LOGS

    def receipt(self, type: TransactionType, cumulative_gas: Gas, state_root: Hash32 | None = None) -> Receipt:
        """Of a transaction of this type, in a block that has used so much gas up to and including it."""
        return Receipt(
            type=type,
            succeeded=self.succeeded,
            gas_used=self.gas_used,
            cumulative_gas=cumulative_gas,
            logs=self.logs,
            gas_price=self.gas_price,
            contract=self.contract,
            state_root=state_root,
        )
