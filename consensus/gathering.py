"""How long a leader waits with a block while transactions keep coming (`production.Work.GATHERING`)."""

from chain.types import Round
from consensus.pacemaker import GATHER_MOST_MS, GATHER_MOST_MS_WITH_MANY, GATHER_QUIET_LOOKS_WITH_MANY, MANY


class Gathering:
    """One round's. It ends when no transaction came between two looks, or after `GATHER_MOST_MS`; later with many."""

    def __init__(self) -> None:
        self._round: Round | None = None
        self._began_ms = 0
        self._came = False
        self._quiet_looks = 0
        self._over = False

    def goes_on(self, round: Round, now_ms: int) -> None:
        """In this round transactions wait; those that were there before count as none that came."""
        if self._round != round:
            self._round, self._began_ms, self._came, self._over = round, now_ms, False, False
            self._quiet_looks = 0

    def more_came(self) -> None:
        self._came = True

    def looked(self, round: Round, now_ms: int, waiting: int) -> None:
        """A while has passed since it began, or since the last look; so many are `waiting`."""
        if self._round == round:
            self._quiet_looks = 0 if self._came else self._quiet_looks + 1
            quiet, most_ms = 1, GATHER_MOST_MS
            if waiting >= MANY:
                quiet, most_ms = GATHER_QUIET_LOOKS_WITH_MANY, GATHER_MOST_MS_WITH_MANY
            self._over = self._quiet_looks >= quiet or now_ms - self._began_ms >= most_ms
            self._came = False

    def is_over(self, round: Round) -> bool:
        return self._over and self._round == round
