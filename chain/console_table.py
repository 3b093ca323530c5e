"""console.table of forge-std: lists side by side, in the frame that Foundry draws."""

from collections.abc import Sequence
from itertools import zip_longest

from chain.console_arguments import Unreadable

HEAD = ("(index)", "Values")
MAX_TABLE_CHARACTERS = 256 * 1024
"""One long cell widens all rows."""


def table_text(lists: Sequence[Sequence[str]]) -> str:
    """Values with their keys, or with their positions if there are none. Raises Unreadable if it would be too large."""
    values = lists[-1]
    keys = lists[0] if len(lists) > 1 else [str(index) for index in range(len(values))]
    rows = [(_one_line(key), _one_line(value)) for key, value in zip_longest(keys, values, fillvalue="")]
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in (0, 1)]
    if (sum(widths) + 8) * (len(rows) + 4) > MAX_TABLE_CHARACTERS:
        raise Unreadable
    lines = [_rule("┌", "┬", "┐", widths), _row(HEAD, widths), _rule("├", "┼", "┤", widths)]
    return "\n".join([*lines, *(_row(row, widths) for row in rows), _rule("└", "┴", "┘", widths)])


def _one_line(cell: str) -> str:
    return " ".join(cell.splitlines())


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "│ " + " │ ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " │"


def _rule(left: str, middle: str, right: str, widths: Sequence[int]) -> str:
    return left + middle.join("─" * (width + 2) for width in widths) + right
