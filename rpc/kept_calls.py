"""What calls answered: on a state that has a version of its own the same call always answers the same.

Pages and wallets ask the same of a block again and again, each of their parts for itself.
"""

from typing import TypeAlias

from chain.messages.calls import CallMessage, CallOutcome, RunCall
from chain.messages.execution import BlockEnvironment
from chain.types import Version
from rpc.bounded_cache import BoundedCache

KEPT_BYTES = 16 << 20
ENTRY_BYTES = 2_048
"""About what a call and its outcome take besides what varies."""
MAX_DATA_BYTES = 4_096
KEPT_ERRORS = ("", "execution reverted")
"""The others may be for want of time, or of a state that is being read from afar."""
KNOWN_ENVIRONMENTS = 64

Key: TypeAlias = tuple[Version, int, bool, CallMessage]
"""What was asked, with a number for the environment: to hash one takes longer than all the rest."""


class KeptCalls:
    """The newest outcomes, by what was asked: version, environment and call."""

    def __init__(self) -> None:
        self._outcomes: BoundedCache[Key, CallOutcome] = BoundedCache(KEPT_BYTES, _size)
        self._numbers: BoundedCache[BlockEnvironment, int] = BoundedCache(KNOWN_ENVIRONMENTS)
        self._last_number = 0
        self._newest: tuple[BlockEnvironment, int] | None = None

    def key(self, request: RunCall) -> Key | None:
        """Under which its outcome is kept; None if it is not."""
        if not _may_be_kept(request):
            return None
        return request.version, self._number(request.environment), request.estimate, request.call

    def outcome(self, key: Key) -> CallOutcome | None:
        return self._outcomes.get(key)

    def keep(self, key: Key, outcome: CallOutcome) -> None:
        if outcome.error in KEPT_ERRORS:
            self._outcomes.put(key, outcome)

    def _number(self, environment: BlockEnvironment) -> int:
        if self._newest is None or self._newest[0] is not environment:
            number = self._numbers.get(environment)
            if number is None:
                number = self._last_number = self._last_number + 1
                self._numbers.put(environment, number)
            self._newest = environment, number
        return self._newest[1]


def _may_be_kept(request: RunCall) -> bool:
    """Whether it is of the usual kind. State that is pretended is hardly asked for twice."""
    call = request.call
    plain = not request.overrides and not call.access_list and not call.authorizations and not call.blob_hashes
    return plain and len(call.data) <= MAX_DATA_BYTES


def _size(outcome: CallOutcome) -> int:
    size = ENTRY_BYTES + MAX_DATA_BYTES + len(outcome.output)
    messages = outcome.console.messages
    return size + sum(map(len, messages)) if messages else size
