"""The blocks of a range that have transactions, found by their headers: most of a development chain have none."""

from collections.abc import AsyncIterator

from chain.messages.storage import StoredBlock
from chain.types import BlockNumber
from rpc.methods import Node

HEADERS_AT_ONCE = 1_000


async def filled_blocks(node: Node, numbers: range, *, with_receipts: bool = False) -> AsyncIterator[StoredBlock]:
    """Those that used gas, in the order of the numbers, which may go down."""
    for start in range(0, len(numbers), HEADERS_AT_ONCE):
        part = numbers[start : start + HEADERS_AT_ONCE]
        headers = await node.chain.headers(BlockNumber(min(part)), BlockNumber(max(part)))
        filled = [header.number for header in headers if header.gas_used]
        for number in filled if numbers.step > 0 else reversed(filled):
            block = await node.chain.block(number, with_receipts=with_receipts)
            if block is not None:
                yield block
