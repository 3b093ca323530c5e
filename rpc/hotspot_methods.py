"""tandem_getHotspots: what transactions of a range of blocks conflicted over and waited for, and advice."""

import logging
from collections.abc import Sequence

from chain.records import AccessKind
from chain.types import BlockNumber
from rpc.advice import advice
from rpc.block_execution import speedup_of
from rpc.blocks import NumberOrTag
from rpc.errors import InvalidParams, LimitExceeded, ServerError
from rpc.executions import DEPENDENCIES, KINDS, SERIAL_TIMES, execution_of
from rpc.hotspots import Hotspot, Tally
from rpc.methods import Node, method
from rpc.naming.names import Names
from rpc.params import block_number
from rpc.render import JsonObject, address_json, data_json, word_json
from rpc.slot_advice import variable_of

log = logging.getLogger("tandem.rpc")

MAX_BLOCKS = 256
MAX_HOTSPOTS = 50
MAX_ADVISED = 500
"""So many are looked through for advice."""
MAX_WAITING = 32
"""Ranges that wait to be added up."""
MAX_TRACED = 8
"""So many blocks are run again to look into them."""


@method("tandem_getHotspots", block_number, block_number)
async def get_hotspots(node: Node, first: NumberOrTag, last: NumberOrTag) -> JsonObject:
    begin, end = _range(node, first, last)
    async with node.hotspot_turns.one():
        return await _hotspots(node, begin, end)


async def _hotspots(node: Node, begin: BlockNumber, end: BlockNumber) -> JsonObject:
    tally = Tally()
    for number in range(begin, end + 1):
        block = await node.chain.block(BlockNumber(number))
        execution = None if block is None else await execution_of(node, block)
        if execution is not None:
            tally.add(execution)
    spots = tally.hottest(MAX_ADVISED)
    await _look_into(node, spots[:MAX_HOTSPOTS])
    names = await _names(node, BlockNumber(end), spots)
    return {
        "from": begin,
        "to": end,
        "blocks": tally.blocks,
        "busiest": tally.busiest,
        "transactions": tally.transactions,
        "leftOut": tally.left_out,
        "gasUsed": tally.gas_used,
        "executionUs": tally.execution_us,
        "threadUs": tally.thread_us,
        "serialUs": tally.serial_us,
        "serialTime": SERIAL_TIMES[tally.is_measured],
        "speedup": speedup_of(tally.serial_us, tally.execution_us),
        "attempts": tally.attempts,
        "conflicts": tally.conflicts,
        "waits": tally.waits,
        "heldUp": tally.held_up,
        "lostUs": tally.lost_us,
        "hotspots": [_hotspot_json(spot, names) for spot in spots[:MAX_HOTSPOTS]],
        "advice": advice(tally, spots, names),
    }


def _range(node: Node, first: NumberOrTag, last: NumberOrTag) -> tuple[BlockNumber, BlockNumber]:
    """Raises InvalidParams and LimitExceeded."""
    begin, end = node.chain.resolve(first), node.chain.resolve(last)
    if begin > end:
        raise InvalidParams(f"invalid block range: {begin} is after {end}")
    if end > node.chain.number:
        raise InvalidParams(f"block range extends beyond current head block: {end}, the head is {node.chain.number}")
    if end - begin >= MAX_BLOCKS:
        raise LimitExceeded(f"{end - begin + 1} blocks are too many at once: ask for at most {MAX_BLOCKS}")
    return begin, end


async def _look_into(node: Node, spots: Sequence[Hotspot]) -> None:
    """Trace the fullest blocks of the hottest: that tells how slots are used and, by the hashes, their names."""
    by_block: dict[BlockNumber, list[Hotspot]] = {}
    for spot in spots:
        by_block.setdefault(spot.fullest, []).append(spot)
    for number in list(by_block)[:MAX_TRACED]:
        try:
            trace = await node.traces.of(await node.chain.existing_block(number))
        except ServerError as reason:
            log.warning("hotspots are told without a look into block %d: %s", number, reason)
            continue
        for spot in by_block[number]:
            if spot.kind == AccessKind.SLOT:
                spot.look_into(trace)


async def _names(node: Node, end: BlockNumber, spots: Sequence[Hotspot]) -> Names:
    """Names as of the end of the range."""
    called = {to for spot in spots for to, _ in spot.functions if to is not None}
    return await node.naming.names(await node.chain.version(end), called | {spot.address for spot in spots})


def _hotspot_json(spot: Hotspot, names: Names) -> JsonObject:
    is_slot = spot.kind == AccessKind.SLOT
    return {
        "address": address_json(spot.address),
        "contract": names.contract(spot.address),
        "kind": KINDS[spot.kind],
        "slot": word_json(spot.slot) if is_slot else None,
        "variable": variable_of(spot, names),
        "transactions": len(spot.losers),
        "needless": len(spot.losers) - len(spot.had_to),
        "conflicts": spot.conflicts,
        "waits": spot.waits,
        "lostUs": spot.lost_us,
        "functions": [
            {
                "function": None if to is None or not selector else names.function(to, selector),
                "selector": data_json(selector) if selector else None,
                "count": count,
            }
            for (to, selector), count in spot.functions.most_common()
        ],
        "dependency": DEPENDENCIES[spot.dependency],
    }
