"""eth_simulateV1: blocks of calls on top of a block, made by a reader worker and shown like blocks of the chain."""

from dataclasses import dataclass, replace
from typing import Any

from chain.forks import Fork
from chain.headers import Header
from chain.messages.calls import AccountOverride
from chain.messages.execution import BlockEnvironment
from chain.messages.simulation import (
    BlockToSimulate,
    CallInBlock,
    RunSimulation,
    SimulatedBlock,
    SimulatedCall,
    SimulationFailed,
)
from chain.messages.storage import StoredBlock
from chain.revert_reasons import revert_reason
from chain.transactions import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE, Transaction, TransactionType
from chain.types import ZERO_ADDRESS, ZERO_HASH, BlockNumber, Gas, Hash32, Version, Wei
from rpc.calls import GAS_CAP, REVERTED, TIME_LIMIT_MS
from rpc.errors import ClientLimitExceeded, ExecutionReverted, InvalidParams, RpcError, ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import NO_BLOCK_OVERRIDES, BlockOverrides, block_overrides, state_overrides
from rpc.params import BlockReference, BlockTag, block_reference, boolean, mapping, member, sequence
from rpc.pending_state import pending_block
from rpc.render import JsonObject, Place, block_json, data_json, found_log, log_json, transaction_json
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

MAX_BLOCKS = 256
MAX_CALLS_PER_BLOCK = 5_000
MAX_CALLS = 10_000
SECONDS_BETWEEN_BLOCKS = 12
VM_ERROR = -32_015
STRUCT = "simOpts"
BLOCK = "simBlock"
FLAGS = ("traceTransfers", "validation", "returnFullTransactions")


class BlockNumberInvalid(RpcError):
    code = -38_020


class BlockTimestampInvalid(RpcError):
    code = -38_021


class SimulationRefused(RpcError):
    """What the reader says cannot be; the code is its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class WantedBlock:
    overrides: BlockOverrides = NO_BLOCK_OVERRIDES
    state: tuple[AccountOverride, ...] = ()
    calls: tuple[TransactionArguments, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    blocks: tuple[WantedBlock, ...]
    traces_transfers: bool
    validates: bool
    full_transactions: bool


def wanted_simulation(value: Any) -> Wanted:
    """Raises InvalidValue."""
    given = mapping(value, f"ethapi.{STRUCT}")
    blocks = member(given, STRUCT, "blockStateCalls", _blocks) or ()
    flags = [bool(member(given, STRUCT, name, boolean)) for name in FLAGS]
    return Wanted(blocks, *flags)


def _blocks(value: Any) -> tuple[WantedBlock, ...]:
    return tuple(_block(item) for item in sequence(value, f"[]ethapi.{BLOCK}"))


def _block(value: Any) -> WantedBlock:
    given = mapping(value, f"ethapi.{BLOCK}")
    return WantedBlock(
        member(given, BLOCK, "blockOverrides", block_overrides) or NO_BLOCK_OVERRIDES,
        member(given, BLOCK, "stateOverrides", state_overrides) or (),
        member(given, BLOCK, "calls", _calls) or (),
    )


def _calls(value: Any) -> tuple[TransactionArguments, ...]:
    return tuple(transaction_arguments(item) for item in sequence(value, "[]ethapi.TransactionArgs"))


@method("eth_simulateV1", wanted_simulation, optional(block_reference, BlockTag.LATEST))
async def simulate(node: Node, wanted: Wanted, reference: BlockReference) -> list[JsonObject]:
    """Each block with what its calls came to."""
    check_size(wanted)
    base = await node.chain.existing_block(reference)
    pending = (pending_block(node),) if reference == BlockTag.PENDING else ()
    stored = node.chain.environment(base)
    blocks = chain_of(wanted.blocks, pending[0].environment if pending else stored)
    request = RunSimulation(
        call_id=0,
        version=base.version,
        base=base.header,
        blocks=pending + tuple(_to_simulate(node, block) for block in blocks),
        traces_transfers=wanted.traces_transfers,
        validates=wanted.validates,
        gas_cap=GAS_CAP,
        time_limit_ms=TIME_LIMIT_MS,
    )
    try:
        answer = await node.callers.simulate(request)
    except TimeoutError:
        raise ServerError(f"execution aborted (timeout = {TIME_LIMIT_MS // 1000}s)") from None
    if isinstance(answer, SimulationFailed):
        raise SimulationRefused(answer.code, answer.reason)
    pairs = list(zip(request.blocks, answer.blocks, strict=True))[len(pending) :]
    return [_shown(asked, made, wanted.full_transactions) for asked, made in pairs]


def check_size(wanted: Wanted) -> None:
    """Raises InvalidParams and ClientLimitExceeded."""
    if not wanted.blocks:
        raise InvalidParams("empty input")
    if len(wanted.blocks) > MAX_BLOCKS:
        raise ClientLimitExceeded("too many blocks")
    for block in wanted.blocks:
        if len(block.calls) > MAX_CALLS_PER_BLOCK:
            raise ClientLimitExceeded(f"too many calls in block: {len(block.calls)} > {MAX_CALLS_PER_BLOCK}")
    total = sum(len(block.calls) for block in wanted.blocks)
    if total > MAX_CALLS:
        raise ClientLimitExceeded(f"too many calls: {total} > {MAX_CALLS}")


def chain_of(blocks: tuple[WantedBlock, ...], base: BlockEnvironment) -> list[WantedBlock]:
    """The blocks with numbers and times, and empty ones where numbers are left out. Raises RpcError.

    Whom a block pays and its gas limit are those of the block before, if nothing is said.
    """
    chain: list[WantedBlock] = []
    number, timestamp = int(base.number), base.timestamp
    kept = BlockOverrides(fee_recipient=base.beneficiary, gas_limit=base.gas_limit)
    for block in blocks:
        wanted = number + 1 if block.overrides.number is None else block.overrides.number
        if wanted <= number:
            raise BlockNumberInvalid(f"block numbers must be in order: {wanted} <= {number}")
        if wanted - base.number > MAX_BLOCKS:
            raise ClientLimitExceeded("too many blocks")
        while number + 1 < wanted:
            number, timestamp = number + 1, timestamp + SECONDS_BETWEEN_BLOCKS
            chain.append(WantedBlock(replace(kept, number=number, time=timestamp)))
        at = timestamp + SECONDS_BETWEEN_BLOCKS if block.overrides.time is None else block.overrides.time
        if at <= timestamp:
            raise BlockTimestampInvalid(f"block timestamps must be in order: {at} <= {timestamp}")
        number, timestamp = wanted, at
        kept = BlockOverrides(
            fee_recipient=block.overrides.fee_recipient or kept.fee_recipient,
            gas_limit=kept.gas_limit if block.overrides.gas_limit is None else block.overrides.gas_limit,
        )
        placed = replace(block.overrides, number=number, time=timestamp)
        placed = replace(placed, fee_recipient=kept.fee_recipient, gas_limit=kept.gas_limit)
        chain.append(replace(block, overrides=placed))
    return chain


def _to_simulate(node: Node, block: WantedBlock) -> BlockToSimulate:
    overrides = block.overrides
    assert overrides.number is not None
    assert overrides.time is not None
    assert overrides.gas_limit is not None
    fork = node.genesis.forks.at(overrides.number, overrides.time)
    environment = BlockEnvironment(
        chain_id=node.chain.chain_id,
        fork=fork,
        number=BlockNumber(overrides.number),
        timestamp=overrides.time,
        beneficiary=overrides.fee_recipient or ZERO_ADDRESS,
        prev_randao=overrides.prev_randao or ZERO_HASH,
        gas_limit=overrides.gas_limit,
        base_fee=Wei(0),
        excess_blob_gas=Gas(0),
        blob_base_fee=overrides.blob_base_fee,
        signatures=node.chain.settings.signatures,
    )
    return BlockToSimulate(
        environment=environment,
        base_fee=overrides.base_fee,
        parent_beacon_root=overrides.beacon_root or ZERO_HASH,
        withdrawals=overrides.withdrawals or (),
        overrides=block.state,
        calls=tuple(_call(node.chain.chain_id, fork, call) for call in block.calls),
    )


def _call(chain_id: int, fork: Fork, wanted: TransactionArguments) -> SimulatedCall:
    """The call with geth's defaults for calls. Raises ServerError."""
    wanted.check_chain(chain_id)
    wanted.check_mixed_fees()
    message = wanted.message(wanted.gas or Gas(0), wanted.gas_price or Wei(0))
    return SimulatedCall(_type(wanted, fork), message, wanted.gas, wanted.nonce)


