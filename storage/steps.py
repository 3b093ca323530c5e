"""Work that pauses: generators that yield where a process may turn to something else, and return the result."""

from collections.abc import Generator, Sequence
from heapq import merge
from typing import Any, TypeVar

T = TypeVar("T")
C = TypeVar("C", bound=tuple[Any, ...] | bytes)

SORTED_A_STEP = 4_096


def run(steps: Generator[None, None, T]) -> T:
    """The result, without pausing."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_order(items: Sequence[C]) -> Generator[None, None, list[C]]:
    """Sorted: parts of them first, and those merged where there are several, which takes twice as long."""
    parts = []
    for start in range(0, len(items), SORTED_A_STEP):
        parts.append(sorted(items[start : start + SORTED_A_STEP]))
        yield
    if len(parts) < 2:
        return parts[0] if parts else []
    ordered = []
    for item in merge(*parts):
        ordered.append(item)
        if len(ordered) % SORTED_A_STEP == 0:
            yield
    return ordered
