"""Slots that real bytecode writes get the names their Solidity source has for them."""

from typing import Any

import pytest

from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.types import Address
from rpc.naming.guesses import guessable
from rpc.naming.layout import BadLayout, layout_from
from rpc.naming.preimages import MAX_HOPS, Preimages, origin_of
from rpc.naming.unnamed import described
from rpc.naming.values import shortened, typed_key
from rpc.naming.variables import changed_bits, variables_at
from tests.rpc.naming_world import Change, NamingWorld, layout_of

ANN, BEN = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
A, B = checksummed(ANN), checksummed(BEN)
LONG = "a title that does not fit into the thirty-one bytes of a slot"

WRITES: list[tuple[str, tuple[Any, ...], list[str]]] = [
    ("credit", (ANN, 5), [f"_balances[{A}]"]),
    ("pause", (True,), ["paused"]),
    ("rise", (7,), ["level"]),
    ("paint", (2,), ["color"]),
    ("own", (ANN,), ["owner"]),
    ("score", (3, 9), ["players[3].score"]),
    ("scoreAndLives", (3, 9, 1), ["players[3].score, players[3].lives"]),
    ("rename", (2, "Ann"), ["players[2].name"]),
    ("remember", (4, 11), ["players[4].history[0]"]),
    ("join", (), ["players.length"]),
    ("allow", (1, bytes.fromhex("deadbeef")), ["players[1].may[0xdeadbeef]"]),
    ("sit", (1, BEN), ["seats[1].owner"]),
    ("number", (2**200, 3), [f"byNumber[{2**200}].lives"]),
    ("approve", (ANN, BEN, 1), [f"allowance[{A}][{B}]"]),
    ("keyed", ("gold", 1), ['byName["gold"]']),
    ("keyed", ("", 1), ['byName[""]']),
    ("keyed", ("x" * 32, 1), [f'byName["{"x" * 32}"]']),
    ("keyed", ("x" * 100, 1), [f'byName["{"x" * 47}…"]']),
    ("keyedByBytes", (b"\x01\xff", 1), ["byBytes[0x01ff]"]),
    ("keyedByColor", (1, 1), ["byColor[1]"]),
    ("keyedByLedger", (BEN, 1), [f"byLedger[{B}]"]),
    ("keyedByInt", (-3, 1), ["byInt[-3]"]),
    ("keyedByBool", (True, 1), ["byBool[true]"]),
    ("keyedBySelector", (bytes.fromhex("a9059cbb"), 1), ["bySelector[0xa9059cbb]"]),
    ("keyedById", (77, 1), ["byId[77]"]),
    ("cell", (33, 1), ["cells[33]"]),
    ("fill", (9,), ["cells[0..31]"]),
    ("put", (4, 1), ["dense[4]"]),
    ("plot", (1, 2, 1), ["grid[1][2]"]),
    ("set", (3, 0, 1), ["matrix[3][0]"]),
    ("move", (3, 1), ["points[3].y"]),
    ("say", (4, "word"), ["words[4]"]),
    ("entitle", ("short",), ["title"]),
    ("list", (ANN, 8), [f"lists[{A}].length", f"lists[{A}][0]"]),
    ("sign", (-1,), ["signed"]),
]


def named(world: NamingWorld, changes: list[Change], preimages: Preimages) -> list[str]:
    layout = layout_of("Shelves")
    sources = [preimages, guessable(layout)]
    return [
        ", ".join(variables_at(layout, origin_of(c.slot, sources), changed_bits(c.before, c.after))) for c in changes
    ]


