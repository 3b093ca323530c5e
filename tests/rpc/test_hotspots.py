"""tandem_getHotspots: what held transactions up, added up over blocks, and the advice that follows from it."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from chain.block_case import BlockCase
from chain.keccak import keccak256
from chain.messages.traces import Access, BlockTrace, TraceBlock, TransactionTrace
from chain.records import AccessKind, AttemptRecord, WaitRecord
from chain.types import Gas
from rpc import hotspot_methods, hotspots
from rpc.dispatch import Dispatcher
from rpc.naming.contract import contract_from
from rpc.naming.names import Names
from rpc.naming.preimages import Preimages
from rpc.process import RpcProcess
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.executions_world import ARTEFACT, append, lost, ran, transaction_record, waited
from tests.rpc.fake_chain import ALICE, KEYS, TOKEN, FakeChain
from tests.rpc.test_executions import TRANSFER, call

SET_PRICE = keccak256(b"setPrice(uint256)")[:4]


ENTRY = bytes(31) + b"\x77" + (1).to_bytes(32, "big")
"""What Token hashes for the slot of balanceOf[0x77]."""
BALANCE = int.from_bytes(keccak256(ENTRY), "big")
LAYOUT = {
    "storage": [
        {"label": "totalSupply", "slot": "0", "offset": 0, "type": "t_uint256"},
        {"label": "balanceOf", "slot": "1", "offset": 0, "type": "t_mapping"},
    ],
    "types": {
        "t_uint256": {"label": "uint256", "encoding": "inplace", "numberOfBytes": "32"},
        "t_mapping": {
            "label": "mapping(uint256 => uint256)",
            "encoding": "mapping",
            "key": "t_uint256",
            "value": "t_uint256",
            "numberOfBytes": "32",
        },
    },
}
ABI = [{"type": "function", "name": "setPrice", "inputs": [{"type": "uint256"}]}]


@pytest.fixture
def named(process: RpcProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """One contract that somebody registered."""
    names = Names({TOKEN: (contract_from("Token", ABI, LAYOUT, None),)}, Preimages({keccak256(ENTRY): ENTRY}))

    async def all_names(*_: object) -> Names:
        return names

    monkeypatch.setattr(process.node.naming, "names", all_names)


class Blocks:
    """Calls of the token, each with the runs and waits it is said to have had."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self._nonces: dict[bytes, int] = dict.fromkeys(KEYS, 0)

    async def add(
        self,
        *stories: Sequence[AttemptRecord | WaitRecord],
        data: bytes = TRANSFER,
        first: bytes = TRANSFER,
        keys: Sequence[bytes] = KEYS,
        **fields: object,
    ) -> None:
        rows = []
        for position, story in enumerate(stories):
            key = keys[position % len(keys)]
            made = call(self._nonces[key], key, data if position else first)
            self._nonces[key] += 1
            runs = [each for each in story if isinstance(each, AttemptRecord)]
            waits = [each for each in story if isinstance(each, WaitRecord)]
            rows.append((made, transaction_record(made.hash, *runs, ran(), waits=waits)))
        await append(self._chain, *rows, **fields)


def changing(chain: FakeChain, slot: int, *changes: tuple[int, int], only_read: int = 0) -> None:
    """What transactions did with a slot, when a block is traced: the value before and after."""

    def trace(before: int, after: int) -> TransactionTrace:
        read = Access(AccessKind.SLOT, TOKEN, slot, before)
        written = Access(AccessKind.SLOT, TOKEN, slot, after)
        return TransactionTrace((read,), () if after == before else (written,), (), (), {}, 1, Gas(1))

    rows = tuple(trace(*change) for change in (*changes, *[(7, 7)] * only_read))

    async def tracer(request: TraceBlock) -> BlockTrace:
        case = BlockCase(request.environment, (), {}, {})
        return BlockTrace(request.trace_id, rows[0], rows, rows[0], {}, case)

    chain.callers.tracer = tracer


@pytest.fixture
def blocks(chain: FakeChain) -> Blocks:
    return Blocks(chain)


async def advice_on(client: Client) -> str:
    """The first piece of advice."""
    return str((await client.result("tandem_getHotspots", "earliest", "latest"))["advice"][0])


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
        "conflicts": 2,
        "waits": 1,
        "lostUs": 180,
        "functions": [{"function": "transfer(address,uint256)", "selector": data_json(TRANSFER), "count": 3}],
        "dependency": "real",
    }
    assert (second["variable"], second["transactions"], second["lostUs"]) == ("Token.balanceOf[119]", 1, 5)


