"""Developer methods about blocks to come: making them, when they are made, their time, fee, leader and limit."""

from typing import Any

from chain.operations import (
    MAX_MINED_BLOCKS,
    Mine,
    SetBeneficiary,
    SetGasLimit,
    SetNextBaseFee,
    SetNextPrevRandao,
    SetNextTimestamp,
    SetProduction,
    SetTime,
    SetTimestampInterval,
    ShiftTime,
)
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from rpc.dev_method import dev_method, number, signed_number, small_number
from rpc.errors import InvalidParams
from rpc.methods import Node, optional
from rpc.params import InvalidValue, address, boolean, hash32
from rpc.render import JsonObject, block_json

MAX_BLOCKS = 1_000_000
"""That one request makes."""
MAX_DETAILED = 1_000
"""That one request makes and answers with."""
SECONDS_BELOW = 100
"""evm_setIntervalMining takes seconds in anvil and milliseconds in hardhat. No chain makes a block every few
milliseconds, so what is below is seconds."""
MILLISECONDS_FROM = 10**11
"""A time of day so large is in milliseconds: as seconds it would be after the year 5000."""


class TooManyBlocks(InvalidParams):
    def __init__(self, blocks: int) -> None:
        super().__init__(f"{blocks} blocks: at most {MAX_BLOCKS} are made at once")


class TooManyToAnswer(InvalidParams):
    def __init__(self, blocks: int) -> None:
        super().__init__(f"{blocks} blocks: at most {MAX_DETAILED} are answered; evm_mine makes more")


def mine_options(value: Any) -> tuple[int, int | None]:
    """How many blocks, and the time of the first: a time alone, or an object with `timestamp` and `blocks`."""
    if not isinstance(value, dict):
        return 1, small_number(value)
    blocks, timestamp = value.get("blocks"), value.get("timestamp")
    return 1 if blocks is None else small_number(blocks), None if timestamp is None else small_number(timestamp)


def interval_ms(value: Any) -> int:
    """Milliseconds; hardhat takes a range too, whose middle is taken."""
    if isinstance(value, list):
        ends = [small_number(end) for end in value]
        if len(ends) != 2 or ends[0] > ends[1]:
            raise InvalidValue("give an interval, or the least and the greatest")
        return sum(ends) // 2
    given = small_number(value)
    return given * 1000 if given < SECONDS_BELOW else given


async def mine(node: Node, blocks: int, interval: int | None) -> None:
    """Make blocks, `interval` seconds apart, each with what of the waiting transactions fits."""
    if blocks > MAX_BLOCKS:
        raise TooManyBlocks(blocks)
    done, some_fit = 0, True
    while done < blocks:
        if done and interval is not None:
            await node.operator.execute(SetNextTimestamp(node.chain.head.header.timestamp + interval))
        some_fit = some_fit and len(node.admission.pool) > 0
        made = 1 if some_fit else min(blocks - done, MAX_MINED_BLOCKS)
        await node.operator.execute(Mine(made, interval))
        some_fit = some_fit and len(node.chain.head.transactions) > 0
        done += made


@dev_method("evm_mine", takes=(optional(mine_options, (1, None)),))
async def evm_mine(node: Node, options: tuple[int, int | None]) -> str:
    blocks, timestamp = options
    if blocks > MAX_BLOCKS:  # before the time is set, which else some later block would have
        raise TooManyBlocks(blocks)
    if timestamp is not None:
        await node.operator.execute(SetNextTimestamp(timestamp))
    await mine(node, blocks, None)
    return "0x0"


@dev_method("anvil_mine_detailed", "evm_mine_detailed", takes=(optional(mine_options, (1, None)),))
async def mine_detailed(node: Node, options: tuple[int, int | None]) -> list[JsonObject]:
    """The blocks made, with their transactions."""
    if options[0] > MAX_DETAILED:
        raise TooManyToAnswer(options[0])
    first = node.chain.number + 1
    await evm_mine(node, options)
    made = [await node.chain.block(BlockNumber(n), with_receipts=True) for n in range(first, node.chain.number + 1)]
    return [block_json(block, full_transactions=True) for block in made if block is not None]


@dev_method("hardhat_mine", takes=(optional(small_number, 1), optional(small_number, 1)))
async def hardhat_mine(node: Node, blocks: int, interval: int) -> bool:
    await mine(node, blocks, interval)
    return True


@dev_method("anvil_mine", takes=(optional(small_number, 1), optional(small_number)))
async def anvil_mine(node: Node, blocks: int, interval: int | None) -> None:
    """viem says 0 where no interval was asked for, which must not undo one that is set for all blocks.

    The first block comes an interval after the clock's time, as in anvil; hardhat's comes at the clock's time.
    """
    if blocks > MAX_BLOCKS:  # before the clock is moved
        raise TooManyBlocks(blocks)
    if interval and blocks:
        await node.operator.execute(ShiftTime(interval))
    await mine(node, blocks, interval or None)


