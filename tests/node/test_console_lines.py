"""What the terminal and programs are shown of console.log."""

import json

import pytest
from eth_abi.abi import encode

from chain.addresses import checksummed
from chain.console_log import ConsoleLogs
from chain.keccak import keccak256
from chain.types import BlockNumber, Hash32
from node.console_lines import MAX_BLOCK_TEXT, block_console_facts, block_console_lines
from node.output import Output
from tests.execution.engine.small_world import CONTRACT
from tests.execution.engine.test_calls import message

FIRST, SECOND = Hash32(b"\x01" * 32), Hash32(b"\x02" * 32)


def logs(*texts: str, omitted: int = 0) -> ConsoleLogs:
    selector = keccak256(b"log(string)")[:4]
    return ConsoleLogs(tuple(selector + encode(["string"], [text]) for text in texts), omitted)


def shown(text: str) -> list[str]:
    """The lines of one message, without the transaction's and what they are indented by."""
    _, *lines = block_console_lines([(FIRST, logs(text))])
    assert all(not line or line.startswith(" " * 12) for line in lines)
    return [line[12:] for line in lines]


def test_each_transaction_is_named_before_what_it_logged() -> None:
    assert block_console_lines([(FIRST, logs("one", "two")), (SECOND, logs("three"))]) == [
        f"          0x{'01' * 32} console.log:",
        "            one",
        "            two",
        f"          0x{'02' * 32} console.log:",
        "            three",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("two\nlines", ["two", "lines"]),
        ("windows\r\nlines", ["windows", "lines"]),
        ("tab\tulated", ["tab\tulated"]),
        ("\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[0m", ["red and green"]),
        ("over\rwritten", [r"over\rwritten"]),
        ("\x1b[2J\x1b]0;title\x07", [r"\x1b[2J\x1b]0;title\x07"]),
        ("\x9b31m\x00\x7f", [r"\x9b31m\x00\x7f"]),
        ("right to left \u202e, line \u2028 ends", [r"right to left \u202e, line \u2028 ends"]),
        ("äöü €5 \U0001f600", ["äöü €5 \U0001f600"]),
        ("", [""]),
    ],
)
def test_nothing_that_is_logged_moves_the_cursor_or_changes_colours(text: str, lines: list[str]) -> None:
    assert shown(text) == lines


def test_a_block_s_messages_are_bounded_and_what_is_left_out_is_counted() -> None:
    fitting = MAX_BLOCK_TEXT // 1024
    large = logs(*["x" * 1011] * (fitting + 5), omitted=3)
    others = [(SECOND, logs("y", "z"))] * 7
    lines = block_console_lines([(FIRST, large), *others])
    assert len(lines) == 1 + fitting + 2
    assert lines[-2:] == ["            and 8 more, not shown", "          and what 7 more of the transactions logged"]
    facts = block_console_facts(BlockNumber(5), [(FIRST, large), *others])
    assert [(len(fact["messages"]), fact["omitted"]) for fact in facts] == [(fitting, 8)] + [(0, 2)] * 7


def test_empty_lines_take_room_too() -> None:
    assert len(shown("\n" * MAX_BLOCK_TEXT)) == 1


def test_what_is_long_to_read_takes_room_too() -> None:
    long = ConsoleLogs((bytes(65_536),) * 10)
    assert block_console_lines([(FIRST, long)])[-1] == "            and 2 more, not shown"


def test_programs_are_given_the_texts_as_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    Output(json_lines=True, quiet=False).call_logged("eth_call", message(), logs("a\n\x1b[31mb", omitted=1))
    printed = capfd.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == {
        "event": "console",
        "method": "eth_call",
        "to": checksummed(CONTRACT),
        "messages": ["a\n\x1b[31mb"],
        "omitted": 1,
    }


def test_a_call_s_line_names_the_method_and_the_contract(capfd: pytest.CaptureFixture[str]) -> None:
    Output(json_lines=False, quiet=False).call_logged("eth_call", message(), logs("hello"))
    Output(json_lines=False, quiet=False).call_logged("eth_estimateGas", message(None), logs("made"))
    first, second, third, fourth = capfd.readouterr().out.splitlines()
    assert first.endswith(f"  eth_call of {checksummed(CONTRACT)} console.log:")
    assert (second, fourth) == ("            hello", "            made")
    assert third.endswith("  eth_estimateGas of a creation console.log:")


@pytest.mark.parametrize(("quiet", "console_log"), [(True, True), (False, False)])
def test_it_can_be_silenced(quiet: bool, console_log: bool, capfd: pytest.CaptureFixture[str]) -> None:
    Output(json_lines=False, quiet=quiet, console_log=console_log).call_logged("eth_call", message(), logs("hello"))
    assert capfd.readouterr().out == ""
