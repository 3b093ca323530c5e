"""eth_call and eth_estimateGas: rpc asks a reader worker."""

from dataclasses import dataclass

from chain.codec import message
from chain.messages.execution import BlockEnvironment
from chain.transactions import AccessListEntry, Authorization
from chain.types import Address, Gas, Version, Wei


@dataclass(frozen=True, slots=True)
class CallMessage:
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


@message(100)
@dataclass(frozen=True, slots=True)
class RunCall:
    """rpc → reader: run `call` on the state at `version`, in `environment`. Answer: CallOutcome.

    With `estimate` the least gas limit that succeeds is searched for, up to `call.gas`.
    """

    call_id: int
    version: Version
    environment: BlockEnvironment
    call: CallMessage
    estimate: bool
    time_limit_ms: int


@message(101)
@dataclass(frozen=True, slots=True)
class CallOutcome:
    """`error` is empty on success, "execution reverted" with the revert data in `output`, or geth's words for another
    failure ("out of gas", "invalid opcode: ...", "insufficient funds ..."). `gas` is what was used, or the estimate.
    """

    call_id: int
    output: bytes
    error: str
    gas: Gas
