"""console.log decoded: against what Hardhat's decoder printed (record_console_logs.mjs), and Foundry's own tests."""

import gzip
import json
import re
from pathlib import Path

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chain.console_arguments import Unreadable, read_list
from chain.console_log import (
    MAX_CONSOLE_BYTES,
    MAX_CONSOLE_MESSAGES,
    NO_CONSOLE_LOGS,
    ConsoleRecorder,
    console_text,
)
from chain.keccak import keccak256

RECORDED = json.loads(gzip.decompress((Path(__file__).parent / "console_logs.json.gz").read_bytes()))
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")
ALL_ONES = 2**256 - 1


def message(types: str, *values: object) -> bytes:
    spelled = types.split(",") if types else []
    return keccak256(f"log({types})".encode())[:4] + encode(spelled, values)


def said(text: str, kind: str, value: object) -> str:
    return console_text(message(f"string,{kind}", text, value))


def test_hardhat_s_decoder_says_the_same_of_each_of_its_functions() -> None:
    assert len(RECORDED["hardhat"]) > 375
    for data, text in RECORDED["hardhat"]:
        ours = console_text(bytes.fromhex(data[2:]))
        assert ADDRESS.sub(lambda found: found[0].lower(), ours) == text


def test_every_function_that_forge_std_ever_had_is_known() -> None:
    for signature in RECORDED["signatures"]:
        kinds = signature[4:-1].replace("uint256", "uint").replace("uint", "uint256").split(",")
        kinds = ["int256" if kind == "int" else kind for kind in kinds if kind]
        values = [{"string": "a", "address": "0x" + "12" * 20, "bool": True}.get(kind, 1) for kind in kinds]
        values = [b"\1" if kind.startswith("bytes") else value for kind, value in zip(kinds, values, strict=True)]
        text = console_text(keccak256(signature.encode())[:4] + encode(kinds, values))
        assert "cannot be read" not in text, signature


def test_addresses_have_their_checksum() -> None:
    address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert console_text(message("address", address)) == address


@pytest.mark.parametrize(
    ("text", "kind", "value", "expected"),
    [
        ("%s", "string", "foo", "foo"),
        ("%o", "string", "foo", "'foo'"),
        ("%%s", "string", "foo", "%s foo"),
        ("%", "string", "foo", "% foo"),
        ("%%", "string", "foo", "% foo"),
        ("%s", "bool", True, "true"),
        ("%o", "bool", True, "'true'"),
        ("%s", "uint256", 100, "100"),
        ("%i", "uint256", 100, "100"),
        ("%o", "uint256", 100, "100"),
        ("%e", "uint256", 100, "1e2"),
        ("%e", "uint256", 1_002_300, "1.0023e6"),
        ("%e", "uint256", 0, "0e0"),
        ("%x", "uint256", 100, "0x64"),
        ("%x", "int256", -100, "0x" + "f" * 62 + "9c"),
        ("%e", "int256", -123_000, "-1.23e5"),
        ("%1e", "int256", 100, "10"),
        ("%2e", "int256", -100, "-1"),
        ("%0e", "int256", 123_000, "123000"),
        ("%7e", "int256", -123_000, "-0.0123"),
        ("%5e", "uint256", 123_456_789, "1234.56789"),
        ("%18e", "uint256", 10**18, "1"),
        ("%1024e", "uint256", 1, f"0.{'0' * 1023}1"),
        ("%1025e", "uint256", 1, "%1025e 1"),
        ("%99999999999999999999e", "uint256", 1, "%99999999999999999999e 1"),
        ("%d %d", "uint256", 1, "1 %d"),
    ],
)
def test_directives_mean_what_foundry_s_tests_say(text: str, kind: str, value: object, expected: str) -> None:
    assert said(text, kind, value) == expected


@pytest.mark.parametrize("kind", ["string", "bool", "address"])
def test_what_is_no_number_is_shown_as_it_is_where_a_number_was_expected(kind: str) -> None:
    value = {"string": "abc", "bool": True, "address": "0x" + "00" * 20}[kind]
    assert said("%d", kind, value) == said("%s", kind, value)