@pytest.mark.usefixtures("named")
async def test_advice_names_variable_and_function_and_counts_who_was_held_up(
    client: Client, chain: FakeChain, blocks: Blocks
) -> None:
    await blocks.add([], [lost(0)], [lost(1)], [])
    changing(chain, 0, (3, 4), (4, 5))
    assert (await advice_on(client)).startswith(
        "2 of 4 `transfer` calls ran again because of `Token.totalSupply` (0.1 ms lost): each changes it by 1."
    )


PACKED = [
    {"label": "sold", "slot": "0", "offset": 0, "type": "t_uint128"},
    {"label": "drawn", "slot": "0", "offset": 16, "type": "t_uint64"},
    {"label": "paused", "slot": "0", "offset": 24, "type": "t_uint64"},
]
SIZES = {16: "t_uint128", 8: "t_uint64"}


@pytest.mark.parametrize(
    ("step", "variable", "amount"),
    [
        (1 << 100, "Raffle.sold", "the same amount"),
        (3, "Raffle.sold", "3"),
        (256 << 128, "Raffle.drawn", "256"),
        (1 << 248, "Raffle.paused", str(1 << 56)),
        (1 | 1 << 128, "Raffle.sold, Raffle.drawn", "the same amount"),
    ],
)
async def test_of_variables_in_one_slot_those_that_changed_are_named_and_by_how_much(
    client: Client,
    chain: FakeChain,
    blocks: Blocks,
    process: RpcProcess,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    variable: str,
    amount: str,
) -> None:
    types = {
        name: {"label": name[2:], "encoding": "inplace", "numberOfBytes": str(size)} for size, name in SIZES.items()
    }
    raffle = contract_from("Raffle", ABI, {"storage": PACKED, "types": types}, None)
    names = Names({TOKEN: (raffle,)}, Preimages({}))

    async def all_names(*_: object) -> Names:
        return names

    monkeypatch.setattr(process.node.naming, "names", all_names)
    await blocks.add([], [waited(0)], [waited(1)], [])
    changing(chain, 0, (5 << 192, (5 << 192) + step), ((5 << 192) + step, (5 << 192) + 2 * step))
    told = await client.result("tandem_getHotspots", "earliest", "latest")
    assert told["hotspots"][0]["variable"] == variable
    assert f"`{variable}`" in told["advice"][0]
    assert f"each changes it by {amount}. " in told["advice"][0]


async def test_without_names_advice_tells_slot_address_and_selector(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [waited(0)], [waited(1)], data=SET_PRICE)
    words = await advice_on(client)
    assert words.startswith(f"2 of 2 calls of {data_json(SET_PRICE)} waited for slot 0 of {data_json(TOKEN)}")


OVER_SUPPLY = [[], [lost(0)], [lost(1)]]
CASES: dict[str, tuple[str, list[list[Any]], list[tuple[int, int]]]] = {
    "a counter": ("derive them from the sender", OVER_SUPPLY, [(3, 5), (5, 7)]),
    "a sum": ("several slots, one for each group of senders", OVER_SUPPLY, [(3, 5), (5, 10**18)]),
    "a value that goes up and down": ("Split it by user", OVER_SUPPLY, [(3, 5), (5, 1)]),
    "one change that proves nothing": ("Split it by user", OVER_SUPPLY, [(3, 5)]),
    "one entry that many change": ("one entry of a mapping", [[], [lost(0, BALANCE)], [lost(1, BALANCE)]], []),
    "an exact balance": ("address(this).balance", [[], *[[lost(0, kind=AccessKind.BALANCE)]] * 2], []),
    "a payment out of what came in": (
        "collect their own",
        [[], *[[lost(0, kind=AccessKind.BALANCE_AT_LEAST)]] * 2],
        [],
    ),
    "code of the same block": ("earlier block", [[], *[[lost(0, kind=AccessKind.CODE)]] * 2], []),
    "a nonce": ("Send from several accounts", [[], *[[waited(0, kind=AccessKind.NONCE, address=ALICE)]] * 2], []),
    "a lock": (
        "it is the strategy that locks whole accounts",
        [[], [waited(0, kind=AccessKind.ACCOUNT, dependency=ARTEFACT)]],
        [],
    ),
    "what a rejected run left": (
        "speculative runs that were rejected themselves",
        [[], [lost(0, dependency=ARTEFACT)]],
        [],
    ),
}


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("case", CASES)
async def test_each_pattern_has_its_own_remedy(client: Client, chain: FakeChain, blocks: Blocks, case: str) -> None:
    expected, stories, changes = CASES[case]
    await blocks.add(*stories)
    if changes:
        changing(chain, 0, *changes)
    words = await advice_on(client)
    assert expected in words
    others = {remedy for remedy, _, _ in CASES.values()} - {expected}
    assert not any(other in words for other in others)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("traced", [False, True])