@pytest.mark.parametrize(("function", "arguments", "names"), WRITES, ids=[f"{w[0]}-{w[2][0]:.30}" for w in WRITES])
def test_a_written_slot_has_the_name_of_the_variable_in_the_source(
    function: str, arguments: tuple[Any, ...], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NamingWorld("Shelves", monkeypatch)
    changes = world.call(function, *arguments)
    assert sorted(named(world, changes, Preimages(world.hashed))) == sorted(names)


def test_a_long_string_lies_where_its_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    world = NamingWorld("Shelves", monkeypatch)
    for function, value in (("entitle", LONG), ("store", LONG.encode())):
        name = "title" if function == "entitle" else "blob"
        changes = world.call(function, value)
        assert set(named(world, changes, Preimages(world.hashed))) == {
            name,
            f"{name} bytes 0..31",
            f"{name} bytes 32..63",
        }


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        ("score", (3, 9), "players[3].score"),
        ("remember", (4, 11), "players[4].history[0]"),
        ("put", (4, 1), "dense[4]"),
        ("set", (3, 0, 1), "matrix[3][0]"),
        ("keyedByColor", (1, 1), "byColor[1]"),
    ],
)
def test_arrays_are_named_without_having_seen_what_was_hashed(
    function: str, arguments: tuple[Any, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NamingWorld("Shelves", monkeypatch)
    assert named(world, world.call(function, *arguments), Preimages()) == [name]


def test_all_variables_of_a_slot_are_named_where_nobody_says_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of("Shelves")
    assert variables_at(layout, origin_of(1, [])) == ["paused", "level", "color", "owner"]
    assert variables_at(layout, origin_of(1, []), changed_bits(5, 5)) == ["paused", "level", "color", "owner"]
    assert variables_at(layout, origin_of(22, [])) == ["cells[32..39]"]


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("credit", (ANN, 5), [f"mapping at slot 0, key {A}"]),
        ("pause", (True,), ["slot 1"]),
        ("approve", (ANN, BEN, 1), [f"mapping at slot 12, key {A}, key {B}"]),
        ("number", (5, 3), ["mapping at slot 11, key 5"]),
        ("keyed", ("gold", 1), ['mapping at slot 13, key "gold"']),
        ("keyedByInt", (-3, 1), ["mapping at slot 17, key 0x" + "ff" * 31 + "fd"]),
        ("score", (3, 9), ["array at slot 2, index 12"]),
        ("set", (3, 0, 1), ["array at (array at slot 26, index 3), index 0"]),
        ("list", (ANN, 8), [f"mapping at slot 31, key {A}", f"array at (mapping at slot 31, key {A}), index 0"]),
        ("rename", (2, LONG), ["array at slot 2, index 9"]),
    ],
)
def test_without_a_layout_a_slot_is_described_by_what_was_hashed(
    function: str, arguments: tuple[Any, ...], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NamingWorld("Shelves", monkeypatch)
    changes = world.call(function, *arguments)
    found = [described(c.slot, origin_of(c.slot, [Preimages(world.hashed)])) for c in changes]
    assert set(words) <= set(found)


BY_NAMES: list[tuple[str, tuple[Any, ...], str]] = [
    ("supply", (1,), "openzeppelin.storage.ERC20 + 2"),
    ("credit", (ANN, 1), f"mapping at openzeppelin.storage.ERC20, key {A}"),
    ("upgrade", (ANN,), "EIP-1967 implementation"),
    ("byText", ("my.storage", ANN, 1), f'mapping at keccak256("my.storage"), key {A}'),
    ("byText", ("diamond.standard.diamond.storage", ANN, 1),
     f'mapping at keccak256("diamond.standard.diamond.storage"), key {A}'),
    ("byVyper", (ANN, 1), f"mapping at slot 7, key {A}"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "words"), BY_NAMES)
def test_a_slot_where_a_name_s_hash_says_is_known_by_that_name(
    function: str, arguments: tuple[Any, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NamingWorld("Namespaced", monkeypatch)
    [change] = world.call(function, *arguments)
    assert described(change.slot, origin_of(change.slot, [Preimages(world.hashed)])) == words


def test_a_slot_of_unknown_origin_has_no_words() -> None:
    slot = int.from_bytes(keccak256(b"?"), "big")
    assert described(slot, origin_of(slot, [Preimages()])) is None
    assert variables_at(layout_of("Shelves"), origin_of(slot, [Preimages()])) == []


def test_the_way_back_from_a_slot_ends() -> None:
    known, preimage = {}, bytes(32)
    for _ in range(2 * MAX_HOPS):
        known[keccak256(preimage)] = preimage
        preimage = keccak256(preimage)
    assert len(origin_of(int.from_bytes(preimage, "big"), [Preimages(known)]).hops) == MAX_HOPS


def test_preimages_are_forgotten_oldest_first() -> None:
    preimages = Preimages(limit=2)
    slots = [bytes([n]) * 32 for n in range(3)]
    for slot in slots:
        preimages.add({keccak256(slot): slot})
    found = [preimages.near_below(int.from_bytes(keccak256(slot), "big") + 5) for slot in slots]
    assert [hop and hop.preimage for hop in found] == [None, slots[1], slots[2]]


def test_a_struct_that_contains_itself_ends_too() -> None:
    member = {"label": "s", "slot": "0", "offset": 0, "type": "t_s"}
    type = {"encoding": "inplace", "label": "struct S", "numberOfBytes": "32", "members": [member]}
    layout = layout_from({"storage": [member], "types": {"t_s": type}})
    assert variables_at(layout, origin_of(0, [guessable(layout)])) == []


@pytest.mark.parametrize(("members", "depth"), [(2, 32), (500, 3)])
def test_a_layout_that_no_compiler_made_costs_no_more_than_one_that_did(members: int, depth: int) -> None:
    inside = [{"label": f"s{n}", "slot": "0", "offset": 0, "type": "t_s"} for n in range(members)]
    type = {"encoding": "inplace", "label": "struct S", "numberOfBytes": "32", "members": inside}
    layout = layout_from({"storage": inside, "types": {"t_s": type}})
    assert members**depth > 10**8, "so many ways lead through it"
    assert variables_at(layout, origin_of(0, [guessable(layout)])) == []


def test_thirty_two_variables_in_one_slot_of_a_struct_are_all_named() -> None:
    flags = [{"label": f"f{n}", "slot": "0", "offset": n, "type": "t_bool"} for n in range(32)]
    types = {
        "t_bool": {"encoding": "inplace", "label": "bool", "numberOfBytes": "1"},
        "t_s": {"encoding": "inplace", "label": "struct S", "numberOfBytes": "32", "members": flags},
    }
    layout = layout_from({"storage": [{"label": "s", "slot": "0", "offset": 0, "type": "t_s"}], "types": types})
    assert variables_at(layout, origin_of(0, [])) == [f"s.f{n}" for n in range(32)]


def test_the_length_of_an_array_may_have_as_many_digits_as_it_likes() -> None:
    types = {"t_a": {"encoding": "inplace", "label": f"uint256[{'9' * 1900}]", "numberOfBytes": "32", "base": "t_a"}}
    assert layout_from({"storage": [], "types": types}).types["t_a"].length is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "is an object with the list"),
        ({"storage": [{"label": "x"}], "types": {}}, "`slot` is no number"),
        ({"storage": [{"label": "x", "slot": "-1"}], "types": {}}, "`slot` is no number"),
        ({"storage": [{"label": "x", "slot": 0, "offset": 0, "type": "t_x"}], "types": {}}, "'t_x'"),
        ({"storage": [], "types": {"t_x": {"encoding": "sideways"}}}, "`encoding` is one of"),
        ({"storage": [], "types": {"t_x": {"encoding": "mapping", "label": "m", "numberOfBytes": 32}}}, "type ''"),
    ],
)
def test_what_is_no_layout_is_refused_in_words(value: Any, words: str) -> None:
    with pytest.raises(BadLayout, match=words):
        layout_from(value)


def test_a_contract_without_variables_has_an_empty_layout() -> None:
    assert layout_from({"storage": [], "types": None}).variables == ()


def test_addresses_in_a_name_can_be_short() -> None:
    assert shortened(f"allowance[{A}][7]") == f"allowance[{A[:6]}…{A[-4:]}][7]"


def test_a_key_that_is_a_text_shows_no_control_characters() -> None:
    assert typed_key("string", "a\x1b[2J\x9b2J\u202eä".encode()) == '"a\\u001b[2J\\u009b2J\\u202eä"'
