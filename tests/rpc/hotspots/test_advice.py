"""The advice of tandem_getHotspots: which pattern held transactions up, and its remedy."""

from typing import Any

import pytest

from chain.keccak import keccak256
from chain.records import AccessKind
from rpc.naming.contract import contract_from
from rpc.naming.names import Names
from rpc.naming.preimages import Preimages
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.executions_world import ARTEFACT, append, lost, ran, transaction_record, waited
from tests.rpc.fake_chain import ALICE, KEYS, TOKEN, FakeChain
from tests.rpc.hotspots.world import ABI, BALANCE, LAYOUT, SET_PRICE, Blocks, changing, name_by
from tests.rpc.test_executions import call


async def advice_on(client: Client) -> str:
    """The first piece of advice."""
    return str((await client.result("tandem_getHotspots", "earliest", "latest"))["advice"][0])


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
        (1 | 1 << 128, "Raffle.sold, Raffle.drawn", "1"),
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
    name_by(names, process, monkeypatch)
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
    "a nonce": ("Send from several accounts", [[], [], [], [waited(0, kind=AccessKind.NONCE, address=ALICE)]], []),
    "a factory's nonce": ("several factories", [[], *[[lost(0, kind=AccessKind.NONCE, address=TOKEN)]] * 2], []),
    "a lock": (
        "it is the strategy that locks whole accounts",
        [[], [waited(0, kind=AccessKind.ACCOUNT, dependency=ARTEFACT)]],
        [],
    ),
    "what the strategy expected and did not come": (
        "calls like them met there in blocks before",
        [[], [waited(0, dependency=ARTEFACT)]],
        [],
    ),
    "what a rejected run left": (
        "speculative runs that were rejected themselves",
        [[], [lost(0, dependency=ARTEFACT)]],
        [],
    ),
}


A_ONE, AB_TWO = 0x41 << 248 | 2, 0x4142 << 240 | 4
"""The slots of the strings A and AB: content, and twice the length."""


@pytest.mark.parametrize(
    ("type", "changes", "expected"),
    [
        ("string", [(0x41, 0x61), (0x61, 0x81)], "it is the length of a string value"),
        ("bytes", [(0x41, 0x61), (0x61, 0x103)], "it is the length of a bytes value"),
        ("array", [(3, 4), (4, 5)], "it is the length of an array"),
        ("string", [(A_ONE, AB_TWO), (AB_TWO, A_ONE)], "they all read and change it"),
        ("uint256", [(0x41, 0x61), (0x61, 0x81)], "each changes it by 32"),
    ],
)
async def test_the_length_of_what_grows_is_told_from_a_counter(
    client: Client,
    chain: FakeChain,
    blocks: Blocks,
    process: RpcProcess,
    monkeypatch: pytest.MonkeyPatch,
    type: str,
    changes: list[tuple[int, int]],
    expected: str,
) -> None:
    types = {
        "string": {"label": "string", "encoding": "bytes", "numberOfBytes": "32"},
        "bytes": {"label": "bytes", "encoding": "bytes", "numberOfBytes": "32"},
        "array": {"label": "uint256[]", "encoding": "dynamic_array", "base": "uint256", "numberOfBytes": "32"},
        "uint256": {"label": "uint256", "encoding": "inplace", "numberOfBytes": "32"},
    }
    layout = {"storage": [{"label": "log", "slot": "0", "offset": 0, "type": type}], "types": types}
    names = Names({TOKEN: (contract_from("Book", ABI, layout, None),)}, Preimages({}))
    name_by(names, process, monkeypatch)
    await blocks.add([], [lost(0)], [lost(1)])
    changing(chain, 0, *changes)
    assert f"ms lost): {expected}" in await advice_on(client)


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
    name_by(names, process, monkeypatch)
    one_each = [[lost(0, slot)] for slot, _ in entries[1:6]]
    await blocks.add([], *[[lost(0, entries[0][0])]] * 4, *one_each, [lost(0, entries[6][0], dependency=ARTEFACT)])
    first, second, third = (await client.result("tandem_getHotspots", "earliest", "latest"))["advice"]
    assert first.startswith("5 of 11 `transfer` calls met at 5 entries of `Token.balanceOf` (0.3 ms lost)")
    assert second.startswith(f"4 of 11 `transfer` calls ran again because of `Token.balanceOf[0x{0:040x}]`")
    assert third.startswith(f"1 of 11 `transfer` calls ran again because of `Token.balanceOf[0x{6:040x}]`")


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
    assert told["advice"][0].endswith("is told by a block's critical path.")
    await append(chain, (made, transaction_record(made.hash, ran(""))), strategy="serial")
    told = await client.result("tandem_getHotspots", "latest", "latest")
    assert told["advice"][0].startswith("The strategy is serial")
