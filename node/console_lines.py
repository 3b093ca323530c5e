"""What contracts logged by console.log, as the terminal and programs are shown it.

The texts are a stranger's: on a terminal nothing of them moves its cursor or changes its colours.
"""

import re
import time
from collections.abc import Sequence
from typing import Any

from chain.addresses import checksummed
from chain.console_log import ConsoleLogs, console_text
from chain.messages.calls import CallMessage
from chain.types import BlockNumber, Hash32

TransactionLogs = Sequence[tuple[Hash32, ConsoleLogs]]

MAX_BLOCK_TEXT = 128 * 1024
"""Characters that are shown of one block's transactions, or of a call."""
INDENT = " " * 10
LINE_OVERHEAD = len(INDENT) + 3
BYTES_A_CHARACTER = 4
COLOURS = re.compile(r"\x1b\[[0-9;]{0,32}m")
"""forge-std's StdStyle writes them around words, which read as well without."""


class _Room:
    """What is left of MAX_BLOCK_TEXT."""

    def __init__(self) -> None:
        self._left = MAX_BLOCK_TEXT

    @property
    def is_full(self) -> bool:
        return self._left < 0

    def texts(self, logs: ConsoleLogs) -> tuple[list[str], int]:
        """Those that there is room for, and how many are left out."""
        shown: list[str] = []
        for message in logs.messages:
            text = console_text(message)
            # What is long to read and short to show counts too: it holds up the next block.
            shown_as = len(text) + LINE_OVERHEAD * (1 + text.count("\n"))
            self._left -= max(shown_as, len(message) // BYTES_A_CHARACTER)
            if self.is_full:
                break
            shown.append(text)
        return shown, len(logs.messages) - len(shown) + logs.omitted


def block_console_lines(console: TransactionLogs) -> list[str]:
    """Of each transaction its hash, and under it what it logged."""
    room = _Room()
    lines: list[str] = []
    for at, (transaction, logs) in enumerate(console):
        if room.is_full:
            return [*lines, f"{INDENT}and what {len(console) - at:,} more of the transactions logged"]
        lines += [f"{INDENT}0x{transaction.hex()} console.log:", *_indented(room, logs)]
    return lines


def block_console_facts(number: BlockNumber, console: TransactionLogs) -> list[dict[str, Any]]:
    """The same for programs, a transaction each."""
    room = _Room()
    facts = []
    for transaction, logs in console:
        texts, omitted = room.texts(logs)
        facts.append({"number": number, "transaction": "0x" + transaction.hex(), "messages": texts, "omitted": omitted})
    return facts


def call_console_text(method: str, call: CallMessage, logs: ConsoleLogs) -> str:
    """What a call that is no transaction logged."""
    called = "a creation" if call.to is None else checksummed(call.to)
    head = f"{time.strftime('%H:%M:%S')}  {method} of {called} console.log:"
    return "\n".join([head, *_indented(_Room(), logs)])


def call_console_facts(method: str, call: CallMessage, logs: ConsoleLogs) -> dict[str, Any]:
    texts, omitted = _Room().texts(logs)
    to = None if call.to is None else checksummed(call.to)
    return {"method": method, "to": to, "messages": texts, "omitted": omitted}


def _indented(room: _Room, logs: ConsoleLogs) -> list[str]:
    texts, omitted = room.texts(logs)
    lines = [f"{INDENT}  {_harmless(line)}".rstrip() for text in texts for line in text.split("\n")]
    if omitted:
        lines.append(f"{INDENT}  and {omitted:,} more, not shown")
    return lines


def _harmless(line: str) -> str:
    """Without colours, and with what else is no character to be seen as Python writes it."""
    plain = COLOURS.sub("", line).removesuffix("\r")
    if plain.isprintable():
        return plain
    return "".join(each if each.isprintable() or each == "\t" else _escaped(each) for each in plain)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