def _type(wanted: TransactionArguments, fork: Fork) -> TransactionType:
    if wanted.gas_price is not None or fork < Fork.BERLIN:
        return LEGACY
    if wanted.authorizations is not None:
        return SET_CODE
    if wanted.blob_hashes is not None:
        return BLOB
    return DYNAMIC_FEE if fork >= Fork.LONDON else ACCESS_LIST


def _shown(asked: BlockToSimulate, made: SimulatedBlock, full_transactions: bool) -> JsonObject:
    """As eth_getBlockBy* shows a block, and with its calls."""
    header = made.header
    block_hash = header.hash()
    pairs = list(zip(asked.calls, made.calls, strict=True))
    transactions = [call.transaction(asked.environment.chain_id, done.gas, done.nonce) for call, done in pairs]
    senders = tuple(call.message.sender for call in asked.calls)
    block = StoredBlock(
        header=header,
        hash=block_hash,
        version=Version(0),
        hashes=tuple(transaction.hash for transaction in transactions),
        transactions=tuple(transaction.raw for transaction in transactions),
        senders=senders,
        receipts=(),
        withdrawals=asked.withdrawals,
    )
    answer = block_json(block, full_transactions=False)
    places = [_place(header, block_hash, index) for index in range(len(transactions))]
    if full_transactions:
        rows = zip(transactions, senders, places, strict=True)
        answer["transactions"] = [transaction_json(*row) for row in rows]
    rows_of_calls = zip(made.calls, places, transactions, strict=True)
    return answer | {"calls": [_call_json(*row) for row in rows_of_calls]}


def _place(header: Header, block_hash: Hash32, index: int) -> Place:
    return Place(block_hash, header.number, header.timestamp, header.base_fee or Wei(0), index)


def _call_json(done: CallInBlock, place: Place, transaction: Transaction) -> JsonObject:
    logs = [found_log(log, place, transaction.hash, index) for index, log in done.logs]
    answer: JsonObject = {
        "returnData": data_json(b"" if done.error else done.output),
        "logs": [log_json(log) for log in logs],
        "gasUsed": hex(done.gas_used),
        "maxUsedGas": hex(done.peak_gas),
        "status": hex(not done.error),
    }
    if done.error == REVERTED:
        answer["error"] = ExecutionReverted(done.output, revert_reason(done.output)).as_json()
    elif done.error:
        answer["error"] = {"code": VM_ERROR, "message": done.error}
    return answer
