"""The hashes of blocks as they were at a version of the state, since which blocks may have been taken back.

Who runs a call on a version wants the blocks that had led to it, and the headers are those of the chain as it is now.
But the rows of the heights stay, whatever is taken back. Walked down from that of the version, they name the blocks
that were there: one with a higher number than the last is of blocks that had been taken back before.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from math import inf

from chain.types import BlockNumber, Hash32, Height, Version
from storage.blocks import Blocks, HeightRow
from storage.errors import BlocksTakenBack


def hashes_at(
    blocks: Blocks, newest: Height, version: Version, numbers: Iterable[BlockNumber]
) -> dict[BlockNumber, Hash32]:
    """Those that there are, with the newest height. Raises BlocksTakenBack.

    Of several blocks of one height only the last hash is on record: once they are taken back the others are lost.
    """
    height = bisect_left(range(newest + 1), version, key=lambda at: _row(blocks, at).version)
    row, first = _row(blocks, height), _row(blocks, 0).number
    is_there = _is_there(blocks, row.number, row.hash)
    found = _as_they_are(blocks, (number for number in numbers if is_there or number < first))
    missing = {number for number in numbers if first <= number <= row.number} - found.keys()
    for number, block_hash in _led_to(blocks, height, version) if missing else ():
        if number in missing:
            if block_hash is None:
                raise BlocksTakenBack(version, number)
            found[number] = block_hash
        if block_hash is not None and _is_there(blocks, number, block_hash):
            # And so are all below it, but for those that another thread is just taking back.
            found |= _as_they_are(blocks, (below for below in missing if below < number))
        missing = {below for below in missing if below < number} - found.keys()  # those above came after the version
        if not missing:
            break
    return found


def _led_to(blocks: Blocks, height: int, version: Version) -> Iterator[tuple[BlockNumber, Hash32 | None]]:
    """The blocks of the chain as it was at the version, newest first, with their hashes where these are on record."""
    lowest: float = inf
    for number, block_hash in _made(blocks, height, version):
        if number < lowest:  # else it had been taken back by then
            lowest = number
            yield number, block_hash


def _made(blocks: Blocks, height: int, version: Version) -> Iterator[tuple[BlockNumber, Hash32 | None]]:
    """What was the newest block at some time up to the version, last first, with its hash where that is on record."""
    for at in range(height, -1, -1):
        row = _row(blocks, at)
        if row.version <= version:
            yield row.number, row.hash
            if row.blocks > 1:
                yield from _earlier_ones(blocks, _row(blocks, at - 1), row.number - 1)
        else:  # the version is that of one of the height's blocks, and not of the last
            before = _row(blocks, at - 1)
            yield from _earlier_ones(blocks, before, before.number + version - before.version)


def _earlier_ones(blocks: Blocks, before: HeightRow, last: int) -> Iterator[tuple[BlockNumber, Hash32 | None]]:
    """The blocks up to `last` of the height after `before`: they have a version each, one after the other."""
    for number in range(last, before.number, -1):
        is_of_this_height = blocks.version(BlockNumber(number)) == before.version + number - before.number
        stored = blocks.header(BlockNumber(number)) if is_of_this_height else None
        yield BlockNumber(number), None if stored is None else stored.hash


def _row(blocks: Blocks, height: int) -> HeightRow:
    row = blocks.height(height)
    assert row is not None, f"height {height} is applied and not there"
    return row


def _is_there(blocks: Blocks, number: BlockNumber, block_hash: Hash32) -> bool:
    stored = blocks.header(number)
    return stored is not None and stored.hash == block_hash


def _as_they_are(blocks: Blocks, numbers: Iterable[BlockNumber]) -> dict[BlockNumber, Hash32]:
    headers = {number: blocks.header(number) for number in numbers}
    return {number: stored.hash for number, stored in headers.items() if stored is not None}
