"""Developer methods that take the chain back: snapshots, rollback, reorganisation, reset."""

from typing import Any

from chain.operations import Mine, RevertToBlock, RevertToSnapshot, SetProduction, TakeSnapshot
from chain.types import BlockNumber
from rpc.dev_method import dev_method, small_number
from rpc.errors import InvalidParams
from rpc.methods import Node, optional
from rpc.params import InvalidValue, data
from rpc.sending import send_transaction
from rpc.transaction_arguments import TransactionArguments, transaction_arguments


class TooDeep(InvalidParams):
    def __init__(self, depth: int, number: int) -> None:
        super().__init__(f"{depth} blocks cannot be taken back: the chain is at block {number}")


class NoFork(InvalidParams):
    def __init__(self) -> None:
        super().__init__("another chain cannot be forked while this one runs: start it with tandem up --fork-url")


def snapshot_id(value: Any) -> int:
    return small_number(value)


def reset_options(value: Any) -> None:
    """Hardhat's and anvil's forms: nothing, or an object that asks for no fork."""
    if not isinstance(value, dict):
        raise InvalidValue("give an object")
    if value.get("forking"):
        raise NoFork


def placed_transactions(value: Any) -> list[tuple[bytes | TransactionArguments, int]]:
    """anvil_reorg's pairs: a raw transaction or what eth_sendTransaction takes, and in which of the new blocks."""
    if not isinstance(value, list):
        raise InvalidValue("give a list of pairs, each a transaction and the index of its block")
    found: list[tuple[bytes | TransactionArguments, int]] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidValue("give a list of pairs, each a transaction and the index of its block")
        transaction = transaction_arguments(pair[0]) if isinstance(pair[0], dict) else data(pair[0])
        found.append((transaction, small_number(pair[1])))
    return found


@dev_method("evm_snapshot", "anvil_snapshot")
async def snapshot(node: Node) -> str:
    return hex(await node.operator.execute(TakeSnapshot()))


@dev_method("evm_revert", "anvil_revert", takes=(snapshot_id,))
async def revert(node: Node, wanted: int) -> bool:
    """Whether there was such a snapshot. It is gone now, and so are those taken after it."""
    return bool(await node.operator.execute(RevertToSnapshot(wanted, node.history)))


@dev_method("anvil_rollback", takes=(optional(small_number, 1),))
async def rollback(node: Node, depth: int) -> None:
    """Take back so many blocks."""
    await node.operator.execute(RevertToBlock(_before(node, depth), history=node.history))


@dev_method("anvil_reorg", takes=(small_number, optional(placed_transactions, [])))
async def reorg(node: Node, depth: int, placed: list[tuple[bytes | TransactionArguments, int]]) -> None:
    """Put as many other blocks in the place of the newest ones, with these transactions in them."""
    if any(place >= depth for _, place in placed):
        raise InvalidParams(f"a transaction's block is not one of the {depth} new ones, which count from 0")
    automine = node.chain.settings.automine
    if automine:
        await node.operator.execute(SetProduction(automine=False))
    try:
        number = _before(node, depth)  # no block of automine comes between this and the way back
        await node.operator.execute(RevertToBlock(number, history=node.history))
        for place in range(depth):
            for transaction in (transaction for transaction, wanted in placed if wanted == place):
                await _send(node, transaction)
            await node.operator.execute(Mine(1))
    finally:
        if automine:
            await node.operator.execute(SetProduction(automine=True))


@dev_method("hardhat_reset", "anvil_reset", takes=(optional(reset_options),))
async def reset(node: Node, _: None) -> bool:
    """The chain as it began, and nothing set."""
    await node.operator.execute(RevertToBlock(BlockNumber(0), fresh=True, history=node.history))
    return True


def _before(node: Node, depth: int) -> BlockNumber:
    if depth > node.chain.number:
        raise TooDeep(depth, node.chain.number)
    return BlockNumber(node.chain.number - depth)


async def _send(node: Node, transaction: bytes | TransactionArguments) -> None:
    if isinstance(transaction, bytes):
        await node.admission.submit(transaction)
    else:
        await send_transaction(node, transaction)
