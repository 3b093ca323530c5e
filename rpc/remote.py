"""The blocks below a fork: what is asked of them the remote chain answers, as it is, through storage, which keeps it.

Blocks up to the forked one, their transactions, receipts and logs are the remote's; so are the states before it. The
state after it is ours already, since a fork changes accounts on top. Requests go on with a block number in place of a
tag, which would mean another block there.
"""

import contextlib
from typing import TYPE_CHECKING, Any

import orjson

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.storage import AskRemote, RemoteAnswer
from chain.types import BlockNumber, Hash32
from rpc.bounded_cache import BoundedCache
from rpc.errors import RpcError, ServerError
from rpc.params import BlockReference, BlockTag

if TYPE_CHECKING:
    from rpc.methods import Json, Node

ANSWER_TIMEOUT_S = 30.0
MAX_UNKNOWN = 16_384
"""Hashes of transactions that the remote was asked for in vain: what is not in old blocks will never be."""

OF_BLOCKS = {
    "eth_getBlockByNumber": 0,
    "eth_getHeaderByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0,
    "eth_getUncleCountByBlockNumber": 0,
    "eth_getUncleByBlockNumberAndIndex": 0,
    "eth_getTransactionByBlockNumberAndIndex": 0,
    "eth_getRawTransactionByBlockNumberAndIndex": 0,
    "debug_getRawBlock": 0,
    "debug_getRawHeader": 0,
    "debug_getRawReceipts": 0,
    "debug_getRawTransactions": 0,
    "debug_traceBlockByNumber": 0,
    "eth_getBlockByHash": 0,
    "eth_getHeaderByHash": 0,
    "eth_getBlockTransactionCountByHash": 0,
    "eth_getUncleCountByBlockHash": 0,
    "eth_getUncleByBlockHashAndIndex": 0,
    "eth_getTransactionByBlockHashAndIndex": 0,
    "eth_getRawTransactionByBlockHashAndIndex": 0,
    "debug_traceBlockByHash": 0,
    "trace_block": 0,
    "trace_blockOpcodeGas": 0,
    "trace_replayBlockTransactions": 0,
}
"""Methods that read a block, and which of their arguments names it."""
OF_STATES = {
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getStorageValues": 1,
    "eth_getProof": 2,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_createAccessList": 1,
    "eth_simulateV1": 1,
    "debug_traceCall": 1,
    "trace_call": 2,
    "trace_callMany": 1,
    "trace_rawTransaction": 2,
}
"""Methods that read the state after a block."""
OF_TRANSACTIONS = {
    "eth_getTransactionByHash",
    "eth_getRawTransactionByHash",
    "eth_getTransactionReceipt",
    "debug_getRawTransaction",
    "debug_traceTransaction",
    "trace_get",
    "trace_replayTransaction",
    "trace_transaction",
    "trace_transactionOpcodeGas",
}
"""Methods whose first argument is the hash of a transaction."""


class RemoteRefused(RpcError):
    """The error that the remote answered with, as it is."""

    def __init__(self, answer: RemoteAnswer) -> None:
        super().__init__(answer.message, None if answer.data is None else orjson.loads(answer.data))
        self.code = answer.code


class RemoteBlocks:
    """Those up to `last`, the block that was forked; `url` is where the remote is, without secrets; `asked` is
    the whole URL, which may hold a key and is compared only."""

    def __init__(self, storage: Link, last: BlockNumber, url: str, asked: str) -> None:
        self.last = last
        self.url = url
        self.asked = asked
        self._storage = storage
        self._unknown: BoundedCache[Hash32, bool] = BoundedCache(MAX_UNKNOWN)

    async def ask(self, method: str, params: list[Any]) -> "Json":
        """The remote's result. Raises RemoteRefused, and RequestFailed while the remote does not answer."""
        answer = await self._storage.request(AskRemote(method, orjson.dumps(params)), ANSWER_TIMEOUT_S)
        assert isinstance(answer, RemoteAnswer)
        if answer.result is None:
            raise RemoteRefused(answer)
        return orjson.loads(answer.result)

    async def warm_up(self) -> None:
        """Have the newest block of them kept from the start: every wallet asks for it, also without the remote."""
        for whole in (False, True):
            with contextlib.suppress(RequestFailed, LinkClosed, TimeoutError, RpcError):
                await self.ask("eth_getBlockByNumber", [hex(self.last), whole])

    async def answered(self, node: "Node", method: str, arguments: list[Any], params: list[Any]) -> "list[Json]":
        """The remote's result, alone in a list; nothing if the method is for this chain to answer.

        `arguments` are the parsed `params`.
        """
        if method in OF_TRANSACTIONS:
            theirs = await self._has_transaction(node, arguments[0])
            return [await self.ask(method, params)] if theirs else []
        at = OF_BLOCKS.get(method, OF_STATES.get(method))
        if at is None:
            return []
        reference = arguments[at]
        number = await self._number(node, reference)
        if number is None or number > self.last or (number == self.last and method in OF_STATES):
            return []
        by_hash = method.endswith(("ByHash", "ByBlockHash", "ByBlockHashAndIndex"))
        named = params[at] if by_hash else hex(number)
        return [await self.ask(method, [*params[:at], named, *params[at + 1 :]])]

    async def number_of(self, block_hash: Hash32) -> BlockNumber | None:
        """The number of a block of the remote's that is below this chain; None if it has none with this hash."""
        block = await self.ask("eth_getBlockByHash", ["0x" + block_hash.hex(), False])
        number = _number_in(block, "number")
        return number if number is not None and number <= self.last else None

    async def _number(self, node: "Node", reference: BlockReference | None) -> BlockNumber | None:
        """The block that is meant; None if it is one to come or unknown, or none is named."""
        if reference is None or reference is BlockTag.PENDING:
            return None
        if not isinstance(reference, bytes):
            return node.chain.resolve(reference)
        ours = await node.chain.block(Hash32(reference))
        return await self.number_of(Hash32(reference)) if ours is None else ours.header.number

    async def _has_transaction(self, node: "Node", transaction_hash: Hash32) -> bool:
        """Whether it is in one of the remote's blocks. One that is known here is not looked for there."""
        if self._unknown.get(transaction_hash) or node.admission.pool.get(transaction_hash) is not None:
            return False
        if await node.chain.transaction(transaction_hash) is not None:
            return False
        found = await self.ask("eth_getTransactionByHash", ["0x" + transaction_hash.hex()])
        number = _number_in(found, "blockNumber")
        if number is not None and number <= self.last:
            return True
        self._unknown.put(transaction_hash, True)
        return False


def _number_in(found: Any, member: str) -> BlockNumber | None:
    """The number that a block or transaction says it has. Raises ServerError for nonsense."""
    if found is None:
        return None
    try:
        said = found[member]
        return None if said is None else BlockNumber(int(said, 16))
    except (KeyError, TypeError, ValueError):
        raise ServerError(f"the remote chain answers without a {member}") from None
