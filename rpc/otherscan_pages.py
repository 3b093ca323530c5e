"""Otterscan's pages of transactions: those of a block, and those that an address took part in.

Who took part is found by running blocks again, newest or oldest first, but for those in which no code ran. One page
looks at a bounded number of them.
"""

from collections.abc import Sequence
from typing import Any

from chain.intrinsic_gas import TX_GAS
from chain.messages.storage import StoredBlock
from chain.transactions import included_transaction
from chain.types import Address, BlockNumber
from rpc.call_traces import traces_in
from rpc.environments import fork_of
from rpc.errors import LimitExceeded, ResourceNotFound
from rpc.filled_blocks import filled_blocks
from rpc.methods import Node, method
from rpc.params import UINT64_LIMIT, InvalidValue, address, index
from rpc.render import JsonObject, block_json, block_receipts_json, block_transactions_json, data_json

MAX_PAGE = 1_000
MAX_TRACED_BLOCKS = 1_000
"""Run again in one search; each takes some milliseconds."""
MAX_BLOCKS = 100_000
"""Looked at in one search."""


def whole_number(value: Any) -> int:
    """A quantity, or JSON's own number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < UINT64_LIMIT:
        return value
    return index(value)


def page_size(value: Any) -> int:
    size = whole_number(value)
    if not 0 < size <= MAX_PAGE:
        raise InvalidValue(f"a page has 1 to {MAX_PAGE} transactions, not {size}")
    return size


@method("ots_getBlockTransactions", whole_number, whole_number, page_size)
async def block_transactions(node: Node, number: int, page: int, size: int) -> JsonObject:
    """One page of a block's transactions, with their receipts. Raises ResourceNotFound."""
    block = await node.chain.block(BlockNumber(number), with_receipts=True)
    if block is None:
        raise ResourceNotFound
    shown = block_json(block, full_transactions=True)
    shown["transactions"] = shown["transactions"][page * size : (page + 1) * size]
    receipts = _receipts(node, block)[page * size : (page + 1) * size]
    return {"fullblock": shown | {"transactionCount": len(shown["transactions"])}, "receipts": receipts}


@method("ots_searchTransactionsBefore", address, whole_number, page_size)
async def search_before(node: Node, account: Address, number: int, size: int) -> JsonObject:
    """The newest transactions of an address in blocks below that number, in all if it is 0; blocks are kept whole."""
    oldest, best = _oldest(node), node.chain.number
    newest = min(best, number - 1) if number else best
    found, ended = await _search(node, account, range(newest, oldest - 1, -1), size)
    return _page(found, first_page=newest >= best, last_page=ended)


@method("ots_searchTransactionsAfter", address, whole_number, page_size)
async def search_after(node: Node, account: Address, number: int, size: int) -> JsonObject:
    """The oldest transactions of an address in blocks above that number, in all if it is 0; newest first."""
    oldest, best = _oldest(node), node.chain.number
    first = max(oldest, number + 1) if number else oldest
    found, ended = await _search(node, account, range(first, best + 1), size)
    return _page(list(reversed(found)), first_page=ended, last_page=first <= oldest)


def _oldest(node: Node) -> int:
    """The first block that has been executed here."""
    return node.genesis.header.number + 1


async def _search(
    node: Node, account: Address, numbers: range, size: int
) -> tuple[list[list[tuple[JsonObject, JsonObject]]], bool]:
    """By block, the transactions that the account took part in, newest first; and whether all blocks were looked at.

    A page that the limits end is shorter. Raises LimitExceeded if there is nothing on it.
    """
    wanted = data_json(account)
    found: list[list[tuple[JsonObject, JsonObject]]] = []
    traced = count = 0
    try:
        async for block in filled_blocks(node, numbers[:MAX_BLOCKS], with_receipts=True):
            if count >= size:
                return found, False
            parties = _parties_without_code(block)
            if parties is None:
                if traced == MAX_TRACED_BLOCKS:
                    raise _no_page(MAX_TRACED_BLOCKS, block.header.number)
                traced += 1
                calls = await traces_in(node, block)
                places = {call["transactionPosition"] for call in calls if wanted in _parties(call)}
            else:
                places = {place for place, both in enumerate(parties) if account in both}
            if places:
                transactions, receipts = block_transactions_json(block), _receipts(node, block)
                found.append([(transactions[place], receipts[place]) for place in sorted(places, reverse=True)])
                count += len(places)
        if count < size and len(numbers) > MAX_BLOCKS:
            raise _no_page(MAX_BLOCKS, numbers[MAX_BLOCKS])
    except LimitExceeded:
        if not count:
            raise
        return found, False
    return found, len(numbers) <= MAX_BLOCKS


def _no_page(most: int, number: int) -> LimitExceeded:
    return LimitExceeded(f"no page within {most} blocks: go on from block {number}")


def _parties_without_code(block: StoredBlock) -> list[tuple[Address, Address]] | None:
    """Sender and recipient of each transaction, if in none of them code ran: that would have cost more."""
    parties = []
    for raw, sender, receipt in zip(block.transactions, block.senders, block.receipts, strict=True):
        transaction = included_transaction(raw)
        if transaction.to is None or transaction.data or receipt.gas_used != TX_GAS:
            return None
        parties.append((sender, transaction.to))
    return parties


def _parties(call: JsonObject) -> set[str]:
    """Who calls, is called, is made or is removed."""
    action, result = call["action"], call.get("result") or {}
    return {str(action.get(name)) for name in ("from", "to", "address", "refundAddress")} | {str(result.get("address"))}


def _receipts(node: Node, block: StoredBlock) -> list[JsonObject]:
    timestamp = hex(block.header.timestamp)
    return [each | {"timestamp": timestamp} for each in block_receipts_json(block, fork_of(block.header, node.genesis))]


def _page(found: Sequence[list[tuple[JsonObject, JsonObject]]], first_page: bool, last_page: bool) -> JsonObject:
    pairs = [pair for block in found for pair in block]
    return {
        "txs": [transaction for transaction, _ in pairs],
        "receipts": [receipt for _, receipt in pairs],
        "firstPage": first_page,
        "lastPage": last_page,
    }
