"""What to change where transactions meet in a slot, read off from how they changed its variables. Pure."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from chain.records import AccessKind
from rpc.hotspots import Hotspot
from rpc.naming.layout import BYTES, Type
from rpc.naming.names import Names

FEW_WRITERS = 4
"""Writers are few when there are so many times more transactions that they held up."""
LONG = 2**96
"""More than any amount of a token: what changes by more is no number that is added to."""
_USERS_ENTRY = re.compile(r"(\[|, key )0x[0-9a-fA-F]{40}\b")
_PART_OF_TEXT = re.compile(r" bytes \d+\.\.\d+$")
SPLIT_IT = (
    "they all read and change it. Split it by user (mapping(address => ...)), by market or by order, so that "
    "transactions which have nothing to do with each other share no slot."
)

SETTLE_TOGETHER = (
    " Where the calls compute with it, as a vault prices its shares by their total, that does not help: take requests "
    "in, one entry for each user, and settle many of them in one transaction."
)


def variable_of(spot: Hotspot, names: Names) -> str | None:
    """What lies in a slot; of several variables those that changed, where that was seen."""
    return names.variable(spot.address, spot.slot, 0, spot.changed_bits) if spot.kind == AccessKind.SLOT else None


def few_change(spot: Hotspot) -> bool:
    """Whether many more read the slot than change it."""
    if spot.changes or spot.only_read:
        return len(spot.changes) * FEW_WRITERS <= spot.only_read
    return len(spot.writers) * FEW_WRITERS <= len(spot.losers)


def remedy_of_slot(spot: Hotspot, names: Names) -> str:
    """For a slot that most of those held up change."""
    variable = variable_of(spot, names) or ""
    steps = steps_of(spot, names)
    measured = names.length(spot.address, spot.slot)
    if measured is not None:
        return _of_length(measured, (after - before for before, after in spot.changes))
    if _PART_OF_TEXT.search(variable):
        return SPLIT_IT
    usual = {name: changed for name, changed in steps.items() if 2 * changed.total() > len(spot.changes)}
    if len(steps) > 1 and (not usual or _mostly_differ(spot, names)):
        return (
            "most change different variables, which only share a slot, and a slot is read and written as a whole. Give "
            "each a slot of its own: uint256 in place of a smaller type, or a mapping."
        )
    if _USERS_ENTRY.search(variable) and any(set(changed) != {1} for changed in usual.values() or [Counter()]):
        return (
            "it is one entry of a mapping that they all change. If many pay one account, let it receive on "
            "several, or book what is due under each sender and let the owner collect it (pull payments)."
        )
    return _of_numbers(usual)


def steps_of(spot: Hotspot, names: Names) -> Mapping[str, Counter[int]]:
    """By how much transactions changed each variable in the slot, of those that changed."""
    steps: dict[str, Counter[int]] = {}
    for variable, (low, size) in (names.places(spot.address, spot.slot) or {"": (0, 256)}).items():
        mask = (1 << size) - 1
        changed = Counter((after >> low & mask) - (before >> low & mask) for before, after in spot.changes)
        del changed[0]
        if changed:
            steps[variable] = changed
    return steps


def _mostly_differ(spot: Hotspot, names: Names) -> bool:
    """Whether of two changes that follow one another most are of different variables in the slot."""
    places = [((1 << size) - 1) << low for low, size in names.places(spot.address, spot.slot).values()]
    changed = [{mask for mask in places if (before ^ after) & mask} for before, after in spot.changes]
    apart = sum(one.isdisjoint(other) for one, other in itertools.pairwise(changed))
    return 2 * apart > len(changed) - 1


def _of_numbers(steps: Mapping[str, Counter[int]]) -> str:
    """A counter, a sum, or something that they read too."""
    together = sum(steps.values(), Counter[int]())
    is_sum = len(together) > 1 and max(map(abs, together)) < LONG
    if not together or min(together) < 0 < max(together):
        return SPLIT_IT + (SETTLE_TOGETHER if is_sum and len(steps) == 1 else "")
    if all(len(changed) == 1 and changed.total() > 1 for changed in steps.values()):
        (amount, *others) = together
        return (
            f"each changes it by {'the same amount' if others or abs(amount) >= LONG else amount}. If it hands out "
            "numbers, derive them from the sender and a counter of its own (mapping(address => uint256)); if it only "
            "counts, count by sender and add up where it is read."
        ) + (SETTLE_TOGETHER if 1 < abs(amount) < LONG else "")
    if is_sum:
        return (
            "each adds its share to one number. Keep it in several slots, one for each group of senders (uint256[16], "
            "chosen by the sender's address), and add them up where it is read, or leave the sum to events."
        ) + SETTLE_TOGETHER
    return SPLIT_IT


def _of_length(type: Type, changes: Iterable[int]) -> str:
    """Of a string or bytes of more than 31 bytes the slot has twice the length and 1; a shorter one has its content
    there, which changes by more.
    """
    if type.encoding == BYTES and not all(abs(step) < LONG and step % 2 == 0 for step in changes):
        return SPLIT_IT
    grown = f"a {type.label} value" if type.encoding == BYTES else "an array"
    return (
        f"it is the length of {grown}: whoever appends to it comes after whoever did before. Keep one for each user (a "
        "mapping from addresses), or emit what is appended as events."
    )
