"""What calls see of the state: pinned versions, whose values stay true for ever and are kept between calls."""

from collections import OrderedDict

from chain.messages.calls import CallMessage
from chain.messages.execution import BlockEnvironment
from chain.types import BlockNumber, Version
from execution.known import KnownState
from execution.outcome import StateView
from execution.speculative_view import SpeculativeView
from execution.storage_requests import BlockingReads
from execution.whole_reads import WholeReads

KEPT_VERSIONS = 4
MAX_KNOWN_VALUES = 50_000


class WholeView:
    """A state that is held whole (implements StateView): a value needs no question, only codes and block hashes do."""

    def __init__(self, reads: WholeReads, rest: StateView) -> None:
        self.account = reads.whole.account
        self.slot = reads.whole.slot
        self.code = rest.code
        self.block_hash = rest.block_hash


class CallViews:
    """The views of the newest few versions. `reads` are what they are read by."""

    def __init__(self, storage: BlockingReads) -> None:
        self.reads = WholeReads(storage)
        self._known: OrderedDict[Version, KnownState] = OrderedDict()
        self._last: CallStage | None = None

    def stage(self, version: Version, environment: BlockEnvironment) -> "CallStage":
        """For one message's calls."""
        known = self._known_at(version)
        known.applied = BlockNumber(environment.number)
        if self._last is None or not self._last.stands_on(known, environment):
            self._last = CallStage(self.reads, known, version, environment)
        return self._last

    def _known_at(self, version: Version) -> KnownState:
        known = self._known.get(version)
        if known is None:
            known = self._known[version] = KnownState(MAX_KNOWN_VALUES)
            known.share_codes(next(iter(self._known.values())))
        self._known.move_to_end(version)
        while len(self._known) > KEPT_VERSIONS:
            self._known.popitem(last=False)
        known.shrink()
        return known


class CallStage:
    """The state and the block that calls are run on."""

    def __init__(self, reads: WholeReads, known: KnownState, version: Version, environment: BlockEnvironment) -> None:
        self._reads = reads
        self._known = known
        self._version = version
        self._environment = environment
        self._whole = WholeView(reads, self._single_values())

    def stands_on(self, known: KnownState, environment: BlockEnvironment) -> bool:
        """Most calls are on the same block, and come with the same object (`chain.codec.recurring`)."""
        return known is self._known and environment is self._environment

    def view(self, call: CallMessage) -> StateView:
        """For a call that pretends nothing. Raises RequestFailed."""
        return self._whole if self._reads.whole.covers(self._version) else self.overridable(call)

    def overridable(self, call: CallMessage) -> SpeculativeView:
        """A view of its own, into which a call's overrides can be merged. Raises RequestFailed."""
        view = self._single_values()
        view.read_named([(call.sender, call.to, call.access_list)])
        return view

    def _single_values(self) -> SpeculativeView:
        return SpeculativeView(self._known, self._reads, self._version, self._environment.beneficiary)
