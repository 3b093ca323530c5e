"""eth_call and eth_estimateGas: described here, run by reader workers."""

from typing import TypeAlias

from chain.intrinsic_gas import TX_GAS
from chain.messages.calls import AccountOverride, CallMessage, CallOutcome, RunCall
from chain.messages.execution import BlockEnvironment
from chain.revert_reasons import revert_reason
from chain.types import ZERO_ADDRESS, Gas, Version, Wei
from rpc.admission import MAX_WAITED_FOR
from rpc.errors import ExecutionReverted, ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import NO_BLOCK_OVERRIDES, BlockOverrides, block_overrides, state_overrides
from rpc.params import BlockReference, BlockTag, block_reference
from rpc.pending_block import environment_to_come, environment_to_estimate_in
from rpc.pending_state import overrides_at
from rpc.render import data_json
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

GAS_CAP = Gas(50_000_000)
"""The most gas a call gets, whatever it asks for (geth's --rpc.gascap), unless a block has more."""
TIME_LIMIT_MS = 5_000
"""geth's --rpc.evmtimeout."""
FORK_TIME_LIMIT_MS = 30_000
"""On a fork a call may wait for the remote chain at each slot that was never read."""
REVERTED = "execution reverted"
OUT_OF_GAS = "out of gas"

PLENTY = Wei(2**128)

StateOverrides: TypeAlias = tuple[AccountOverride, ...]

overriding = (optional(state_overrides, ()), optional(block_overrides, NO_BLOCK_OVERRIDES))


class GasRequiredExceedsAllowance(ServerError):
    """It runs out of gas with all that it is allowed: what it asked for, or what its sender can pay."""

    def __init__(self, allowance: Gas) -> None:
        super().__init__(f"gas required exceeds allowance ({allowance})")
        self.allowance = allowance


@method("eth_call", transaction_arguments, optional(block_reference, BlockTag.LATEST), *overriding)
async def call(
    node: Node, wanted: TransactionArguments, block: BlockReference, state: StateOverrides, changes: BlockOverrides
) -> str:
    message, outcome = await run_call(node, wanted, block, state, changes)
    if outcome.console.messages:
        _show_logs(node, "eth_call", message, outcome)
    if outcome.error:
        raise failure(outcome)
    return data_json(outcome.output)


async def run_call(
    node: Node, wanted: TransactionArguments, block: BlockReference, state: StateOverrides, changes: BlockOverrides
) -> tuple[CallMessage, CallOutcome]:
    """The call as it is run, and what came of it. Raises RpcError where it cannot begin."""
    version, environment = await stage(node, block)
    if block is BlockTag.PENDING:
        state = await overrides_at(node, block, state)
    environment = changes.applied(environment)
    message = call_message(node, wanted, environment)
    return message, await _run(node, version, environment, message, state, estimate=False)


@method("eth_estimateGas", transaction_arguments, optional(block_reference, None), *overriding)
async def estimate(
    node: Node,
    wanted: TransactionArguments,
    block: BlockReference | None,
    state: StateOverrides,
    changes: BlockOverrides,
) -> str:
    return hex(await estimate_gas(node, wanted, block, state, changes))


async def estimate_gas(
    node: Node,
    wanted: TransactionArguments,
    block: BlockReference | None = None,
    state: StateOverrides = (),
    changes: BlockOverrides = NO_BLOCK_OVERRIDES,
) -> Gas:
    """The least gas limit with which the transaction succeeds, in the next block if none is named.

    Raises RpcError when none does.
    """
    on = _block_to_build_on(node) if block is None else block
    version, environment = await stage(node, on)
    if block is None:
        environment = environment_to_estimate_in(node)
    state = await overrides_at(node, on, state)
    environment = changes.applied(environment)
    if wanted.gas is not None and wanted.gas < TX_GAS:
        wanted = wanted._replace(gas=None)  # nothing can run with so little: geth takes it for not given
    message = call_message(node, wanted, environment)
    if wanted.sender is None and (message.value or message.max_fee):
        state = _endowed(state)
    allowance = await _affordable_gas(node, version, message, state)
    outcome = await _run(node, version, environment, _with_gas(message, allowance), state, estimate=True)
    if outcome.console.messages:
        _show_logs(node, "eth_estimateGas", message, outcome)
    if outcome.error == OUT_OF_GAS:
        raise GasRequiredExceedsAllowance(allowance)
    if outcome.error:
        raise failure(outcome)
    return outcome.gas


