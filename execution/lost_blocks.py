"""Notices that the validators have lost what execution executed, which would otherwise look like a chain that waits.

A block is executed once validators with more than a third of the stake had committed it. So when those with two thirds
lack it, some have lost it: their databases are gone, or older than storage's. They may still get it from others, within
moments; if they do not even come nearer, nobody has it, and no block can ever follow.
"""

import asyncio
from collections.abc import Callable, Sequence

from chain.messages.mempool import CatchingUp
from chain.types import Height

PATIENCE_S = 5.0
"""How long validators may come no nearer before it is said. Restarting one takes two seconds at most."""


class LostBlocks:
    """What validators say of the block that execution stands at. `stalled` is what is wrong, empty if nothing is."""

    def __init__(self, stakes: Sequence[int], trouble: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        self._stakes = list(stakes)
        self._trouble = trouble
        self._patience_s = patience_s
        self._lacking: dict[int, Height] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.stalled = ""

    def heard(self, validator: int, catching_up: CatchingUp, executed: Height) -> None:
        """A validator says how far it is from `executed`, the newest block here."""
        if catching_up.done:
            self.not_heard(validator)
            return
        came_nearer = self._lacking.get(validator) != catching_up.committed
        self._lacking[validator] = catching_up.committed
        if came_nearer:
            self._stop_waiting()
            if self._too_many():
                self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._say, executed)

    def not_heard(self, validator: int) -> None:
        """A validator lacks nothing, as far as is known: it will say so if it does."""
        if self._lacking.pop(validator, None) is not None and not self._too_many():
            self._stop_waiting()

    def close(self) -> None:
        self._stop_waiting()

    def _too_many(self) -> bool:
        return 3 * sum(self._stakes[validator] for validator in self._lacking) >= 2 * sum(self._stakes)

    def _stop_waiting(self) -> None:
        self.stalled = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self, executed: Height) -> None:
        self._timer = None
        has = ", ".join(
            f"validator {index} {'ends at' if height < executed else 'has others up to'} {height}"
            for index, height in sorted(self._lacking.items())
        )
        others = "start the others if they have more, " if len(self._lacking) < len(self._stakes) else ""
        self.stalled = (
            f"no block can follow: blocks up to {executed} are executed, but validators' databases are lost or older "
            f"({has}): {others}restore the data folder as a whole from one backup, or begin anew with an empty "
            "--data-dir"
        )
        self._trouble(self.stalled)
