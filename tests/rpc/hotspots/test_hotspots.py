"""tandem_getHotspots: what held transactions up, added up over blocks."""

import orjson
import pytest

from chain.records import AccessKind
from chain.types import BlockNumber
from rpc import hotspot_methods, hotspots
from rpc.dispatch import Dispatcher
from rpc.hotspots import Hotspot
from rpc.process import RpcProcess
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.executions_world import ARTEFACT, append, lost, waited
from tests.rpc.fake_chain import TOKEN, FakeChain
from tests.rpc.hotspots.world import BALANCE, USER, Blocks
from tests.rpc.test_executions import TRANSFER


@pytest.mark.usefixtures("named")
async def test_conflicts_and_waits_of_all_blocks_are_added_up_by_key(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [lost(0, thread_us=60)], [waited(0, waited_us=50)])
    await blocks.add([], [lost(0, thread_us=70), lost(0, slot=BALANCE, thread_us=5)], [])
    told = await client.result("tandem_getHotspots", "0x0", "0x2")
    told.pop("advice")
    first, second = told.pop("hotspots")
    assert told == {
        "from": 0,
        "to": 2,
        "blocks": 2,
        "busiest": 2,
        "transactions": 6,
        "leftOut": 0,
        "gasUsed": 6 * 21_000,
        "executionUs": 200,
        "threadUs": 735,
        "serialUs": 600,
        "serialTime": "estimated",
        "speedup": 3.0,
        "attempts": 9,
        "conflicts": 3,
        "waits": 1,
        "heldUp": 3,
        "lostUs": 185,
    }
    assert first == {
        "address": data_json(TOKEN),
        "contract": "Token",
        "kind": "slot",
        "slot": word_json(0),
        "variable": "Token.totalSupply",
        "transactions": 3,
        "needless": 0,
        "conflicts": 2,
        "waits": 1,
        "lostUs": 180,
        "functions": [{"function": "transfer(address,uint256)", "selector": data_json(TRANSFER), "count": 3}],
        "dependency": "real",
    }
    assert (second["variable"], second["transactions"], second["lostUs"]) == (f"Token.balanceOf[0x{USER.hex()}]", 1, 5)


@pytest.mark.usefixtures("named")
async def test_whoever_waited_without_need_is_counted_apart(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [lost(0)], [lost(0)])
    await blocks.add([], *[[waited(0, dependency=ARTEFACT)]] * 3)
    told = await client.result("tandem_getHotspots", "earliest", "latest")
    [spot] = told["hotspots"]
    assert (spot["transactions"], spot["needless"], spot["dependency"]) == (5, 3, "real")
    assert "were held up by `Token.totalSupply` (0.3 ms lost, 3 of them without need): " in told["advice"][0]
    told = await client.result("tandem_getHotspots", "latest", "latest")
    assert told["hotspots"][0]["needless"] == 3
    assert "(0.1 ms lost): none of them had to" in told["advice"][0]


def test_a_variable_is_looked_into_where_most_had_to_come_after_others() -> None:
    spot = Hotspot(AccessKind.SLOT, TOKEN, 0)
    nobody = hotspots.Caller(None, (None, b""))
    spot.losers = {(BlockNumber(block), position): nobody for block, position in [(1, 1), (2, 1), (2, 2)]}
    assert spot.fullest == 2
    spot.had_to = {(BlockNumber(1), 1)}
    assert spot.fullest == 1


async def test_where_nothing_went_wrong_there_is_nothing_to_say(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [])
    told = await client.result("tandem_getHotspots", "earliest", "latest")
    assert (told["hotspots"], told["advice"], told["lostUs"]) == ([], [], 0)


async def test_the_serial_time_is_measured_only_if_it_was_in_every_block(client: Client, blocks: Blocks) -> None:
    await blocks.add([], serial_us=50)
    await blocks.add([], serial_us=70)
    told = await client.result("tandem_getHotspots", "0x1", "0x2")
    assert (told["serialUs"], told["serialTime"], told["speedup"]) == (120, "measured", 0.6)
    await blocks.add([], execution_us=40)
    told = await client.result("tandem_getHotspots", "0x1", "0x3")
    assert (told["serialUs"], told["serialTime"], told["executionUs"]) == (220, "estimated", 240)


