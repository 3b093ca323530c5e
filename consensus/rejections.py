"""How often each peer sent something to refuse, by the name of the reason."""

from collections import Counter

from chain.messages.mempool import Rejection
from chain.types import ValidatorIndex

NOBODY = ValidatorIndex(-1)
"""In place of a peer: this validator's own state, such as two results for one block."""
STRANGER = ValidatorIndex(-2)
"""In place of a peer: a connection that did not prove to be one."""
MAX_COUNTED = 256
"""Pairs of a peer and a reason. There are few reasons; the bound is for what nobody thought of."""


class Rejections:
    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str]] = Counter()

    def count(self, peer: ValidatorIndex | None, reason: str, times: int = 1) -> None:
        key = (NOBODY if peer is None else peer, reason)
        if key in self._counts or len(self._counts) < MAX_COUNTED:
            self._counts[key] += times

    def of(self, peer: ValidatorIndex | None, reason: str) -> int:
        return self._counts[(NOBODY if peer is None else peer, reason)]

    def as_dict(self) -> dict[tuple[int, str], int]:
        return dict(self._counts)

    def listed(self) -> tuple[Rejection, ...]:
        """All of them, by peer and reason."""
        return tuple(Rejection(peer, reason, times) for (peer, reason), times in sorted(self._counts.items()))
