"""eth_callBundle, as relays, Reth and anvil have it: signed transactions that are not sent, one after the other in a
block of their own, and what they would bring whoever makes that block."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from chain.addresses import checksummed
from chain.block_case import CaseTransaction
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.messages.traces import REFUSED, TraceRuns
from chain.transactions import Transaction
from chain.types import Address, BlockNumber, Gas, Wei
from rpc.debug_traces import existing_block, in_turn, request_for
from rpc.environments import pending_fork
from rpc.errors import InvalidParams, LimitExceeded, ServerError
from rpc.methods import Node, method
from rpc.overrides import BlockOverrides
from rpc.params import BlockTag, address, block_number, data, decimal_or_hex, mapping, member, sequence
from rpc.render import JsonObject, data_json
from rpc.trace_options import MAX_LIMIT_MS, TraceOptions
from rpc.transaction_rules import Rules, check, decode

STRUCT = "CallBundleArgs"
MAX_TRANSACTIONS = 256
SECONDS_BETWEEN_BLOCKS = 12
DEFAULT_LIMIT_MS = 5_000
RUNS = TraceOptions(
    "muxTracer", orjson.dumps({"callTracer": {"onlyTopCall": True}, "prestateTracer": {"diffMode": True}})
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """`time` is a block's time after that of `base` if nothing is said; `limit_ms` is for all transactions."""

    transactions: tuple[bytes, ...]
    base: BlockTag | BlockNumber
    block: BlockOverrides
    limit_ms: int


class Signed(NamedTuple):
    transaction: Transaction
    sender: Address


class Brought(NamedTuple):
    """What a transaction brought the block's beneficiary, in wei. It may also have taken something."""

    fees: int
    difference: int


def bundle(value: Any) -> Bundle:
    """Raises InvalidValue, InvalidParams and LimitExceeded."""
    given = mapping(value, STRUCT)
    number = member(given, STRUCT, "blockNumber", decimal_or_hex) or 0
    transactions = member(given, STRUCT, "txs", _transactions) or ()
    if not transactions:
        raise InvalidParams("bundle missing txs")
    if not number:
        raise InvalidParams("bundle missing blockNumber")
    base = member(given, STRUCT, "stateBlockNumber", block_number)
    if base is BlockTag.PENDING:
        raise InvalidParams("stateBlockNumber names a block that there is: pending is none")
    member(given, STRUCT, "difficulty", decimal_or_hex)  # there is none since the merge
    block = BlockOverrides(
        number=number,
        time=member(given, STRUCT, "timestamp", decimal_or_hex),
        gas_limit=member(given, STRUCT, "gasLimit", _gas),
        fee_recipient=member(given, STRUCT, "coinbase", address),
        base_fee=member(given, STRUCT, "baseFee", _wei),
    )
    timeout = member(given, STRUCT, "timeout", decimal_or_hex) or DEFAULT_LIMIT_MS
    return Bundle(transactions, BlockTag.LATEST if base is None else base, block, min(timeout, MAX_LIMIT_MS))


def _gas(value: Any) -> Gas:
    return Gas(decimal_or_hex(value))


def _wei(value: Any) -> Wei:
    return Wei(decimal_or_hex(value))


def _transactions(value: Any) -> tuple[bytes, ...]:
    given = sequence(value, "[]hexutil.Bytes")
    if len(given) > MAX_TRANSACTIONS:
        raise LimitExceeded(f"more than {MAX_TRANSACTIONS} transactions")
    return tuple(map(data, given))


@method("eth_callBundle", bundle)
async def call_bundle(node: Node, wanted: Bundle) -> JsonObject:
    """What each transaction returned and paid. One that cannot be included fails them all."""
    base = await existing_block(node, wanted.base)
    request = await request_for(node, base, None, 0, RUNS)
    time = request.environment.timestamp + SECONDS_BETWEEN_BLOCKS if wanted.block.time is None else wanted.block.time
    environment = replace(wanted.block, time=time).applied(request.environment)
    rules = Rules(node.chain.chain_id, pending_fork(base.header, node.genesis))
    signed = [_signed(raw, rules, environment) for raw in wanted.transactions]
    told = await _told(node, replace(request, environment=environment, time_limit_ms=wanted.limit_ms), signed)
    rows = [_row(one, found, environment) for one, found in zip(signed, told, strict=True)]
    gas_used = sum(result["gasUsed"] for result, _ in rows)
    brought = Brought(sum(each.fees for _, each in rows), sum(each.difference for _, each in rows))
    return _sums(brought) | {
        "bundleGasPrice": str(max(brought.difference, 0) // gas_used),
        "bundleHash": data_json(keccak256(b"".join(one.transaction.hash for one in signed))),
        "results": [result for result, _ in rows],
        "stateBlockNumber": base.header.number,
        "totalGasUsed": gas_used,
    }


def _signed(raw: bytes, rules: Rules, environment: BlockEnvironment) -> Signed:
    """Raises the TransactionRejected that it would be refused with if it were sent."""
    transaction = decode(raw)
    return Signed(transaction, check(transaction, rules, environment.gas_limit))


async def _told(node: Node, request: TraceRuns, signed: Sequence[Signed]) -> list[JsonObject]:
    transactions = tuple(CaseTransaction(one.transaction.raw, one.sender) for one in signed)
    try:
        return [orjson.loads(each) for each in await in_turn(node, replace(request, transactions=transactions))]
    except ServerError as error:
        raise ServerError(error.message.removeprefix(REFUSED)) from None


def _row(signed: Signed, told: JsonObject, environment: BlockEnvironment) -> tuple[JsonObject, Brought]:
    transaction, call = signed.transaction, told["callTracer"]
    gas_used = int(call["gasUsed"], 16)
    tip = transaction.effective_gas_price(environment.base_fee) - environment.base_fee
    brought = Brought(gas_used * tip, _difference(told["prestateTracer"], environment.beneficiary))
    returned = {"revert" if "error" in call else "value": call.get("output", "0x")}
    return (
        {
            **_sums(brought),
            "fromAddress": checksummed(signed.sender),
            "gasPrice": str(tip),
            "gasUsed": gas_used,
            "toAddress": None if transaction.to is None else checksummed(transaction.to),
            "txHash": data_json(transaction.hash),
            **returned,
        },
        brought,
    )


def _difference(changed: JsonObject, beneficiary: Address) -> int:
    """How much more wei the account has; nothing stands there of what did not change."""
    before, after = (changed[part].get(data_json(beneficiary), {}).get("balance") for part in ("pre", "post"))
    return 0 if after is None else int(after, 16) - int(before or "0x0", 16)


def _sums(brought: Brought) -> JsonObject:
    """In decimal, as relays write wei. What was taken counts as nothing, as in Reth."""
    return {
        "coinbaseDiff": str(max(brought.difference, 0)),
        "ethSentToCoinbase": str(max(brought.difference - brought.fees, 0)),
        "gasFees": str(brought.fees),
    }