async def test_blocks_in_which_nothing_ran_do_not_count_in_the_times(
    client: Client, chain: FakeChain, blocks: Blocks
) -> None:
    await append(chain, execution_us=10_000)
    told = await client.result("tandem_getHotspots", "0x1", "0x1")
    assert (told["executionUs"], told["speedup"], told["busiest"], told["blocks"]) == (0, None, None, 1)


async def test_the_hottest_comes_first_and_there_is_a_limit(client: Client, blocks: Blocks) -> None:
    await blocks.add([], *[[lost(0, slot=n, thread_us=n)] for n in range(1, 60)])
    spots = (await client.result("tandem_getHotspots", "0x1", "0x1"))["hotspots"]
    assert [spot["lostUs"] for spot in spots] == list(range(59, 9, -1))


async def test_keys_beyond_a_limit_are_counted_and_not_told_apart(
    client: Client, blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotspots, "MAX_KEYS", 2)
    await blocks.add([], *[[lost(0, slot=slot)] for slot in (1, 2, 3, 1)])
    told = await client.result("tandem_getHotspots", "0x1", "0x1")
    assert (told["conflicts"], told["heldUp"], told["lostUs"]) == (4, 4, 240)
    assert sorted((int(spot["slot"], 16), spot["conflicts"]) for spot in told["hotspots"]) == [(1, 2), (2, 1)]


async def test_a_block_of_several_transactions_is_busier_than_one_of_a_single_long_one(
    client: Client, blocks: Blocks
) -> None:
    await blocks.add([lost(0, thread_us=5_000)])
    await blocks.add([], [lost(0, thread_us=90)])
    await blocks.add([], [])
    assert (await client.result("tandem_getHotspots", "earliest", "latest"))["busiest"] == 2


def test_a_slot_is_looked_into_where_it_held_up_most() -> None:
    places = [(1, 0), (1, 1), (2, 0), (2, 3), (3, 0)]
    caller = hotspots.Caller(None, (TOKEN, TRANSFER))
    losers = {(BlockNumber(block), position): caller for block, position in places}
    assert hotspots.Hotspot(AccessKind.SLOT, TOKEN, 0, losers=losers).fullest == 2


@pytest.mark.parametrize(
    ("first", "last", "code", "words"),
    [
        ("0x2", "0x1", -32602, "invalid block range: 2 is after 1"),
        ("0x0", "0x9", -32602, "block range extends beyond current head block: 9, the head is 1"),
    ],
)
async def test_a_range_that_makes_no_sense_is_refused(
    client: Client, blocks: Blocks, first: str, last: str, code: int, words: str
) -> None:
    await blocks.add([])
    assert await client.error("tandem_getHotspots", first, last) == (code, words)


async def test_a_range_has_a_limit(client: Client, blocks: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotspot_methods, "MAX_BLOCKS", 2)
    await blocks.add([])
    await blocks.add([])
    code, words = await client.error("tandem_getHotspots", "0x0", "latest")
    assert (code, words) == (-32005, "3 blocks are too many at once: ask for at most 2")
    assert (await client.result("tandem_getHotspots", "0x1", "latest"))["blocks"] == 2


async def test_ranges_are_added_up_one_at_a_time_and_few_may_wait(process: RpcProcess, blocks: Blocks) -> None:
    await blocks.add([lost(0)])
    ask = {"jsonrpc": "2.0", "method": "tandem_getHotspots", "params": ["0x1", "0x1"]}
    asked = [ask | {"id": n} for n in range(hotspot_methods.MAX_WAITING + 3)]
    told = orjson.loads(await Dispatcher(process.node).answer(orjson.dumps(asked)) or b"")
    assert [answer["id"] for answer in told if "result" in answer] == list(range(hotspot_methods.MAX_WAITING))
    assert {answer["error"]["message"] for answer in told if "error" in answer} == {
        "server busy: 32 requests like this one wait, try again"
    }
    assert len({orjson.dumps(answer["result"]) for answer in told if "result" in answer}) == 1
    again = orjson.loads(await Dispatcher(process.node).answer(orjson.dumps(ask | {"id": 0})) or b"")
    assert again["result"]["conflicts"] == 1
