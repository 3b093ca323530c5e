"""ots_* and erigon_*: what the block explorer Otterscan asks, in anvil's forms; transactions by sender and nonce."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from chain.messages.storage import StoredBlock
from chain.transactions import included_transaction
from chain.types import Address, BlockNumber, Hash32
from rpc.blocks import NumberOrTag, get_header_by_number
from rpc.call_traces import traces_in, traces_of
from rpc.debug_traces import told_of
from rpc.errors import ResourceNotFound
from rpc.methods import Node, method, optional
from rpc.otherscan_pages import whole_number
from rpc.params import BlockReference, BlockTag, address, block_number, block_reference, hash32
from rpc.render import JsonObject, block_json, data_json
from rpc.trace_options import TraceOptions
from rpc.transactions import get_transaction_by_hash

API_LEVEL = 8
CALLS = TraceOptions(tracer="callTracer")
OPERATIONS = {"call": 0, "suicide": 1, "create": 2, "create2": 3}
"""Of ots_getInternalOperations."""


def tag_or_number(value: Any) -> NumberOrTag:
    """As everywhere, or JSON's own number."""
    return BlockNumber(whole_number(value)) if isinstance(value, int) else block_number(value)


@method("ots_getApiLevel")
async def api_level(node: Node) -> int:
    return API_LEVEL


@method("erigon_getHeaderByNumber", tag_or_number)
async def erigon_header(node: Node, number: NumberOrTag) -> JsonObject | None:
    return await get_header_by_number(node, number)


def tag_number_or_hash(value: Any) -> BlockReference:
    """As everywhere, or JSON's own number."""
    return BlockNumber(whole_number(value)) if isinstance(value, int) else block_reference(value)


@method("ots_hasCode", address, optional(tag_number_or_hash, BlockTag.LATEST))
async def has_code(node: Node, account: Address, reference: BlockReference) -> bool:
    return bool(await node.chain.state.code(await node.chain.version(reference), account))


async def _call_tree(node: Node, transaction_hash: Hash32) -> JsonObject | None:
    tree = await told_of(node, transaction_hash, CALLS)
    found: JsonObject | None = None if tree is None else orjson.loads(tree)
    return found


@method("ots_traceTransaction", hash32)
async def ots_trace(node: Node, transaction_hash: Hash32) -> list[JsonObject]:
    """The calls, outermost first, each with its depth."""
    top, found = await _call_tree(node, transaction_hash), []
    waiting = [] if top is None else [(top, 0)]
    while waiting:
        call, depth = waiting.pop()
        shown = {name: call.get(name) for name in ("type", "from", "to", "value")}
        found.append(shown | {"depth": depth, "input": call["input"], "output": call.get("output", "0x")})
        waiting.extend((inner, depth + 1) for inner in reversed(call.get("calls", ())))
    return found


@method("ots_getInternalOperations", hash32)
async def internal_operations(node: Node, transaction_hash: Hash32) -> list[JsonObject]:
    """What moved value or made or removed a contract below the transaction itself."""
    found = []
    for call in await traces_of(node, transaction_hash):
        action, result = call["action"], call.get("result") or {}
        value = action.get("value", action.get("balance"))
        if not call["traceAddress"] or (call["type"] == "call" and value == "0x0"):
            continue
        found.append(
            {
                "type": OPERATIONS[action.get("creationMethod", call["type"])],
                "from": action.get("from", action.get("address")),
                "to": action.get("to", action.get("refundAddress", result.get("address"))),
                "value": value,
            }
        )
    return found


@method("ots_getTransactionError", hash32)
async def transaction_error(node: Node, transaction_hash: Hash32) -> str:
    """The revert data of a transaction that failed, else nothing."""
    top = await _call_tree(node, transaction_hash)
    return str(top.get("output", "0x")) if top is not None and "error" in top else "0x"


@method("ots_getBlockDetails", tag_or_number)
async def block_details(node: Node, number: NumberOrTag) -> JsonObject:
    return _details(await node.chain.block(number, with_receipts=True))


@method("ots_getBlockDetailsByHash", hash32)
async def block_details_by_hash(node: Node, block_hash: Hash32) -> JsonObject:
    return _details(await node.chain.block(block_hash, with_receipts=True))


def _details(block: StoredBlock | None) -> JsonObject:
    """The block without its transactions, and what their senders paid. Raises ResourceNotFound."""
    if block is None:
        raise ResourceNotFound
    shown = block_json(block, full_transactions=False)
    count = len(shown.pop("transactions"))
    paid = sum(receipt.gas_used * receipt.gas_price for receipt in block.receipts)
    return {
        "block": shown | {"transactionCount": count, "logsBloom": None},
        "issuance": {"blockReward": "0x0", "uncleReward": "0x0", "issuance": "0x0"},
        "totalFees": hex(paid),
    }


async def _first_block(node: Node, holds: Callable[[BlockNumber], Awaitable[bool]]) -> BlockNumber | None:
    """The first block after which something holds that holds at the head, and at every block since; else None."""
    low, high = 0, int(node.chain.number)
    if not await holds(BlockNumber(high)):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if await holds(BlockNumber(middle)) else (middle + 1, high)
    return BlockNumber(low)


async def _hash_by_nonce(node: Node, sender: Address, wanted: int) -> Hash32 | None:
    async def has_sent(number: BlockNumber) -> bool:
        return (await node.chain.account(sender, number)).nonce > wanted

    number = await _first_block(node, has_sent)
    block = None if number is None else await node.chain.block(number)
    if block is None:
        return next((p.hash for p in node.admission.pool if p.sender == sender and p.nonce == wanted), None)
    sent = zip(block.hashes, block.senders, block.transactions, strict=True)
    return next((h for h, of, raw in sent if of == sender and included_transaction(raw).nonce == wanted), None)


@method("eth_getTransactionBySenderAndNonce", address, whole_number)
async def get_transaction_by_sender_and_nonce(node: Node, sender: Address, wanted: int) -> JsonObject | None:
    """Found by bisection of the blocks; null for a nonce that no transaction had."""
    found = await _hash_by_nonce(node, sender, wanted)
    return None if found is None else await get_transaction_by_hash(node, found)


@method("ots_getTransactionBySenderAndNonce", address, whole_number)
async def ots_transaction_by_sender_and_nonce(node: Node, sender: Address, wanted: int) -> str | None:
    found = await _hash_by_nonce(node, sender, wanted)
    return None if found is None else data_json(found)


@method("ots_getContractCreator", address)
async def contract_creator(node: Node, contract: Address) -> JsonObject | None:
    """The transaction that made the contract and who did it; null for what is none, or was there from genesis."""

    async def is_there(number: BlockNumber) -> bool:
        return bool(await node.chain.state.code(await node.chain.version(number), contract))

    number = await _first_block(node, is_there)
    if not number:
        return None
    shown = data_json(contract)
    for call in await traces_in(node, await node.chain.block(number)):
        if call["type"] == "create" and (call.get("result") or {}).get("address") == shown:
            return {"hash": call["transactionHash"], "creator": call["action"]["from"]}
    return None
