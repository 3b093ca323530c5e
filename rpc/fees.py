"""eth_gasPrice, eth_maxPriorityFeePerGas, eth_feeHistory and the base fees."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from chain.fees import blob_base_fee, max_blob_gas, next_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.genesis import Genesis
from chain.headers import Header
from chain.messages.storage import StoredBlock
from chain.transactions import included_transaction
from chain.types import BlockNumber, Wei
from rpc.environments import fork_of, pending_fork
from rpc.errors import ServerError
from rpc.methods import Node, method, optional
from rpc.params import BlockTag, block_number, decimal_or_hex, floats
from rpc.pending_state import PendingRun
from rpc.remote import RemoteBlocks
from rpc.render import JsonObject

SUGGESTED_TIP = Wei(1_000_000_000)
"""Nobody bids against anybody on a devnet, so wallets are told the gwei they know from anvil, unless more is asked."""
MAX_HISTORY_BLOCKS = 1_024
MAX_REWARD_BLOCKS = 128
"""Rewards need whole blocks, which the recent ones are kept as."""
MAX_PERCENTILES = 100


def coming_base_fee(node: Node) -> Wei:
    """The base fee of the block after the head."""
    head, chosen = node.chain.head.header, node.chain.settings.next_base_fee
    return _next_base_fee(head, pending_fork(head, node.genesis)) if chosen is None else chosen


def suggested_tip(node: Node) -> Wei:
    """One that is not refused here, whatever the least tip was set to."""
    return max(SUGGESTED_TIP, node.admission.min_tip)


def suggested_gas_price(node: Node) -> Wei:
    """A legacy price that the next block takes."""
    return Wei(coming_base_fee(node) + suggested_tip(node))


@method("eth_gasPrice")
async def gas_price(node: Node) -> str:
    return hex(suggested_gas_price(node))


@method("eth_maxPriorityFeePerGas")
async def max_priority_fee(node: Node) -> str:
    return hex(suggested_tip(node))


@method("eth_baseFee")
async def base_fee(node: Node) -> str:
    return hex(coming_base_fee(node))


def coming_blob_base_fee(node: Node) -> Wei:
    head = node.chain.head.header
    return _next_blob_base_fee(head, pending_fork(head, node.genesis))


@method("eth_blobBaseFee")
async def get_blob_base_fee(node: Node) -> str:
    return hex(coming_blob_base_fee(node))


@method("eth_feeHistory", decimal_or_hex, block_number, optional(floats))
async def fee_history(
    node: Node, count: int, newest: BlockTag | BlockNumber, percentiles: list[float] | None
) -> JsonObject:
    """Base fees and fullness of up to `count` blocks, oldest first, and the base fee of the block after them.

    As geth has it `pending` is a block of its own, the one that the pool would fill.
    """
    head = node.chain.number
    last = BlockNumber(head + 1) if newest is BlockTag.PENDING else node.chain.resolve(newest)
    if last > head and newest is not BlockTag.PENDING:
        raise ServerError(f"request beyond head block: requested {last}, head {head}")
    _check_percentiles(percentiles or [])
    most = MAX_REWARD_BLOCKS if percentiles else MAX_HISTORY_BLOCKS
    count = min(count, most, last + 1)
    if count == 0:
        return {"oldestBlock": "0x0", "gasUsedRatio": None}
    first = BlockNumber(last - count + 1)
    if node.remote is not None and first <= node.remote.last:
        return await _history_across(node, node.remote, first, last, percentiles)
    return await _own_history(node, first, last, percentiles)


async def _own_history(
    node: Node, first: BlockNumber, last: BlockNumber, percentiles: list[float] | None
) -> JsonObject:
    """Up to the newest block, or to the pending one after it."""
    made = min(last, node.chain.number)
    headers = list(await node.chain.headers(first, BlockNumber(made))) if first <= made else []
    rewards = [await _rewards(node, number, percentiles) for number in range(first, made + 1)] if percentiles else []
    if last > made:
        pending = await node.pending.block(node)
        headers.append(pending.header)
        if percentiles:
            rewards.append(_hex_tips(_pending_tips(pending), percentiles))
    answer = _history(node, headers, await _fee_after(node, headers[-1]))
    return answer | {"reward": rewards} if percentiles else answer


async def _fee_after(node: Node, newest: Header) -> Wei:
    """The base fee of the block after it, which an operation may have set whatever its parent says."""
    if newest.number == node.chain.number:
        return coming_base_fee(node)
    following = BlockNumber(newest.number + 1)
    if newest.number < node.chain.number:
        made = await node.chain.headers(following, following)
        if made:
            return made[0].base_fee or Wei(0)
    return _next_base_fee(newest, node.genesis.forks.at(following, newest.timestamp))


async def _history_across(
    node: Node, remote: RemoteBlocks, first: BlockNumber, last: BlockNumber, percentiles: list[float] | None
) -> JsonObject:
    """What the remote says of its blocks below a fork, and what is known of ours after them.

    The two next fees after the remote's last block are those of our first one. A member that the remote does not have
    is left out.
    """
    until = min(last, remote.last)
    theirs = await remote.ask("eth_feeHistory", [hex(until - first + 1), hex(until), percentiles or []])
    if last == until:
        return dict(theirs)
    ours = await _own_history(node, BlockNumber(until + 1), last, percentiles)
    answer: JsonObject = {"oldestBlock": theirs["oldestBlock"]}
    for member in ("baseFeePerGas", "gasUsedRatio", "baseFeePerBlobGas", "blobGasUsedRatio", "reward"):
        before = theirs.get(member)
        if before is not None and member in ours:
            kept = before[:-1] if member in ("baseFeePerGas", "baseFeePerBlobGas") else before
            answer[member] = [*kept, *ours[member]]
    return answer


def _history(node: Node, headers: Sequence[Header], fee_after: Wei) -> JsonObject:
    genesis, newest = node.genesis, headers[-1]
    after = genesis.forks.at(newest.number + 1, newest.timestamp)
    base_fees = [*(header.base_fee or Wei(0) for header in headers), fee_after]
    blob_fees = [*(_blob_base_fee(header, genesis) for header in headers), _next_blob_base_fee(newest, after)]
    return {
        "oldestBlock": hex(headers[0].number),
        "baseFeePerGas": [hex(fee) for fee in base_fees],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        "baseFeePerBlobGas": [hex(fee) for fee in blob_fees],
        "blobGasUsedRatio": [
            (header.blob_gas_used or 0) / max_blob_gas(fork_of(header, genesis)) for header in headers
        ],
    }


def _next_base_fee(parent: Header, fork: Fork) -> Wei:
    """That of a block of this fork; 0 before London."""
    return next_base_fee(parent) if fork >= Fork.LONDON else Wei(0)


def _blob_base_fee(header: Header, genesis: Genesis) -> Wei:
    """The block's; 0 before Cancun."""
    excess = header.excess_blob_gas
    return Wei(0) if excess is None else blob_base_fee(excess, fork_of(header, genesis))


