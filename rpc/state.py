"""eth_* reads of the state after a block."""

import asyncio
from typing import Any

from chain.types import Address
from rpc.errors import ClientLimitExceeded, InvalidParams
from rpc.methods import Node, method, optional
from rpc.params import (
    BlockReference,
    BlockTag,
    InvalidValue,
    address,
    block_reference,
    hash32,
    mapping,
    sequence,
    storage_key,
    text,
)
from rpc.pending_state import account_at, code_at, proof_at, slot_at
from rpc.render import data_json, word_json

MAX_STORAGE_VALUES = 1024
"""geth's maxGetStorageSlots."""
at_block = optional(block_reference, BlockTag.LATEST)


@method("eth_getBalance", address, at_block)
async def get_balance(node: Node, account: Address, block: BlockReference) -> str:
    return hex((await account_at(node, account, block)).balance)


@method("eth_getTransactionCount", address, at_block)
async def get_transaction_count(node: Node, account: Address, block: BlockReference) -> str:
    """The nonce; at `pending` the next one that the sender's pooled transactions leave free."""
    if block == BlockTag.PENDING:
        await node.admission.caught_up()
        return hex(await node.admission.pending_nonce(account))
    return hex((await node.chain.account(account, block)).nonce)


@method("eth_getCode", address, at_block)
async def get_code(node: Node, account: Address, block: BlockReference) -> str:
    return data_json(await code_at(node, account, block))


def _slots_by_account(value: Any) -> dict[Address, list[int]]:
    given = mapping(value, "map[common.Address][]common.Hash")
    return {
        address(of): [int.from_bytes(hash32(key), "big") for key in sequence(keys, "[]common.Hash")]
        for of, keys in given.items()
    }


@method("eth_getStorageValues", _slots_by_account, at_block)
async def get_storage_values(
    node: Node, wanted: dict[Address, list[int]], block: BlockReference
) -> dict[str, list[str]]:
    """Many slots of many accounts at once."""
    count = sum(map(len, wanted.values()))
    if count > MAX_STORAGE_VALUES:
        raise ClientLimitExceeded(f"too many slots (max {MAX_STORAGE_VALUES})")
    if not count:
        raise InvalidParams("empty request")
    keys = [(account, slot) for account, slots in wanted.items() for slot in slots]
    values = await asyncio.gather(*(slot_at(node, account, slot, block) for account, slot in keys))
    answer: dict[str, list[str]] = {data_json(account): [] for account in wanted}
    for (account, _), value in zip(keys, values, strict=True):
        answer[data_json(account)].append(word_json(value))
    return answer


@method("eth_getStorageAt", address, text, at_block)
async def get_storage_at(node: Node, account: Address, key: str, block: BlockReference) -> str:
    try:
        slot = storage_key(key).number
    except InvalidValue as problem:
        raise InvalidParams(problem.text) from None
    return word_json(await slot_at(node, account, slot, block))


@method("eth_getAccount", address, at_block)
async def get_account(node: Node, account: Address, block: BlockReference) -> dict[str, str]:
    """The account as the state's trie has it."""
    proof = await proof_at(node, account, (), block)
    return {
        "nonce": hex(proof.account.nonce),
        "balance": hex(proof.account.balance),
        "storageRoot": data_json(proof.storage_root),
        "codeHash": data_json(proof.account.code_hash),
    }


@method("eth_getAccountInfo", address, at_block)
async def get_account_info(node: Node, account: Address, block: BlockReference) -> dict[str, str]:
    found = await account_at(node, account, block)
    code = await get_code(node, account, block)
    return {"balance": hex(found.balance), "nonce": hex(found.nonce), "code": code}