def test_what_lacks_its_arguments_is_shown_as_it_is() -> None:
    whole = message("string,uint256", "a text", 7)
    assert console_text(whole) == "a text 7"
    for size in range(4, len(whole) - 26):
        assert console_text(whole[:size]).startswith("console.log that cannot be read: 0xb60e72cc")
    assert console_text(b"\1\2\3\4") == "console.log that cannot be read: 0x01020304 (4 bytes)"


SELECTORS = [bytes.fromhex(data[2:10]) for data, _ in RECORDED["hardhat"]]
SELECTORS += [keccak256(b"table(%b)" % lists)[:4] for lists in (b"string[]", b"uint256[]", b"string[],string[]")] * 40


@given(st.sampled_from(SELECTORS), st.binary(max_size=256))
def test_any_bytes_give_some_text(selector: bytes, arguments: bytes) -> None:
    assert isinstance(console_text(selector + arguments), str)


def test_offsets_and_sizes_beyond_the_message_are_nothing_to_read() -> None:
    selector = message("string", "a")[:4]
    for start, size in ((ALL_ONES, 1), (32, ALL_ONES), (2**63, 2**63)):
        words = start.to_bytes(32, "big") + size.to_bytes(32, "big") + bytes(32)
        assert "cannot be read" in console_text(selector + words)


@pytest.mark.parametrize(
    ("types", "lists", "expected"),
    [
        (
            "uint256[]",
            [[100, 200, 300]],
            """
┌─────────┬────────┐
│ (index) │ Values │
├─────────┼────────┤
│ 0       │ 100    │
│ 1       │ 200    │
│ 2       │ 300    │
└─────────┴────────┘""",
        ),
        (
            "string[],int256[]",
            [["a", "longer key"], [-1, 2, 3]],
            """
┌────────────┬────────┐
│ (index)    │ Values │
├────────────┼────────┤
│ a          │ -1     │
│ longer key │ 2      │
│            │ 3      │
└────────────┴────────┘""",
        ),
        (
            "string[],address[]",
            [["a", "b"], ["0x" + "ab" * 20]],
            """
┌─────────┬────────────────────────────────────────────┐
│ (index) │ Values                                     │
├─────────┼────────────────────────────────────────────┤
│ a       │ 0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB │
│ b       │                                            │
└─────────┴────────────────────────────────────────────┘""",
        ),
        (
            "bool[]",
            [[]],
            """
┌─────────┬────────┐
│ (index) │ Values │
├─────────┼────────┤
└─────────┴────────┘""",
        ),
    ],
)
def test_tables_are_drawn_as_anvil_1_7_1_draws_them(types: str, lists: list[list[object]], expected: str) -> None:
    data = keccak256(f"table({types})".encode())[:4] + encode(types.split(","), lists)
    assert console_text(data) == expected.removeprefix("\n")


def test_texts_that_overlap_and_cells_that_widen_a_table_do_not_make_it_endless() -> None:
    selector = keccak256(b"table(string[])")[:4]
    words = [32, 1_500, *[1_500 * 32] * 1_500, 10_000]
    overlapping = b"".join(word.to_bytes(32, "big") for word in words) + b"x" * 10_000
    with pytest.raises(Unreadable):
        read_list(overlapping, 0, "string")
    assert "cannot be read" in console_text(selector + overlapping)
    endless = b"".join(word.to_bytes(32, "big") for word in (32, ALL_ONES, 0))
    assert "cannot be read" in console_text(selector + endless)
    wide = selector + encode(["string[]"], [["x" * 20_000, *["y"] * 300]])
    assert "cannot be read" in console_text(wide)


def test_a_run_keeps_the_first_messages_and_counts_the_others() -> None:
    many, large = ConsoleRecorder(), ConsoleRecorder()
    for _ in range(MAX_CONSOLE_MESSAGES + 3):
        many.add(message(""))
    assert (len(many.logs().messages), many.logs().omitted) == (MAX_CONSOLE_MESSAGES, 3)
    for size in (5, MAX_CONSOLE_BYTES, 4):
        large.add(bytes(size))
    assert [len(kept) for kept in large.logs().messages] == [5]
    assert large.logs().omitted == 2


def test_a_call_without_a_selector_says_nothing() -> None:
    recorder = ConsoleRecorder()
    recorder.add(b"")
    recorder.add(b"\1\2\3")
    assert recorder.logs() == NO_CONSOLE_LOGS
