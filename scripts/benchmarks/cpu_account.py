"""Where the CPU time of one thread goes: functions are wrapped for as long as it is measured, and each is charged with
what it takes itself, without what others take that it calls.
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Place: TypeAlias = tuple[Any, str, str]
"""A class or module, the name of a function there, and what to charge."""


class CpuAccount:
    """Seconds by what they were charged to."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def of(self, places: Sequence[Place]) -> Iterator[None]:
        """Charges the functions as long as it lasts."""
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
        for (owner, name, function), (*_, what) in zip(originals, places, strict=True):
            setattr(owner, name, self._charged(function, what))
        try:
            yield
        finally:
            for owner, name, function in originals:
                setattr(owner, name, function)

    def _charged(self, function: Callable[..., Any], what: str) -> Callable[..., Any]:
        def charged(*arguments: Any, **named: Any) -> Any:
            self._charge_until_now()
            self._open.append(what)
            try:
                return function(*arguments, **named)
            finally:
                self._charge_until_now()
                self._open.pop()

        return charged

    def _charge_until_now(self) -> None:
        now = time.thread_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now
