"""Developer methods that take the chain back: snapshots, rollback, reorganisation, reset."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from chain.links import LinkClosed
from chain.messages.storage import ReadStorageStatus, StorageStatus
from chain.operations import AS_STARTED, Mine, RevertToBlock, RevertToSnapshot, SetProduction, TakeSnapshot
from chain.types import BlockNumber
from rpc.dev_accounts import drop_all_transactions, drop_transactions
from rpc.dev_method import dev_method, small_number
from rpc.errors import InvalidParams, RpcError, ServerError, TransactionRejected
from rpc.fork_options import Forking, ForkOfAnotherChain, reset_options, same_server, stays
from rpc.methods import Node, optional
from rpc.params import InvalidValue, data, text
from rpc.sending import send_transaction, sender_of
from rpc.state_reader import READ_TIMEOUT_S
from rpc.transaction_arguments import TransactionArguments, transaction_arguments
from rpc.transaction_rules import NO_MINIMUM
from rpc.wallet import UnknownAccount

Placeable: TypeAlias = bytes | TransactionArguments


class TooDeep(InvalidParams):
    def __init__(self, depth: int, number: int) -> None:
        super().__init__(f"{depth} blocks cannot be taken back: the chain is at block {number}")


class ExecutorAway(ServerError):
    """Going back to a snapshot needs no such answer."""

    def __init__(self) -> None:
        super().__init__(
            "an executor's storage does not answer, so how far all of them can go back is not known: try again when "
            "tandem status shows that every process runs"
        )


class TransactionsMissing(ServerError):
    """The blocks are made all the same: the chain is as long as it was."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"the blocks were replaced, without what could not be sent: {'; '.join(missing)}")


def snapshot_id(value: Any) -> int:
    return small_number(value)


def placed_transactions(value: Any) -> list[tuple[Placeable, int]]:
    """anvil_reorg's pairs: a raw transaction or what eth_sendTransaction takes, and in which of the new blocks."""
    if not isinstance(value, list):
        raise InvalidValue("give a list of pairs, each a transaction and the index of its block")
    found: list[tuple[Placeable, int]] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidValue("give a list of pairs, each a transaction and the index of its block")
        transaction = transaction_arguments(pair[0]) if isinstance(pair[0], dict) else data(pair[0])
        found.append((transaction, small_number(pair[1])))
    return found


@dev_method("evm_snapshot", "anvil_snapshot")
async def snapshot(node: Node) -> str:
    taken = await node.operator.execute(TakeSnapshot())
    node.pool_snapshots.taken(taken, node.admission.pool)
    return hex(taken)


@dev_method("evm_revert", "anvil_revert", takes=(snapshot_id,))
async def revert(node: Node, wanted: int) -> bool:
    """Whether there was such a snapshot. It is gone now, and so are those taken after it.

    What waited then waits again, and what was sent since is dropped: before, or it might enter the first block after.
    """
    waited = node.pool_snapshots.at(wanted)
    if waited is not None and any(wanted == known for known, _, _ in await node.chain.snapshots()):
        kept = {transaction.hash for transaction in waited}
        await drop_transactions(node, [each.hash for each in node.admission.pool if each.hash not in kept])
    there_was = bool(await node.operator.execute(RevertToSnapshot(wanted, node.history)))
    node.pool_snapshots.used(wanted)
    for transaction in (waited if there_was else None) or ():
        if transaction.hash not in node.admission.pool:
            await _send_again(node, transaction.raw)
    return there_was


@dev_method("anvil_rollback", takes=(optional(small_number, 1),))
async def rollback(node: Node, depth: int) -> None:
    """Take back so many blocks."""
    await _go_back_to(node, _before(node, depth))


@dev_method("debug_setHead", takes=(small_number,))
async def set_head(node: Node, number: int) -> None:
    """Take back the blocks above that number, as geth's method does."""
    if number > node.chain.number:
        raise InvalidParams(f"block {number} is not there: the chain is at block {node.chain.number}")
    await _go_back_to(node, BlockNumber(number))


