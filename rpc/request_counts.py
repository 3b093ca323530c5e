"""How often each method was called, how often it failed, and how long it took; what /metrics tells of them."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class MethodCount:
    """`seconds` is the sum over all requests, failed ones included."""

    requests: int = 0
    failures: int = 0
    seconds: float = 0.0


class RequestCounts:
    """By the name of the method; all unknown names are one."""

    def __init__(self) -> None:
        self._counts: dict[str, MethodCount] = {}

    def add(self, method: str, seconds: float, failed: bool) -> None:
        count = self._counts.get(method)
        if count is None:
            count = self._counts[method] = MethodCount()
        count.requests += 1
        count.seconds += seconds
        if failed:
            count.failures += 1

    def __iter__(self) -> Iterator[tuple[str, MethodCount]]:
        return iter(sorted(self._counts.items()))
