"""Writes a state file from the pages of a state, which come by address, while the file has accounts as the tries do."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from chain.codec import decode_value, encode_value
from chain.keccak import keccak256
from chain.messages.state_pages import AccountPart, StatePage
from chain.state_head import StateHead
from storage.sorted_rows import Row, SortedRows
from storage.state import SLOT_BYTES
from storage.state_file import PART_BYTES, StateFileUnwritable, StateFileWriter, StatePart

HASH_BYTES = 32


@dataclass(slots=True)
class StateTotals:
    """What a state file holds."""

    accounts: int = 0
    slots: int = 0
    codes: int = 0


def write_state_file(path: Path, head: StateHead, headers: Iterable[bytes], pages: Iterable[StatePage]) -> StateTotals:
    """Write the file, with the encoded headers of the blocks before. Raises StateFileUnwritable, and what `pages` does.

    However large the state is, this holds some 200 MB at a time, and the hash of each code.
    """
    writer = StateFileWriter(path, head)
    totals = StateTotals()
    try:
        with closing(SortedRows(path.parent)) as rows:
            writer.add(StatePart(tuple(headers), (), ()))
            _take(pages, writer, rows, totals)
            for accounts in _grouped(rows.rows(), totals):
                writer.add(StatePart((), (), accounts))
        writer.finish()
    except OSError as error:
        writer.abandon()
        raise StateFileUnwritable(path, error.strerror or str(error)) from error
    except BaseException:
        writer.abandon()
        raise
    return totals


def _take(pages: Iterable[StatePage], writer: StateFileWriter, rows: SortedRows, totals: StateTotals) -> None:
    """Write each code once, before any account, and hand everything else over to be sorted."""
    written: set[bytes] = set()
    for page in pages:
        codes = {keccak256(code): code for code in page.codes}
        fresh = tuple([code for code_hash, code in codes.items() if code_hash not in written])
        if fresh:
            writer.add(StatePart((), fresh, ()))
        written.update(codes)
        for part in page.accounts:
            key = keccak256(part.address)
            rows.add(key, encode_value(replace(part, slots=())))
            for number, value in part.slots:
                name = number.to_bytes(SLOT_BYTES, "big")
                rows.add(key + keccak256(name), name + value.to_bytes(SLOT_BYTES, "big"))
    totals.codes = len(written)


def _grouped(rows: Iterable[Row], totals: StateTotals) -> Iterator[tuple[AccountPart, ...]]:
    """Accounts with their slots, as many together as make a part of a file. A row of an account precedes its slots'."""
    parts: list[AccountPart] = []
    slots: list[tuple[int, int]] = []
    size = 0

    def close_account() -> None:
        if slots:
            parts[-1] = replace(parts[-1], slots=tuple(slots))
            slots.clear()

    for key, value in rows:
        size += len(value)
        if len(key) == HASH_BYTES:
            close_account()
            parts.append(decode_value(AccountPart, value))
            totals.accounts += 1
        else:
            slots.append((int.from_bytes(value[:SLOT_BYTES], "big"), int.from_bytes(value[SLOT_BYTES:], "big")))
            totals.slots += 1
        if size >= PART_BYTES:
            close_account()
            yield tuple(parts)
            parts, size = [replace(parts[-1], slots=())], 0
    close_account()
    yield tuple(parts)
