"""Calls that go to a reader together: those that come at once, and those that came while all were busy.

A message, its answer and the waking of two processes cost as much as two usual calls. But nobody is to wait for
another's long call: a bundle is as many calls as a reader does in a few milliseconds, by what the last ones took.
It has little time, and what does not end in it goes alone, with all the time that it was asked with. While calls take
rpc as long as a reader, one reader has them all, if it answers.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from chain.messages import Message
from chain.messages.calls import CallOutcome, CallOutcomes, RunCall, RunCalls
from chain.messages.execution import BlockEnvironment
from chain.types import Version
from execution.errors import ExecutionError
from execution.pool import TIMER_STEP_S, Job, Pool, PoolBusy, WorkerLost
from execution.pool_core import Pace

MAX_CALLS = 16
"""In a bundle. More cost each hardly less."""
BUNDLE_US = 4_000
"""What a reader is to be at a bundle: a call that comes behind it has waited long enough for others."""
QUICK_MS = 10
"""For all calls of a bundle: so long a quick one may wait for the others, and a slow one runs in vain."""
JOINABLE_S = 0.5
"""A bundle that waits for a reader takes in calls for so long: its time limit counts from the first."""
BRIEF_US = 80
"""A call that takes no longer takes rpc as long as a reader: to wake a second reader costs more than it gives."""
MANY_CALLS = 4
"""In a bundle. Where so many come together it is the processor's time that counts, and not each one's waiting."""
LOSSES_ALLOWED = 1
"""Of readers with one call, before it is given up."""

_Stage: TypeAlias = tuple[Version, BlockEnvironment, int]


class UnexpectedCallMessage(ExecutionError):
    """A reader said something that readers do not say."""

    def __init__(self, message: Message) -> None:
        super().__init__(f"a reader does not send a {type(message).__name__}")


@dataclass(slots=True, eq=False)
class _Asked:
    """A call and who waits for it. `losses` are the readers that were lost with it."""

    request: RunCall
    limit_s: float
    outcome: "asyncio.Future[CallOutcome]"
    bundle: "_Bundle | None" = None
    """As long as it waits for a reader: what both know of each other later, only a full collection would free."""
    losses: int = 0

    @property
    def is_wanted(self) -> bool:
        return not self.outcome.done()


class _Bundle(Job):
    """What the pool knows of some calls; whatever it says of them is for `CallBundles` to act on.

    Others of its stage may join it while it waits; it has none if it is what another bundle did not get done.
    """

    def __init__(
        self, bundles: "CallBundles", asked: list[_Asked], stage: _Stage | None, now: float, is_slow: bool
    ) -> None:
        self._bundles = bundles
        self._is_slow = is_slow
        self.asked = asked
        self.stage = stage
        self.joinable_until = now + JOINABLE_S
        self.limit_s = asked[0].limit_s
        self.deadline = now + self.limit_s
        self.is_unsent = True
        self.has_ended = False
        for each in asked:
            each.bundle = self

    @property
    def is_over(self) -> bool:
        return self.has_ended

    @property
    def is_wanted(self) -> bool:
        return any(asked.is_wanted for asked in self.asked)

    @property
    def pace(self) -> Pace:
        """A reader has little time for several, and as much as it takes for one."""
        if len(self.asked) > 1 and sum(asked.is_wanted for asked in self.asked) > 1:
            return Pace.SHORT
        return Pace.LONG if self._is_slow else Pace.OPEN

    def message(self, worker: str, lease: int) -> Message:
        """What a reader is told: nothing of the calls for which nobody waits any more."""
        self._bundles.taken(self)
        if len(self.asked) > 1:
            self.asked = [asked for asked in self.asked if asked.is_wanted] or self.asked[:1]
        first = self.asked[0].request
        if len(self.asked) == 1:
            return RunCall(lease, first.version, first.environment, first.call, first.estimate, first.time_limit_ms)
        calls = tuple([asked.request.call for asked in self.asked])
        return RunCalls(lease, first.version, first.environment, calls, QUICK_MS)

    def succeed(self, answer: Message) -> None:
        self._bundles.answered(self, answer)

    def fail(self, error: ExecutionError) -> None:
        self._bundles.failed(self, error)

    def cancel(self) -> None:
        self._bundles.over(self)


def _by_stage(every: Sequence[_Asked]) -> Iterable[tuple[_Stage, list[_Asked]]]:
    """Those for which somebody waits."""
    stages: dict[_Stage, list[_Asked]] = {}
    together: list[_Asked] = []
    last: _Stage | None = None
    for asked in every:
        if not asked.outcome.done():
            request = asked.request
            stage = (request.version, request.environment, request.time_limit_ms)
            if stage != last:  # to hash an environment takes longer than to see that it is the same
                together, last = stages.setdefault(stage, []), stage
            together.append(asked)
    return stages.items()


def _refuse(every: Iterable[_Asked], error: ExecutionError) -> None:
    for asked in every:
        if asked.is_wanted:
            asked.outcome.set_exception(error)


class CallBundles:
    """Runs calls without overrides on a pool of readers. Of more than `max_waiting` the last are refused."""

    def __init__(self, pool: Pool, max_waiting: int) -> None:
        self._pool = pool
        self._max_waiting = max_waiting
        self._call_us = BUNDLE_US / MAX_CALLS
        """What a call takes a reader, the last ones counting most."""
        self._new: list[_Asked] = []
        self._seen = 0
        """Of the new ones, when it was last decided to wait for more."""
        self._open: dict[_Stage, _Bundle] = {}
        """The bundle of each stage that may grow."""
        self._under_way: dict[_Bundle, None] = {}
        self._newest: _Bundle | None = None
        """The last one that was sent of those that went as they came."""
        self._timer: asyncio.TimerHandle | None = None
        """For the first deadline of those under way. One of a bundle that ended goes on: to set one for each costs as
        much as a small message."""
        self._wakes_at = inf
        """When the timer goes off. uvloop's handle cannot always be asked: that of a time which has passed has no
        `when`."""
        self.waiting = 0
        """Calls that no reader has taken up."""
        self.unsent = 0
        """Bundles that no reader has taken up."""

    @property
    def _most(self) -> int:
        """How many calls go together."""
        return max(1, min(MAX_CALLS, int(BUNDLE_US / self._call_us)))

    async def run(self, request: RunCall, limit_s: float) -> CallOutcome:
        """The outcome of a call. Raises PoolBusy, WorkerLost, and JobTimeout after `limit_s`.

        That time begins anew if the call goes alone because its bundle got stuck.
        """
        if self.waiting >= self._max_waiting:
            raise PoolBusy(self.waiting)
        loop = asyncio.get_running_loop()
        asked = _Asked(request, limit_s, loop.create_future())
        if not self._new:
            loop.call_soon(self._gather)
        self._new.append(asked)
        self.waiting += 1
        try:
            return await asked.outcome
        except asyncio.CancelledError:
            bundle = asked.bundle
            if bundle is not None and not bundle.is_wanted:
                self._pool.withdraw((bundle,))
            raise

    def _gather(self) -> None:
        """Send what has come, or take in another turn of the event loop first: if a reader is busy anyway, and the last
        turn brought some."""
        count = len(self._new)
        if self._under_way and self._seen < count < self._most:
            self._seen = count
            asyncio.get_running_loop().call_soon(self._gather)
            return
        new, self._new, self._seen = self._new, [], 0
        self.waiting -= count
        for stage, together in _by_stage(new):
            if self._open:
                self._join(stage, together)
            size = self._most
            for start in range(0, len(together), size):
                self._submit(together[start : start + size], stage)

    def _join(self, stage: _Stage, asked: list[_Asked]) -> None:
        """Have a waiting bundle take as many as it may."""
        bundle = self._open.get(stage)
        if bundle is None or asyncio.get_running_loop().time() > bundle.joinable_until:
            return
        room = max(0, self._most - len(bundle.asked))
        for each in asked[:room]:
            each.bundle = bundle
        bundle.asked += asked[:room]
        self.waiting += len(asked[:room])
        del asked[:room]

    def _submit(self, asked: list[_Asked], stage: _Stage | None = None, *, is_slow: bool = False) -> None:
        bundle = _Bundle(self, asked, stage, asyncio.get_running_loop().time(), is_slow)
        self.unsent += 1
        self.waiting += len(asked)
        self._under_way[bundle] = None
        if bundle.deadline < self._wakes_at:
            self._watch(bundle.deadline)
        try:
            self._pool.submit_job(bundle, None if stage is None else self._busy_reader(), losses_allowed=0)
        except ExecutionError as error:
            self.failed(bundle, error)
        if stage is not None and bundle.is_unsent:
            self._open[stage] = bundle

    def _busy_reader(self) -> str | None:
        """Whose turn is soon over, if it is better to wait for that than to wake another one."""
        newest = self._newest
        if newest is None or newest.has_ended or len(newest.asked) < MANY_CALLS or self._call_us > BRIEF_US:
            return None
        is_late = asyncio.get_running_loop().time() - newest.sent_at > QUICK_MS / 1000
        return None if is_late or self._pool.waits_for_any else newest.worker

    def _submit_late(self, not_begun: list[_Asked], slow: list[_Asked]) -> None:
        """The slow one goes last, and nothing is queued behind it as long as another reader can take it."""
        for asked in (*not_begun, *slow):
            if asked.is_wanted:
                self._submit([asked], is_slow=asked in slow)

    def _watch(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_at = asyncio.get_running_loop().call_at(deadline, self._expire), deadline

    def _expire(self) -> None:
        """Give up those whose time has passed."""
        self._timer, self._wakes_at = None, inf
        passed = asyncio.get_running_loop().time() + TIMER_STEP_S
        expired = [(bundle, bundle.is_unsent) for bundle in self._under_way if bundle.deadline <= passed]
        for bundle, was_unsent in expired:
            if bundle.has_ended:  # failed with the reader of one before it
                continue
            self.over(bundle)
            timeout = self._pool.expired(bundle)
            if len(bundle.asked) > 1 and not was_unsent:  # its reader is stuck, at most one of them is to blame
                self._submit_late(bundle.asked[1:], bundle.asked[:1])
            else:
                _refuse(bundle.asked, timeout)
        if self._under_way and self._timer is None:
            self._watch(min(bundle.deadline for bundle in self._under_way))

    def _learn(self, bundle: _Bundle, answer: CallOutcomes) -> None:
        """What calls take, from one that went as it came: what goes alone for being slow says nothing of others."""
        if bundle.stage is not None:
            begun = min(len(answer.outcomes) + 1, len(bundle.asked))
            self._call_us = (self._call_us + max(1, min(answer.took_us / begun, 1000 * QUICK_MS))) / 2

    # What the pool says of a bundle

    def taken(self, bundle: _Bundle) -> None:
        """It waits for no reader any more."""
        if bundle.is_unsent:
            bundle.is_unsent = False
            if bundle.stage is not None:
                self._newest = bundle
            self.unsent -= 1
            self.waiting -= len(bundle.asked)
            for asked in bundle.asked:
                asked.bundle = None
            if bundle.stage is not None and self._open and self._open.get(bundle.stage) is bundle:
                del self._open[bundle.stage]

    def over(self, bundle: _Bundle) -> None:
        """Nobody waits for it any more."""
        self.taken(bundle)
        bundle.has_ended = True
        self._under_way.pop(bundle, None)

    def answered(self, bundle: _Bundle, answer: Message) -> None:
        """Everybody in it has an answer, or goes alone."""
        self.over(bundle)
        if not isinstance(answer, CallOutcomes) or (len(bundle.asked) == 1 and not answer.outcomes):
            _refuse(bundle.asked, UnexpectedCallMessage(answer))
            return
        self._learn(bundle, answer)
        for asked, outcome in zip(bundle.asked, answer.outcomes, strict=False):
            if asked.is_wanted:
                asked.outcome.set_result(outcome)
        if len(answer.outcomes) < len(bundle.asked):
            late = bundle.asked[len(answer.outcomes) :]
            self._submit_late(late[1:], late[:1])

    def failed(self, bundle: _Bundle, error: ExecutionError) -> None:
        """Its reader was lost with it, or none takes it."""
        self.over(bundle)
        if not isinstance(error, WorkerLost):
            _refuse(bundle.asked, error)
            return
        for asked in bundle.asked:
            asked.losses += 1
            if asked.losses <= LOSSES_ALLOWED:  # not at once: the pool is about to tell others what they lost
                asyncio.get_running_loop().call_soon(self._submit_late, [asked], [])
            else:
                _refuse([asked], error)
