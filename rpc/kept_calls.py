"""What calls answered: on a state that has a version of its own the same call always answers the same.

Pages and wallets ask the same of a block again and again, each of their parts for itself.
"""

from chain.messages.calls import CallOutcome, RunCall
from rpc.bounded_cache import BoundedCache

KEPT_BYTES = 16 << 20
ENTRY_BYTES = 2_048
"""About what a call and its outcome take besides what varies."""
MAX_DATA_BYTES = 4_096
KEPT_ERRORS = ("", "execution reverted")
"""The others may be for want of time, or of a state that is being read from afar."""


class KeptCalls:
    """The newest outcomes, by what was asked: version, environment and call."""

    def __init__(self) -> None:
        self._outcomes: BoundedCache[RunCall, CallOutcome] = BoundedCache(KEPT_BYTES, _size)

    def outcome(self, request: RunCall) -> CallOutcome | None:
        return self._outcomes.get(request) if _may_be_kept(request) else None

    def keep(self, request: RunCall, outcome: CallOutcome) -> None:
        if outcome.error in KEPT_ERRORS and _may_be_kept(request):
            self._outcomes.put(request, outcome)


def _may_be_kept(request: RunCall) -> bool:
    """Whether it is of the usual kind. State that is pretended is hardly asked for twice."""
    call = request.call
    plain = not request.overrides and not call.access_list and not call.authorizations and not call.blob_hashes
    return plain and len(call.data) <= MAX_DATA_BYTES


def _size(outcome: CallOutcome) -> int:
    logged = sum(map(len, outcome.console.messages))
    return ENTRY_BYTES + MAX_DATA_BYTES + len(outcome.output) + logged
