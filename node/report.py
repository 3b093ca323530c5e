"""What `tandem report` prints: how blocks were executed, what that cost, and what to change. Pure formatting.

`block` is what tandem_getBlockExecution answers, `spots` what tandem_getHotspots does.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from node.timeline import WIDTH as DRAWN
from node.timeline import timeline

SHOWN_CONFLICTS = 10
SHOWN_HOTSPOTS = 10
WIDTH = 100
LEAST_DRAWN, BESIDE_IT = 20, 13
"""Columns of the timeline where the terminal is narrow, and of the names before it."""
LONGEST_NUMBER = 2**112
"""Beyond what markets keep as a reserve a value is shown in hex: it is more likely something else, as packed fields."""
Told = Mapping[str, Any]


def metrics(spots: Told, block: Told | None) -> dict[str, float | None]:
    """The named numbers of a report; None where one has no meaning. With `block` the report is of that block alone."""
    transactions, critical_us = spots["transactions"], None if block is None else block["criticalPathUs"]
    return {
        "speedup": spots["speedup"],
        "transactions": transactions,
        "left_out": spots["leftOut"],
        "attempts": spots["attempts"],
        "conflicts": spots["conflicts"],
        "conflict_rate": _share(spots["conflicts"], transactions),
        "waits": spots["waits"],
        "held_up": spots["heldUp"],
        "held_up_rate": _share(spots["heldUp"], transactions),
        "lost_ms": spots["lostUs"] / 1000,
        "gas": spots["gasUsed"],
        "execution_ms": spots["executionUs"] / 1000,
        "serial_ms": spots["serialUs"] / 1000,
        "critical_path_ms": None if critical_us is None else critical_us / 1000,
        "critical_path_share": _share(critical_us, spots["serialUs"]),
    }


def _share(part: int | None, whole: int) -> float | None:
    return round(part / whole, 4) if part is not None and whole else None


def lines_of(spots: Told, block: Told | None, width: int = WIDTH) -> Iterator[str]:
    """The whole report; `block` is the one to draw, None where nothing ran. `width`: of the drawing and the advice."""
    yield _head(spots)
    if block is None:
        yield "no transaction ran there"
        return
    yield _totals(spots)
    yield from ("", _block_line(block), *_path_lines(block), "")
    yield from timeline(block, max(LEAST_DRAWN, min(DRAWN, width - BESIDE_IT)))
    yield from _conflict_lines(block)
    yield from _hotspot_lines(spots)
    yield from _advice_lines(spots, width)


def _head(spots: Told) -> str:
    first, last = spots["from"], spots["to"]
    where = f"block {first}" if first == last else f"blocks {first} to {last}"
    return f"{where}: {counted(spots['transactions'], 'transaction')}, {spots['gasUsed']:,} gas"


def _totals(spots: Told) -> str:
    speedup = "" if spots["speedup"] is None else f": {spots['speedup']:.2f} times as fast"
    return (
        f"executed in {_ms(spots['executionUs'])}, serially {_ms(spots['serialUs'])} ({spots['serialTime']}){speedup}\n"
        f"{counted(spots['attempts'], 'run')}, {spots['conflicts']} lost by conflicts, "
        f"{counted(spots['waits'], 'wait')}: {counted(spots['heldUp'], 'transaction')} held up, "
        f"{_ms(spots['lostUs'])} lost; {spots['leftOut']} left out"
    )


def _block_line(block: Told) -> str:
    serial = "" if block["serialFrom"] is None else f", serial from transaction {block['serialFrom']}"
    return (
        f"block {block['number']}: strategy {block['strategy']}, {counted(block['workers'], 'worker')}, "
        f"{counted(len(block['transactions']), 'transaction')} in {_ms(block['executionUs'])}{serial}"
    )


def _path_lines(block: Told) -> Iterator[str]:
    if block["criticalPath"] and len(block["criticalPath"]) > 1:
        yield (
            f"critical path: {len(block['criticalPath'])} transactions that each need the one before, "
            f"{_ms(block['criticalPathUs'])}; no number of workers is faster"
        )


def _conflict_lines(block: Told) -> Iterator[str]:
    rows = [
        (transaction, run)
        for transaction in block["transactions"]
        for run in transaction["attempts"]
        if run["conflict"] is not None
    ]
    if rows:
        yield from ("", "conflicts in this block")
        for transaction, run in rows[:SHOWN_CONFLICTS]:
            yield from _conflict_line(transaction, run)
        if len(rows) > SHOWN_CONFLICTS:
            yield f"  and {len(rows) - SHOWN_CONFLICTS} more"


def _conflict_line(transaction: Told, run: Told) -> Iterator[str]:
    conflict = run["conflict"]
    writer = conflict["writer"]
    who = "what came before the transactions" if writer is None else f"transaction {writer['position']}"
    read, found = _difference(conflict)
    yield (
        f"  transaction {transaction['position']} ({called(transaction)}) on {run['worker']} read {read}, "
        f"{who} made it {found}{_doubt(conflict)}"
    )


def _difference(conflict: Told) -> tuple[str, str]:
    """What was read and what was found; of several variables in a slot each that differs."""
    variables = conflict["variables"] or [{**conflict, "variable": key_of(conflict)}]
    read = ", ".join(f"{each['variable']} = {_value(each['read'])}" for each in variables)
    if len(variables) == 1:
        return read, _value(variables[0]["found"])
    return read, ", ".join(f"{each['variable']} = {_value(each['found'])}" for each in variables)


def _value(value: str) -> str:
    """A number as people write it, unless it is too long to be one."""
    return str(int(value, 16)) if int(value, 16) < LONGEST_NUMBER else _shortened(value)


def _doubt(conflict: Told) -> str:
    return "" if conflict["dependency"] == "real" else "; an artefact of the strategy"


def called(transaction: Told) -> str:
    """Token.transfer, what is known of it."""
    if transaction["to"] is None:
        return "deployment"
    contract = transaction["contract"] or _shortened(transaction["to"])
    function = transaction["function"]
    return f"{contract}.{function.partition('(')[0]}" if function else f"to {contract}"


def key_of(key: Told) -> str:
    """The variable by name, or what is known of it."""
    if key["variable"] is not None:
        return str(key["variable"])
    where = key.get("contract") or _shortened(key["address"])
    if key["slot"] is not None:
        return f"slot {_shortened(hex(int(key['slot'], 16)))} of {where}"
    words = {"balanceAtLeast": "balance", "emptiness": "existence", "account": "lock"}
    return f"{words.get(key['kind'], key['kind'])} of {where}"


def _shortened(value: str) -> str:
    """A long hex value by its ends."""
    return value if len(value) <= 20 else f"{value[:10]}…{value[-6:]}"


def _hotspot_lines(spots: Told) -> Iterator[str]:
    found = spots["hotspots"]
    if found:
        yield from ("", "held up  conflicts  waits       lost  dependency  by")
        names = Counter(key_of(spot) for spot in found)
        for spot in found[:SHOWN_HOTSPOTS]:
            name = key_of(spot)
            which = f" at {_shortened(spot['address'])}" if names[name] > 1 else ""
            yield (
                f"{spot['transactions']:>7}{spot['conflicts']:>11}{spot['waits']:>7}{_ms(spot['lostUs']):>11}"
                f"  {_dependency(spot):<12}{name}{which}"
            )
        if len(found) > SHOWN_HOTSPOTS:
            yield f"and {len(found) - SHOWN_HOTSPOTS} more"


def _dependency(spot: Told) -> str:
    """`3 real` where some were held up without need."""
    needless = spot["needless"]
    return f"{spot['transactions'] - needless} real" if 0 < needless < spot["transactions"] else str(spot["dependency"])


def _advice_lines(spots: Told, width: int) -> Iterator[str]:
    for words in spots["advice"]:
        yield from ("", *textwrap.wrap(words, width, initial_indent="- ", subsequent_indent="  "))


def counted(number: int, noun: str) -> str:
    """1 run, 1,067 runs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms"
