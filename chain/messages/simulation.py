"""eth_simulateV1: rpc asks a reader worker to make blocks of calls that nobody sent."""

from dataclasses import dataclass

from chain.accounts import AccountChange
from chain.blocks import Withdrawal
from chain.codec import message
from chain.headers import Header
from chain.messages.calls import AccountOverride, CallMessage, message_of
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.transactions import Transaction, TransactionType, decode_transaction, unsigned
from chain.types import Address, Gas, Hash32, Version, Wei


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """A call in the shape of a transaction. Without `gas` it has what is left of the block, without `nonce` the next
    one of its sender. `raw` is not empty if somebody signed it: then it stands in the block as it is."""

    type: TransactionType
    message: CallMessage
    gas: Gas | None
    nonce: int | None
    raw: bytes = b""

    def transaction(self, chain_id: int, gas: Gas, nonce: int) -> Transaction:
        """As it stands in the block, without a signature unless it has one."""
        if self.raw:
            return decode_transaction(self.raw)
        return unsigned(self.message.as_transaction(self.type, chain_id, nonce, gas))


def signed_call(transaction: Transaction, sender: Address) -> SimulatedCall:
    """A transaction as it is in a block."""
    message = message_of(transaction, sender)
    return SimulatedCall(transaction.type, message, transaction.gas, transaction.nonce, transaction.raw)


@dataclass(frozen=True, slots=True)
class BlockToSimulate:
    """`base_fee` None is what follows from the parent, or nothing if the simulation does not validate.

    With `leaves_out` a call that cannot be is left out, and only the block limits its gas; otherwise it ends the
    simulation.

    Of `environment` base fee and excess blob gas are left to the reader, which knows the block before.
    """

    environment: BlockEnvironment
    base_fee: Wei | None
    parent_beacon_root: Hash32
    withdrawals: tuple[Withdrawal, ...]
    overrides: tuple[AccountOverride, ...]
    calls: tuple[SimulatedCall, ...]
    extra_data: bytes = b""
    leaves_out: bool = False


@message(115)
@dataclass(frozen=True, slots=True)
class RunSimulation:
    """rpc → reader: make these blocks on the state at `version`, after the block of `base`.

    Answer: Simulated, SimulationFailed. `validates` has the checks of transactions made, but for signatures and who may
    send; `traces_transfers` tells of value that moves as if it were a log. All together may use `gas_cap`. With
    `tells_changes` the answer says how they change the state, and their headers have no roots of it.
    """

    call_id: int
    version: Version
    base: Header
    blocks: tuple[BlockToSimulate, ...]
    traces_transfers: bool
    validates: bool
    gas_cap: Gas
    time_limit_ms: int
    tells_changes: bool = False


@dataclass(frozen=True, slots=True)
class CallInBlock:
    """What one call came to. `error` is empty on success; `peak_gas` is what was used before refunds. `nonce` and `gas`
    are those of its transaction. `logs` have their places in the block, among those that were undone as well."""

    nonce: int
    gas: Gas
    output: bytes
    error: str
    gas_used: Gas
    peak_gas: Gas
    logs: tuple[tuple[int, Log], ...]


@dataclass(frozen=True, slots=True)
class SimulatedBlock:
    """`left_out` are the positions of calls that are not in it."""

    header: Header
    calls: tuple[CallInBlock, ...]
    left_out: tuple[int, ...] = ()


@message(116)
@dataclass(frozen=True, slots=True)
class Simulated:
    call_id: int
    blocks: tuple[SimulatedBlock, ...]
    changes: tuple[AccountChange, ...] = ()


@message(117)
@dataclass(frozen=True, slots=True)
class SimulationFailed:
    """Why there is no result, with the code that JSON-RPC has for it."""

    call_id: int
    code: int
    reason: str


@message(119)
@dataclass(frozen=True, slots=True)
class WorkOutRoot:
    """reader → storage: the state root that `version` would have with these changes. Answer: StateRoot."""

    version: Version
    changes: tuple[AccountChange, ...]


@message(118)
@dataclass(frozen=True, slots=True)
class StateRoot:
    root: Hash32
