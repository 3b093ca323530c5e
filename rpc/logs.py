"""eth_getLogs."""

from dataclasses import replace

import orjson

from chain.links import RequestFailed
from chain.messages.logs import ReadLogs
from chain.types import BlockNumber
from rpc.block_logs import logs_in
from rpc.chain_view import ChainView
from rpc.errors import InvalidParams, LimitExceeded, ServerError
from rpc.log_filter import LogFilter, log_filter
from rpc.log_range import InvalidBlockRange, PendingLogsUnsupported
from rpc.methods import Node, method
from rpc.params import BlockTag
from rpc.remote import RemoteBlocks
from rpc.render import JsonObject, data_json, log_json
from rpc.rendered_logs import NO_LOGS, RenderedLogs, array_of, logs_as_json

MAX_LOGS = 20_000


@method("eth_getLogs", log_filter)
async def get_logs(node: Node, wanted: LogFilter) -> list[orjson.Fragment]:
    return await matching_logs(node, wanted)


async def matching_logs(node: Node, wanted: LogFilter) -> list[orjson.Fragment]:
    """The logs that match as JSON, in the order of the chain; on a fork those of the remote's blocks before ours.

    Raises RpcError for ranges that make no sense.
    """
    remote = node.remote
    if remote is None:
        return array_of(await _own_logs(node, wanted))
    if wanted.block_hash is not None:
        ours = await node.chain.block(wanted.block_hash)
        if ours is None or ours.header.number <= remote.last:
            return array_of(await _remote_logs(remote, wanted, {"blockHash": data_json(wanted.block_hash)}))
        return array_of(await _own_logs(node, wanted))
    first, last = _range(node, wanted)
    theirs = found = NO_LOGS
    if first <= remote.last:
        places = {"fromBlock": hex(first), "toBlock": hex(min(last, remote.last))}
        theirs = await _remote_logs(remote, wanted, places)
        first = BlockNumber(remote.last + 1)
    if first <= last:
        found = await _own_logs(node, replace(wanted, first=first, last=last))
    if theirs.count + found.count > MAX_LOGS:
        raise LimitExceeded(f"query returned more than {MAX_LOGS} results")
    return array_of(theirs, found)


async def _remote_logs(remote: RemoteBlocks, wanted: LogFilter, places: JsonObject) -> RenderedLogs:
    """Raises ServerError for the hash of a block that is not below the fork."""
    if wanted.block_hash is not None and await remote.number_of(wanted.block_hash) is None:
        raise ServerError("unknown block")
    topics = [[data_json(topic) for topic in some] or None for some in wanted.topics]
    criteria = {"address": [data_json(address) for address in wanted.addresses], "topics": topics}
    found = await remote.ask("eth_getLogs", [places | {name: some for name, some in criteria.items() if some}])
    return logs_as_json(list(found))


async def _own_logs(node: Node, wanted: LogFilter) -> RenderedLogs:
    """The logs of this chain's own blocks that match, in order. Raises RpcError for ranges that make no sense."""
    if wanted.block_hash is not None:
        block = await node.chain.block(wanted.block_hash, with_receipts=True)
        if block is None:
            raise ServerError("unknown block")
        return logs_as_json([log_json(found) for found in logs_in(block, wanted)])
    first, last = _range(node, wanted)
    return await logs_of_blocks(node.chain, first, last, wanted)


async def logs_of_blocks(chain: ChainView, first: BlockNumber, last: BlockNumber, wanted: LogFilter) -> RenderedLogs:
    """The matching logs of some blocks. Raises LimitExceeded if they are too many."""
    try:
        return await chain.logs(ReadLogs(first, last, wanted.addresses, wanted.topics, MAX_LOGS))
    except RequestFailed as failure:
        if failure.error == "TooManyLogs":
            raise LimitExceeded(f"query returned more than {MAX_LOGS} results") from None
        if failure.error == "TooManyLogBytes":
            raise LimitExceeded(failure.text) from None
        raise


def _range(node: Node, wanted: LogFilter) -> tuple[BlockNumber, BlockNumber]:
    if BlockTag.PENDING in (wanted.first, wanted.last):
        raise PendingLogsUnsupported
    first = node.chain.resolve(BlockTag.LATEST if wanted.first is None else wanted.first)
    last = node.chain.resolve(BlockTag.LATEST if wanted.last is None else wanted.last)
    if first > last:
        raise InvalidBlockRange
    if last > node.chain.number:
        raise InvalidParams("block range extends beyond current head block")
    return first, last