def _block_to_build_on(node: Node) -> BlockTag:
    """While transactions wait for a block that is not made at once, the next one may need what they do (as with anvil
    and hardhat). The block of a large pool is not run for every estimate."""
    waits = not node.chain.settings.automine and len(node.admission.pool) <= MAX_WAITED_FOR
    return BlockTag.PENDING if waits else BlockTag.LATEST


def _endowed(state: StateOverrides) -> StateOverrides:
    """The zero address, which sends where no sender is named, has what it gives: on mainnet it is rich."""
    if any(override.address == ZERO_ADDRESS for override in state):
        return state
    return (*state, AccountOverride(ZERO_ADDRESS, balance=PLENTY))


async def stage(node: Node, reference: BlockReference) -> tuple[Version, BlockEnvironment]:
    """The state and the environment a call at that block sees. Raises HeaderNotFound."""
    block = node.chain.head if reference is BlockTag.LATEST else await node.chain.existing_block(reference)
    if reference == BlockTag.PENDING:
        return block.version, environment_to_come(node)
    return block.version, node.chain.environment(block)


def call_message(node: Node, wanted: TransactionArguments, environment: BlockEnvironment) -> CallMessage:
    """The call with geth's defaults filled in: no fee, from nobody, with all the gas there is.

    To a tip alone belongs the fee cap that a transaction to send would get.
    """
    wanted.check_chain(node.chain.chain_id)
    wanted.check_fees()
    wanted.check_not_empty()
    tip = wanted.max_priority_fee or Wei(0)
    fee = wanted.gas_price or Wei(2 * environment.base_fee + tip if tip else 0)
    most_gas = max(GAS_CAP, node.chain.head.header.gas_limit)  # of a real block: one that is pretended may have any
    gas = Gas(min(environment.gas_limit if wanted.gas is None else wanted.gas, most_gas))
    return wanted.message(gas, fee)


async def _affordable_gas(node: Node, version: Version, message: CallMessage, state: StateOverrides) -> Gas:
    """How much gas the sender can pay for, at most what the call has. A call without a fee can have it all."""
    if message.max_fee == 0:
        return message.gas
    pretended = next((o.balance for o in state if o.address == message.sender), None)
    balance = (await node.chain.state.account(version, message.sender)).balance if pretended is None else pretended
    if message.value > balance:
        raise ServerError("insufficient funds for transfer")
    return Gas(min(message.gas, (balance - message.value) // message.max_fee))


def _with_gas(message: CallMessage, gas: Gas) -> CallMessage:
    return message if gas == message.gas else message._replace(gas=gas)


async def _run(
    node: Node,
    version: Version,
    environment: BlockEnvironment,
    message: CallMessage,
    state: StateOverrides,
    estimate: bool,
) -> CallOutcome:
    limit_ms = TIME_LIMIT_MS if node.remote is None else FORK_TIME_LIMIT_MS
    request = RunCall(0, version, environment, message, estimate, limit_ms, state)
    key = node.kept_calls.key(request)
    kept = None if key is None else node.kept_calls.outcome(key)
    if kept is not None:
        return kept
    try:
        outcome = await node.callers.call(request)
    except TimeoutError:
        raise ServerError(f"execution aborted (timeout = {limit_ms // 1000}s)") from None
    if key is not None:
        node.kept_calls.keep(key, outcome)
    return outcome


def _show_logs(node: Node, name: str, message: CallMessage, outcome: CallOutcome) -> None:
    if node.chain.settings.logs:
        node.console.call_logged(name, message, outcome.console)


def failure(outcome: CallOutcome) -> ExecutionReverted | ServerError:
    """The error that tells of a call that did not succeed."""
    if outcome.error == REVERTED:
        return ExecutionReverted(outcome.output, revert_reason(outcome.output))
    return ServerError(outcome.error)