def _next_blob_base_fee(parent: Header, fork: Fork) -> Wei:
    """That of a block of this fork; 0 before Cancun."""
    return blob_base_fee(next_excess_blob_gas(parent, fork), fork) if fork >= Fork.CANCUN else Wei(0)


def _check_percentiles(percentiles: list[float]) -> None:
    if len(percentiles) > MAX_PERCENTILES:
        raise ServerError(f"invalid reward percentile: over the query limit {MAX_PERCENTILES}")
    for percentile in percentiles:
        if not 0 <= percentile <= 100:
            raise ServerError(f"invalid reward percentile: {percentile:f}")
    for i, (before, after) in enumerate(pairwise(percentiles)):
        if before >= after:
            raise ServerError(f"invalid reward percentile: #{i}:{before:f} >= #{i + 1}:{after:f}")


async def _rewards(node: Node, number: int, percentiles: list[float]) -> list[str]:
    block = await node.chain.block(BlockNumber(number), with_receipts=True)
    return _hex_tips([] if block is None else tips_by_gas(block), percentiles)


def _hex_tips(tips: list[tuple[Wei, int]], percentiles: list[float]) -> list[str]:
    return [hex(tip) for tip in tips_at(tips, percentiles)]


def _pending_tips(pending: PendingRun) -> list[tuple[Wei, int]]:
    """As `tips_by_gas` has them."""
    base = pending.header.base_fee or Wei(0)
    return sorted((Wei(min(each.max_priority_fee, each.max_fee - base)), gas) for each, gas in pending.transactions)


def tips_by_gas(block: StoredBlock) -> list[tuple[Wei, int]]:
    """(tip, gas used) of each transaction of a block that was read with its receipts, cheapest first."""
    base = block.header.base_fee or Wei(0)
    pairs = zip(block.transactions, block.receipts, strict=True)
    return sorted(
        (Wei(included_transaction(raw).effective_gas_price(base) - base), receipt.gas_used) for raw, receipt in pairs
    )


def tips_at(tips: list[tuple[Wei, int]], percentiles: list[float]) -> list[Wei]:
    """At each percentile of the gas used, the tip that was paid there; 0 in an empty block."""
    if not tips:
        return [Wei(0) for _ in percentiles]
    reached = list(accumulate(gas for _, gas in tips))
    thresholds = [reached[-1] * percentile // 100 for percentile in percentiles]
    return [next(tip for (tip, _), gas in zip(tips, reached, strict=True) if gas >= limit) for limit in thresholds]