async def test_few_writers_and_many_readers_are_told_from_a_number_that_all_change(
    client: Client, chain: FakeChain, blocks: Blocks, traced: bool
) -> None:
    await blocks.add([], *[[lost(0)]] * 8, first=SET_PRICE)
    if traced:
        changing(chain, 0, (7, 9), (9, 11), only_read=8)
    words = await advice_on(client)
    assert words.startswith("8 of 8 `transfer` calls ran again because of `Token.totalSupply`")
    assert "few transactions change it (`setPrice` calls) and many read it" in words


@pytest.mark.usefixtures("named")
async def test_a_block_that_cannot_be_traced_has_hotspots_all_the_same(
    client: Client, blocks: Blocks, caplog: pytest.LogCaptureFixture
) -> None:
    await blocks.add([], [lost(0)])
    assert "Token.totalSupply" in await advice_on(client)
    assert "hotspots are told without a look into block 1: nothing is executed here" in caplog.text


def entry(number: int) -> tuple[int, bytes]:
    """The slot of balanceOf[number], and what is hashed for it."""
    preimage = number.to_bytes(32, "big") + (1).to_bytes(32, "big")
    return int.from_bytes(keccak256(preimage), "big"), preimage


async def test_entries_of_one_mapping_are_told_together_but_for_those_that_stand_out(
    client: Client, process: RpcProcess, blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [entry(number) for number in range(7)]
    hashed = {keccak256(preimage): preimage for _, preimage in entries}
    names = Names({TOKEN: (contract_from("Token", ABI, LAYOUT, None),)}, Preimages(hashed))

    async def all_names(*_: object) -> Names:
        return names

    monkeypatch.setattr(process.node.naming, "names", all_names)
    one_each = [[lost(0, slot)] for slot, _ in entries[1:6]]
    await blocks.add([], *[[lost(0, entries[0][0])]] * 4, *one_each, [lost(0, entries[6][0], dependency=ARTEFACT)])
    first, second, third = (await client.result("tandem_getHotspots", "earliest", "latest"))["advice"]
    assert first.startswith("5 of 11 `transfer` calls met at 5 entries of `Token.balanceOf` (0.3 ms lost)")
    assert second.startswith("4 of 11 `transfer` calls ran again because of `Token.balanceOf[0]`")
    assert third.startswith("1 of 11 `transfer` calls ran again because of `Token.balanceOf[6]`")


@pytest.mark.usefixtures("named")
async def test_what_cost_next_to_nothing_is_passed_over(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [lost(0, thread_us=990)], [lost(0, slot=9, thread_us=10)])
    told = await client.result("tandem_getHotspots", "earliest", "latest")
    assert len(told["hotspots"]) == 2
    assert len(told["advice"]) == 1


async def test_one_sender_in_its_own_way_is_told_to_use_several_accounts(client: Client, blocks: Blocks) -> None:
    await blocks.add([], [waited(0)], [waited(1)], keys=KEYS[:1])
    assert "one account sent them all" in await advice_on(client)


async def test_a_block_that_went_on_serially_and_one_that_no_worker_saw_are_told(
    client: Client, blocks: Blocks, chain: FakeChain
) -> None:
    await blocks.add([], [], serial_from=1)
    told = await client.result("tandem_getHotspots", "latest", "latest")
    assert "In 1 of 1 blocks more than half of the speculative runs lost" in told["advice"][0]
    made = call(1, KEYS[0])
    await append(chain, (made, transaction_record(made.hash, ran(""))))
    told = await client.result("tandem_getHotspots", "latest", "latest")
    assert told["advice"][0].startswith("No transaction was sent to a worker")
    await append(chain, (made, transaction_record(made.hash, ran(""))), strategy="serial")
    told = await client.result("tandem_getHotspots", "latest", "latest")
    assert told["advice"][0].startswith("The strategy is serial")


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