@dev_method("evm_setAutomine", "anvil_setAutomine", "hardhat_setAutomine", takes=(boolean,))
async def set_automine(node: Node, on: bool) -> bool:
    """With it on, what has waited goes into a block at once."""
    await node.operator.execute(SetProduction(automine=on))
    return True


@dev_method("miner_start", takes=(optional(small_number),))
async def start_mining(node: Node, threads: int | None) -> bool:
    return await set_automine(node, True)


@dev_method("miner_stop")
async def stop_mining(node: Node) -> bool:
    return await set_automine(node, False)


@dev_method("anvil_getAutomine", "hardhat_getAutomine")
async def get_automine(node: Node) -> bool:
    """Hardhat's Ignition asks: without it, it would wait for blocks that confirm."""
    return node.chain.settings.automine


@dev_method("evm_setIntervalMining", takes=(interval_ms,))
async def set_interval_mining(node: Node, milliseconds: int) -> bool:
    await node.operator.execute(SetProduction(interval_ms=milliseconds))
    return True


@dev_method("anvil_setIntervalMining", takes=(small_number,))
async def anvil_set_interval_mining(node: Node, seconds: int) -> None:
    """In seconds; blocks are made by the clock alone then, with 0 on request alone."""
    await node.operator.execute(SetProduction(automine=False, interval_ms=seconds * 1000))


@dev_method("anvil_getIntervalMining")
async def get_interval_mining(node: Node) -> float | None:
    """In seconds, a fraction if hardhat's evm_setIntervalMining has set one; null without an interval."""
    milliseconds = node.chain.settings.interval_ms
    if not milliseconds:
        return None
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


@dev_method("evm_increaseTime", "anvil_increaseTime", takes=(signed_number,))
async def increase_time(node: Node, seconds: int) -> int:
    """All seconds by which the clock has been moved."""
    await node.operator.execute(ShiftTime(seconds))
    return node.chain.settings.time_offset


@dev_method("evm_setTime", "anvil_setTime", takes=(small_number,))
async def set_time(node: Node, time: int) -> int:
    """The time in seconds, or in milliseconds as ganache has it. The seconds by which the clock was moved."""
    before = node.chain.settings.time_offset
    await node.operator.execute(SetTime(time // 1000 if time >= MILLISECONDS_FROM else time))
    return node.chain.settings.time_offset - before


@dev_method("evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp", takes=(small_number,))
async def set_next_block_timestamp(node: Node, timestamp: int) -> None:
    """Null under both names, as by anvil: its client in Rust takes nothing else, and hardhat's looks at nothing."""
    await node.operator.execute(SetNextTimestamp(timestamp))


@dev_method("anvil_setBlockTimestampInterval", "evm_setBlockTimestampInterval", takes=(small_number,))
async def set_block_timestamp_interval(node: Node, seconds: int) -> None:
    await node.operator.execute(SetTimestampInterval(seconds))


@dev_method("anvil_removeBlockTimestampInterval", "evm_removeBlockTimestampInterval")
async def remove_block_timestamp_interval(node: Node) -> bool:
    """Whether there was one."""
    there_was = node.chain.settings.timestamp_interval is not None
    await node.operator.execute(SetTimestampInterval(None))
    return there_was


@dev_method("anvil_setNextBlockBaseFeePerGas", "hardhat_setNextBlockBaseFeePerGas", takes=(number,))
async def set_next_block_base_fee(node: Node, base_fee: int) -> bool:
    await node.operator.execute(SetNextBaseFee(Wei(base_fee)))
    return True


@dev_method("anvil_setCoinbase", "hardhat_setCoinbase", "miner_setEtherbase", takes=(address,))
async def set_coinbase(node: Node, beneficiary: Address) -> bool:
    await node.operator.execute(SetBeneficiary(beneficiary))
    return True


@dev_method("anvil_setNextBlockPrevRandao", "hardhat_setPrevRandao", "anvil_setPrevRandao", takes=(hash32,))
async def set_prev_randao(node: Node, prev_randao: Hash32) -> bool:
    await node.operator.execute(SetNextPrevRandao(prev_randao))
    return True


@dev_method("evm_setBlockGasLimit", "anvil_setBlockGasLimit", "miner_setGasLimit", takes=(small_number,))
async def set_block_gas_limit(node: Node, gas_limit: int) -> bool:
    await node.operator.execute(SetGasLimit(Gas(gas_limit)))
    return True
