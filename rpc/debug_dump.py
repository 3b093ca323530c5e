"""debug_dumpBlock and debug_accountRange: a state's accounts in the order of their hashes, as geth walks its trie."""

import asyncio
from typing import Any

from chain.accounts import WITHOUT_CODE, Account
from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import StoredBlock
from chain.types import Address, BlockNumber, Hash32
from rpc.call_traces import count
from rpc.debug_state import MAX_SLOTS, PAGE_BYTES
from rpc.debug_traces import existing_block
from rpc.errors import LimitExceeded, ServerError
from rpc.methods import Node, method
from rpc.params import BlockReference, BlockTag, block_number, block_reference, boolean, data
from rpc.render import JsonObject, data_json, word_json
from rpc.state_reader import READ_TIMEOUT_S

MAX_ACCOUNTS = 65_536
"""Of a state that is listed: they are sorted by their hashes."""
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
    async with node.dump_turns.one():
        return await _shown(node, block, start, limit, no_code, no_storage)


async def _shown(
    node: Node, block: StoredBlock, start: bytes, limit: int, no_code: bool, no_storage: bool
) -> JsonObject:
    """Holds the whole state meanwhile, so that there may be one of it at a time."""
    root, accounts, slots = await _listed(node, block, with_slots=not no_storage)
    ordered = sorted((keccak256(address), address) for address in accounts)
    first = start[-32:].rjust(32, b"\0")
    found = [each for each in ordered if each[0] >= first]
    shown = found[: limit if 0 < limit <= MAX_RESULTS else MAX_RESULTS]
    accounts_json = [_account(node, block, key, address, slots.get(address, {}), no_code) for key, address in shown]
    dumped = await asyncio.gather(*accounts_json)
    named = {checksummed(address): each for (_, address), each in zip(shown, dumped, strict=True)}
    answer: JsonObject = {"root": root.hex(), "accounts": named}
    following = found[len(shown) :]
    return answer | ({"next": data_json(following[0][0])} if following else {})


async def _listed(
    node: Node, block: StoredBlock, with_slots: bool
) -> tuple[Hash32, dict[Address, Account], dict[Address, dict[int, int]]]:
    """The state's root, its accounts, and their slots. Raises LimitExceeded."""
    accounts: dict[Address, Account] = {}
    slots: dict[Address, dict[int, int]] = {}
    after, kept = b"", 0
    while True:
        page = await node.storage.request(ReadStatePage(block.version, after, PAGE_BYTES), READ_TIMEOUT_S)
        assert isinstance(page, StatePage)
        for part in page.accounts:
            accounts[part.address] = part.account
            if with_slots and part.slots:
                slots.setdefault(part.address, {}).update(part.slots)
                kept += len(part.slots)
        if len(accounts) > MAX_ACCOUNTS:
            raise LimitExceeded(f"the state has more than {MAX_ACCOUNTS} accounts: use tandem dump")
        if kept > MAX_SLOTS:
            raise LimitExceeded(f"the state has more than {MAX_SLOTS} slots: ask without storage, or use tandem dump")
        after = page.after
        if not after:
            return page.root, accounts, slots


async def _account(
    node: Node, block: StoredBlock, key: Hash32, address: Address, slots: dict[int, int], no_code: bool
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
