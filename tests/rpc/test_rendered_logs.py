"""Logs as JSON straight from their records, against the objects that are held against recorded chains."""

import asyncio
import random

import orjson
import pytest

import rpc.rendered_logs
from chain.messages.logs import FoundLog
from chain.types import Address, BlockNumber, Hash32
from rpc.render import log_json
from rpc.rendered_logs import NO_LOGS, array_of, logs_as_json, render_logs
from tests.found_logs import pack_found_logs


def _log(chosen: random.Random) -> FoundLog:
    def number(bits: int) -> int:
        return chosen.getrandbits(chosen.choice((0, 4, 8, bits)))

    topics = [Hash32(chosen.randbytes(32)) for _ in range(chosen.randint(0, 4))]
    block = BlockNumber(number(60)), Hash32(chosen.randbytes(32)), number(60)
    place = *block, Hash32(chosen.randbytes(32)), number(32), number(32)
    return FoundLog(Address(chosen.randbytes(20)), topics, chosen.randbytes(chosen.choice((0, 1, 32, 3000))), *place)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 200])
async def test_logs_are_rendered_as_their_objects_are(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(rpc.rendered_logs, "LOGS_A_SLICE", 2)
    chosen = random.Random(count)
    logs = [_log(chosen) for _ in range(count)]
    rendered = await render_logs(pack_found_logs(logs))
    assert rendered.count == count
    assert orjson.dumps(array_of(rendered)) == orjson.dumps([log_json(log) for log in logs])


async def test_others_run_while_many_logs_are_rendered() -> None:
    log = _log(random.Random(1))
    rendering = asyncio.ensure_future(render_logs(pack_found_logs([log] * 2_000)))
    turns = 0
    while not rendering.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3


def test_logs_from_two_places_are_one_array() -> None:
    one, two = logs_as_json([{"logIndex": "0x1"}]), logs_as_json([{"logIndex": "0x2"}, {"logIndex": "0x3"}])
    for first, second, expected in (
        (one, two, ["0x1", "0x2", "0x3"]),
        (NO_LOGS, two, ["0x2", "0x3"]),
        (one, NO_LOGS, ["0x1"]),
        (NO_LOGS, NO_LOGS, []),
    ):
        shown = orjson.loads(orjson.dumps(array_of(first, second)))
        assert [log["logIndex"] for log in shown] == expected
