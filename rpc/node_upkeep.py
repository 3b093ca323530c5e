"""What an operator may do with the node itself: empty the pool, free memory, set the least tip."""

import gc

from chain.types import Wei
from rpc.dev_accounts import drop_all_transactions
from rpc.dev_method import dev_method, small_number
from rpc.methods import Node


@dev_method("debug_clearTxpool")
async def clear_pool(node: Node) -> None:
    await drop_all_transactions(node)


@dev_method("debug_freeOSMemory")
async def free_memory(node: Node) -> None:
    """Of this process, what nothing refers to any more. It stops for that, so where strangers ask it is not offered."""
    gc.collect()


@dev_method("anvil_getLastBlockWallTime")
async def last_block_wall_time(node: Node) -> int:
    """When the newest block came here, in milliseconds of the clock; its timestamp is what the chain says."""
    return node.chain.head_since_ms


@dev_method("miner_setGasPrice", takes=(small_number,))
async def set_least_tip(node: Node, tip: int) -> bool:
    """Transactions with a smaller tip are refused here until a reset or the end of `tandem up`, as geth has it.

    Wallets are told that tip where it is above the usual one, and eth_sendTransaction fills it in.
    """
    node.admission.min_tip = Wei(tip)
    return True
