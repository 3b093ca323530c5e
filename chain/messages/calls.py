"""eth_call and eth_estimateGas: rpc asks a reader worker."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from chain.codec import message
from chain.console_log import NO_CONSOLE_LOGS, ConsoleLogs
from chain.messages.execution import BlockEnvironment
from chain.transactions import (
    BLOB,
    DYNAMIC_FEE,
    SET_CODE,
    AccessListEntry,
    Authorization,
    Transaction,
    TransactionType,
)
from chain.types import Address, Gas, Hash32, Version, Wei


class CallMessage(NamedTuple):
    """An unsigned message to run. Fees of zero make gas free, as eth_call has it without a gas price."""

    sender: Address
    to: Address | None
    gas: Gas
    max_fee: Wei
    max_priority_fee: Wei
    value: Wei
    data: bytes
    access_list: tuple[AccessListEntry, ...]
    authorizations: tuple[Authorization, ...]
    max_blob_fee: Wei = Wei(0)
    blob_hashes: tuple[Hash32, ...] = ()

    @property
    def type(self) -> TransactionType:
        """That of a transaction that could say all of it."""
        if self.authorizations:
            return SET_CODE
        return BLOB if self.blob_hashes else DYNAMIC_FEE

    @property
    def chain_id(self) -> None:
        """It is for whichever chain it is run on."""

    def effective_gas_price(self, base_fee: Wei) -> Wei:
        """What a unit of gas costs the sender in a block with this base fee (EIP-1559)."""
        return Wei(min(self.max_fee, base_fee + self.max_priority_fee))

    def as_transaction(self, kind: TransactionType, chain_id: int | None, nonce: int, gas: Gas) -> Transaction:
        """The message in the shape of a transaction that nobody has signed."""
        return Transaction(
            type=kind,
            chain_id=chain_id,
            nonce=nonce,
            max_fee=self.max_fee,
            max_priority_fee=self.max_priority_fee,
            gas=gas,
            to=self.to,
            value=self.value,
            data=self.data,
            access_list=self.access_list,
            authorizations=self.authorizations,
            max_blob_fee=self.max_blob_fee,
            blob_hashes=self.blob_hashes,
        )


Runnable: TypeAlias = Transaction | CallMessage
"""What the executor runs. To make a transaction of each call takes a tenth of a small one."""


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """What a call pretends of one account; None for what it leaves as it is.

    `slots` take the place of all storage if `replaces_storage`, else of these slots only. `precompile_moves_to` is
    where the precompile at this address answers instead.
    """

    address: Address
    nonce: int | None = None
    balance: Wei | None = None
    code: bytes | None = None
    slots: dict[int, int] = field(default_factory=dict)
    replaces_storage: bool = False
    precompile_moves_to: Address | None = None


def message_of(transaction: Transaction, sender: Address) -> CallMessage:
    """What a signed transaction calls for."""
    return CallMessage(
        sender=sender,
        to=transaction.to,
        gas=transaction.gas,
        max_fee=transaction.max_fee,
        max_priority_fee=transaction.max_priority_fee,
        value=transaction.value,
        data=transaction.data,
        access_list=transaction.access_list,
        authorizations=transaction.authorizations,
        max_blob_fee=transaction.max_blob_fee,
        blob_hashes=transaction.blob_hashes,
    )


@message(100)
class RunCall(NamedTuple):
    """rpc → reader: run `call` on the state at `version`, in `environment`. Answer: CallOutcomes with one.

    With `estimate` the least gas limit that succeeds is searched for, up to `call.gas`. `overrides` change the state
    first.
    """

    call_id: int
    version: Version
    environment: BlockEnvironment
    call: CallMessage
    estimate: bool
    time_limit_ms: int
    overrides: tuple[AccountOverride, ...] = ()


@message(104)
@dataclass(frozen=True, slots=True)
class RunCalls:
    """rpc → reader: run these calls, one after the other, each on the state at `version`. Answer: CallOutcomes.

    `time_limit_ms` is for all together. It is short: whoever asked for the last must not wait long for the others.
    """

    call_id: int
    version: Version
    environment: BlockEnvironment
    calls: tuple[CallMessage, ...]
    time_limit_ms: int


class CallOutcome(NamedTuple):
    """`error` is empty on success, "execution reverted" with the revert data in `output`, or geth's words for another
    failure ("out of gas", "invalid opcode: ...", "insufficient funds ..."). `gas` is what was used; of an estimate the
    least gas limit that succeeds. `console` is what a call logged, and an estimate that fails, which nobody will send.
    """

    output: bytes
    error: str
    gas: Gas
    console: ConsoleLogs = NO_CONSOLE_LOGS


@message(101)
@dataclass(frozen=True, slots=True)
class CallOutcomes:
    """Of the first calls, as many as ended in time. The others left nothing behind and can be run again.

    `took_us` is how long the reader was at all of them.
    """

    call_id: int
    outcomes: tuple[CallOutcome, ...]
    took_us: int