@dev_method("anvil_reorg", takes=(small_number, optional(placed_transactions, [])))
async def reorg(node: Node, depth: int, placed: list[tuple[Placeable, int]]) -> None:
    """Put as many other blocks in the place of the newest ones, with these transactions in them."""
    if any(place >= depth for _, place in placed):
        raise InvalidParams(f"a transaction's block is not one of the {depth} new ones, which count from 0")
    _check_senders(node, [transaction for transaction, _ in placed])
    settings = node.chain.settings
    await node.operator.execute(SetProduction(automine=False, interval_ms=0))
    try:
        number = _before(node, depth)  # no other block comes between this and the way back
        await _go_back_to(node, number)
        missing = [words for place in range(depth) for words in await _put(node, placed, place)]
    finally:
        interval_ms = AS_STARTED if settings.interval_ms is None else settings.interval_ms
        await node.operator.execute(SetProduction(settings.automine, interval_ms))
    if missing:
        raise TransactionsMissing(missing)


@dev_method("hardhat_reset", "anvil_reset", takes=(optional(reset_options),))
async def reset(node: Node, forking: Forking | None) -> bool:
    """The chain as it began, nothing set and nothing waiting; or another one in its place, a fork or none."""
    if not stays(node, forking):
        await (node.processes.end_fork() if forking is None else node.processes.fork(forking.url, forking.block))
        return True
    await drop_all_transactions(node)
    await node.operator.execute(RevertToBlock(BlockNumber(0), fresh=True, history=node.history))
    node.admission.min_tip = NO_MINIMUM
    return True


@dev_method("anvil_setRpcUrl", takes=(text,))
async def set_rpc_url(node: Node, url: str) -> None:
    """Where nothing is forked nothing is set, as in anvil; a fork's server is said at the start."""
    if node.remote is not None and not same_server(url, node.remote.url):
        raise ForkOfAnotherChain(node.remote.url)


async def _go_back_to(node: Node, number: BlockNumber) -> None:
    await node.operator.execute(RevertToBlock(number, history=node.history, oldest=await _oldest_state(node)))


async def _oldest_state(node: Node) -> BlockNumber:
    """The oldest block whose state every executor has. Raises ExecutorAway."""
    asked = (storage.request(ReadStorageStatus(), READ_TIMEOUT_S) for storage in node.storages())
    try:
        found = await asyncio.gather(*asked)
    except (TimeoutError, LinkClosed) as error:
        raise ExecutorAway from error
    return max(status.oldest_state for status in found if isinstance(status, StorageStatus))


def _check_senders(node: Node, transactions: Sequence[Placeable]) -> None:
    """Raises UnknownAccount for one that nobody could sign."""
    for transaction in transactions:
        if isinstance(transaction, TransactionArguments):
            sender = sender_of(node, transaction)
            if not node.chain.settings.impersonates(sender) and sender not in node.wallet.accounts:
                raise UnknownAccount


async def _put(node: Node, placed: Sequence[tuple[Placeable, int]], place: int) -> list[str]:
    """Make one of the new blocks. What was said of its transactions that could not be sent."""
    missing = []
    for index, (transaction, wanted) in enumerate(placed):
        if wanted == place:
            try:
                await _send(node, transaction)
            except RpcError as error:
                missing.append(f"transaction {index}: {error.message}")
    await node.operator.execute(Mine(1))
    return missing


def _before(node: Node, depth: int) -> BlockNumber:
    if depth > node.chain.number:
        raise TooDeep(depth, node.chain.number)
    return BlockNumber(node.chain.number - depth)


async def _send_again(node: Node, raw: bytes) -> None:
    """What waited may have lost its place meanwhile: its sender's funds were set, or another is impersonated."""
    with contextlib.suppress(TransactionRejected):
        await node.admission.submit(raw)


async def _send(node: Node, transaction: Placeable) -> None:
    if isinstance(transaction, bytes):
        await node.admission.submit(transaction)
    else:
        await send_transaction(node, transaction)
