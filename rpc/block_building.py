"""testing_buildBlockV1: the block that given transactions would make on a given parent, as the engine API shows one.

It is simulated, not kept. Its gas limit moves from the parent's towards geth's default, as geth's builder has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chain.blocks import Withdrawal
from chain.errors import DecodeError
from chain.headers import EMPTY_REQUESTS_HASH, Header
from chain.messages.execution import BlockEnvironment
from chain.messages.simulation import (
    BlockToSimulate,
    RunSimulation,
    SimulatedBlock,
    SimulationFailed,
    signed_call,
)
from chain.transactions import Transaction, decode_transaction
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei
from rpc.calls import TIME_LIMIT_MS
from rpc.errors import InvalidParams, ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import withdrawals
from rpc.params import address, data, hash32, mapping, member, sequence, uint64
from rpc.render import JsonObject, address_json, data_json
from rpc.simulation import SimulationRefused
from rpc.txpool import pending_transactions

STRUCT = "PayloadAttributes"
GAS_CEILING = 60_000_000
"""geth's miner.DefaultConfig.GasCeil."""
GAS_LIMIT_BOUND_DIVISOR = 1024
GAS_CAP = Gas(2**63 - 1)
"""A block has its own limit."""


@dataclass(frozen=True, slots=True)
class Attributes:
    timestamp: int
    prev_randao: Hash32
    fee_recipient: Address
    withdrawals: tuple[Withdrawal, ...]
    beacon_root: Hash32


def attributes(value: Any) -> Attributes:
    """Raises InvalidValue."""
    given = mapping(value, f"engine.{STRUCT}")
    return Attributes(
        timestamp=member(given, STRUCT, "timestamp", uint64) or 0,
        prev_randao=member(given, STRUCT, "prevRandao", hash32) or ZERO_HASH,
        fee_recipient=member(given, STRUCT, "suggestedFeeRecipient", address) or ZERO_ADDRESS,
        withdrawals=member(given, STRUCT, "withdrawals", withdrawals) or (),
        beacon_root=member(given, STRUCT, "parentBeaconBlockRoot", hash32) or ZERO_HASH,
    )


def raw_transactions(value: Any) -> list[bytes]:
    return [data(item) for item in sequence(value, "[]hexutil.Bytes")]


@method("testing_buildBlockV1", hash32, attributes, optional(raw_transactions), optional(data, b""))
async def build_block(
    node: Node, parent_hash: Hash32, wanted: Attributes, given: list[bytes] | None, extra_data: bytes
) -> JsonObject:
    """Without a list of transactions those of the pool are taken that can be."""
    parent = await node.chain.block(parent_hash)
    if parent is None:
        raise InvalidParams(f"unknown parent block {data_json(parent_hash)}")
    signed = _pooled(node) if given is None else [_signed(raw) for raw in given]
    block = replace(_to_build(node, parent.header, wanted, signed, extra_data), leaves_out=given is None)
    request = RunSimulation(
        call_id=0,
        version=parent.version,
        base=parent.header,
        blocks=(block,),
        traces_transfers=False,
        validates=True,
        gas_cap=GAS_CAP,
        time_limit_ms=TIME_LIMIT_MS,
    )
    try:
        answer = await node.callers.simulate(request)
    except TimeoutError:
        raise ServerError(f"the block could not be built within {TIME_LIMIT_MS // 1000} s") from None
    if isinstance(answer, SimulationFailed):
        raise SimulationRefused(answer.code, answer.reason)
    made = answer.blocks[0]
    included = [transaction for i, (transaction, _) in enumerate(signed) if i not in made.left_out]
    return _envelope(made, wanted, included)


def _pooled(node: Node) -> list[tuple[Transaction, Address]]:
    """Those of the pool, without blob transactions: their blobs are not kept."""
    pooled = ((decode_transaction(each.raw), each.sender) for each in pending_transactions(node))
    return [(transaction, sender) for transaction, sender in pooled if not transaction.blob_hashes]


def _signed(raw: bytes) -> tuple[Transaction, Address]:
    """Raises InvalidParams; of blob transactions because the bundle would need their blobs."""
    try:
        transaction = decode_transaction(raw)
        sender = transaction.sender()
    except DecodeError as error:
        raise InvalidParams(f"invalid transaction: {error}") from None
    if transaction.blob_hashes:
        raise InvalidParams("blocks with blob transactions are not built: their blobs are not kept")
    return transaction, sender


def _to_build(
    node: Node,
    parent: Header,
    wanted: Attributes,
    signed: Sequence[tuple[Transaction, Address]],
    extra_data: bytes,
) -> BlockToSimulate:
    if wanted.timestamp <= parent.timestamp:
        raise InvalidParams(f"invalid timestamp: {wanted.timestamp} is not above the parent's {parent.timestamp}")
    genesis, number = node.genesis, BlockNumber(parent.number + 1)
    environment = BlockEnvironment(
        chain_id=node.chain.chain_id,
        fork=genesis.forks.at(number, wanted.timestamp),
        number=number,
        timestamp=wanted.timestamp,
        beneficiary=wanted.fee_recipient,
        prev_randao=wanted.prev_randao,
        gas_limit=_gas_limit(parent.gas_limit),
        base_fee=Wei(0),
        excess_blob_gas=Gas(0),
    )
    calls = tuple(signed_call(transaction, sender) for transaction, sender in signed)
    return BlockToSimulate(environment, None, wanted.beacon_root, wanted.withdrawals, (), calls, extra_data)


def _gas_limit(parent: Gas) -> Gas:
    step = parent // GAS_LIMIT_BOUND_DIVISOR - 1
    return Gas(min(parent + step, GAS_CEILING) if parent < GAS_CEILING else max(parent - step, GAS_CEILING))


def _envelope(made: SimulatedBlock, wanted: Attributes, transactions: Sequence[Transaction]) -> JsonObject:
    header = made.header
    if header.requests_hash not in (None, EMPTY_REQUESTS_HASH):
        raise ServerError("blocks with execution requests are not built")
    base_fee = header.base_fee or Wei(0)
    tips = [transaction.effective_gas_price(base_fee) - base_fee for transaction in transactions]
    return {
        "executionPayload": _payload(header, wanted, transactions),
        "blockValue": hex(sum(tip * call.gas_used for tip, call in zip(tips, made.calls, strict=True))),
        "blobsBundle": {"commitments": [], "proofs": [], "blobs": []},
        "executionRequests": [],
        "shouldOverrideBuilder": False,
    }


def _payload(header: Header, wanted: Attributes, transactions: Sequence[Transaction]) -> JsonObject:
    return {
        "parentHash": data_json(header.parent_hash),
        "feeRecipient": address_json(header.beneficiary),
        "stateRoot": data_json(header.state_root),
        "receiptsRoot": data_json(header.receipts_root),
        "logsBloom": data_json(header.logs_bloom),
        "prevRandao": data_json(header.prev_randao),
        "blockNumber": hex(header.number),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "extraData": data_json(header.extra_data),
        "baseFeePerGas": hex(header.base_fee or 0),
        "blockHash": data_json(header.hash()),
        "transactions": [data_json(transaction.raw) for transaction in transactions],
        "withdrawals": [
            {
                "index": hex(each.index),
                "validatorIndex": hex(each.validator),
                "address": address_json(each.address),
                "amount": hex(each.amount_gwei),
            }
            for each in wanted.withdrawals
        ],
        "blobGasUsed": hex(header.blob_gas_used or 0),
        "excessBlobGas": hex(header.excess_blob_gas or 0),
    }
