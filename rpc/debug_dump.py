"""debug_dumpBlock and debug_accountRange: a state's accounts in the order of their hashes, as geth walks its trie."""

from bisect import bisect_left
from typing import Any

from chain.accounts import WITHOUT_CODE
from chain.addresses import checksummed
from chain.messages.storage import StoredBlock
from chain.types import Address, BlockNumber
from rpc.account_order import HASH_BYTES
from rpc.call_traces import count
from rpc.debug_state import MAX_SLOTS, slots_of
from rpc.debug_traces import existing_block
from rpc.errors import ServerError
from rpc.methods import Node, method
from rpc.params import BlockReference, BlockTag, block_number, block_reference, boolean, data
from rpc.render import JsonObject, data_json, word_json

MAX_RESULTS = 256
"""geth's AccountRangeMaxResults."""


@method("debug_dumpBlock", block_number)
async def dump_block(node: Node, reference: BlockTag | BlockNumber) -> JsonObject:
    """The first accounts of the state after a block."""
    return await account_range(node, reference, b"", MAX_RESULTS, False, False, False)


def most(value: Any) -> int:
    """How many accounts to show; what is below zero stands for as many as there may be, as in geth."""
    return 0 if isinstance(value, int) and not isinstance(value, bool) and value < 0 else count(value)


@method("debug_accountRange", block_reference, data, most, boolean, boolean, boolean)
async def account_range(
    node: Node, reference: BlockReference, start: bytes, limit: int, no_code: bool, no_storage: bool, incompletes: bool
) -> JsonObject:
    """Those whose hash is not below `start`. No address is unknown here, so nothing is ever incomplete."""
    if node.genesis.forked is not None:
        raise ServerError("on a fork the accounts cannot be listed: most are on the remote chain")
    block = await existing_block(node, reference)
    order = await node.account_order.of(node, block.version)
    key = start[-32:].rjust(32, b"\0")
    at = bisect_left(order.entries, key)
    accounts: JsonObject = {}
    kept = 0
    for entry in order.entries[at : at + (limit if 0 < limit <= MAX_RESULTS else MAX_RESULTS)]:
        address = Address(entry[HASH_BYTES:])
        slots = {} if no_storage else await slots_of(node, block.version, address)
        kept += len(slots)
        if accounts and kept > MAX_SLOTS:
            break
        accounts[checksummed(address)] = await _account(node, block, entry[:HASH_BYTES], address, slots, no_code)
    answer: JsonObject = {"root": order.root.hex(), "accounts": accounts}
    end = at + len(accounts)
    return answer | ({"next": data_json(order.entries[end][:HASH_BYTES])} if end < len(order.entries) else {})


async def _account(
    node: Node, block: StoredBlock, key: bytes, address: Address, slots: dict[int, int], no_code: bool
) -> JsonObject:
    proof = await node.chain.proof(address, (), block.hash)
    account = proof.account
    answer: JsonObject = {
        "balance": str(account.balance),
        "nonce": account.nonce,
        "root": data_json(proof.storage_root),
        "codeHash": data_json(account.code_hash),
    }
    if account.code_hash not in WITHOUT_CODE and not no_code:
        answer["code"] = data_json(await node.chain.state.code(block.version, address))
    if slots:
        answer["storage"] = {word_json(slot): _whole_bytes(value) for slot, value in sorted(slots.items())}
    return answer | {"address": data_json(address), "key": data_json(key)}


def _whole_bytes(value: int) -> str:
    return value.to_bytes((value.bit_length() + 7) // 8, "big").hex()
