"""Calls that go to a reader together: those of one turn of the event loop, and those that came while all were busy.

A message, its answer and the waking of two processes cost as much as a usual call. But nobody is to wait for another's
long call: a reader has little time for a whole bundle, and what did not end in it goes alone, with all the time that it
was asked with. As long as that happens bundles are small.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chain.messages import Message
from chain.messages.calls import CallOutcome, CallOutcomes, RunCall, RunCalls
from chain.messages.execution import BlockEnvironment
from chain.types import Version
from execution.errors import ExecutionError
from execution.pool import JobTimeout, Pool, PoolBusy, PoolJob, WorkerLost

MAX_CALLS = 8
"""In a bundle. More cost each hardly less, and keep the others of the chain waiting for longer."""
QUICK_MS = 10
"""For all calls of a bundle: so long a quick one may wait for the others, and a slow one runs in vain."""
JOINABLE_S = 0.5
"""A bundle that waits for a reader takes in calls for so long: its time limit counts from the first."""
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
    losses: int = 0


@dataclass(slots=True, eq=False)
class _Bundle:
    """Others of its stage may join it while it waits; it has none if it is what another bundle did not get done."""

    asked: list[_Asked]
    stage: _Stage | None
    joinable_until: float
    job: PoolJob = field(init=False)

    @property
    def is_wanted(self) -> bool:
        return any(not asked.outcome.done() for asked in self.asked)

    def message(self, lease: int) -> Message:
        """What a reader is told: nothing of the calls for which nobody waits any more."""
        self.asked = [asked for asked in self.asked if not asked.outcome.done()] or self.asked[:1]
        first = self.asked[0].request
        if len(self.asked) == 1:
            return replace(first, call_id=lease)
        calls = tuple([asked.request.call for asked in self.asked])
        return RunCalls(lease, first.version, first.environment, calls, QUICK_MS)

    def fail(self, error: Exception) -> None:
        for asked in self.asked:
            if not asked.outcome.done():
                asked.outcome.set_exception(error)


class CallBundles:
    """Runs calls without overrides on a pool of readers. Of more than `max_waiting` the last are refused."""

    def __init__(self, pool: Pool, max_waiting: int) -> None:
        self._pool = pool
        self._max_waiting = max_waiting
        self._most = MAX_CALLS
        self._new: list[_Asked] = []
        self._open: dict[_Stage, _Bundle] = {}
        """The bundle of each stage that may grow."""
        self._unsent: set[_Bundle] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.waiting = 0
        """Calls that no reader has taken up."""

    @property
    def unsent(self) -> int:
        """Bundles that no reader has taken up."""
        return len(self._unsent)

    async def run(self, request: RunCall, limit_s: float) -> CallOutcome:
        """The outcome of a call. Raises PoolBusy, WorkerLost, and JobTimeout after `limit_s`.

        That time begins anew if the call goes alone because its bundle got stuck.
        """
        if self.waiting >= self._max_waiting:
            raise PoolBusy(self.waiting)
        loop = asyncio.get_running_loop()
        asked = _Asked(request, limit_s, loop.create_future())
        if not self._new:
            loop.call_soon(self._flush)
        self._new.append(asked)
        self.waiting += 1
        try:
            return await asked.outcome
        except asyncio.CancelledError:
            if asked.bundle in self._unsent and not asked.bundle.is_wanted:
                self._taken(asked.bundle)  # at once: what joined it before its task ends would wait for ever
                asked.bundle.job.answer.cancel()
            raise

    def _flush(self) -> None:
        """Send what has come in this turn, spread over the readers."""
        new, self._new = self._new, []
        self.waiting -= len(new)
        stages: dict[_Stage, list[_Asked]] = {}
        for asked in new:
            if not asked.outcome.done():
                request = asked.request
                stage = request.version, request.environment, request.time_limit_ms
                stages.setdefault(stage, []).append(asked)
        for stage, together in stages.items():
            self._join(stage, together)
            size = min(self._most, -(-len(together) // max(1, len(self._pool.workers))))
            for start in range(0, len(together), size or 1):
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

    def _submit(self, asked: list[_Asked], stage: _Stage | None = None, *, is_long: bool = False) -> None:
        bundle = _Bundle(asked, stage, asyncio.get_running_loop().time() + JOINABLE_S)
        bundle.job = PoolJob(lambda _, lease: self._message(bundle, lease), asked[0].limit_s)
        for each in asked:
            each.bundle = bundle
        self._unsent.add(bundle)
        self.waiting += len(asked)
        if stage is not None:
            self._open[stage] = bundle
        try:
            self._pool.submit_job(bundle.job, losses_allowed=0, is_long=is_long)
        except ExecutionError as error:
            self._taken(bundle)
            bundle.fail(error)
            return
        task = asyncio.create_task(self._carry(bundle))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    def _message(self, bundle: _Bundle, lease: int) -> Message:
        self._taken(bundle)
        return bundle.message(lease)

    def _taken(self, bundle: _Bundle) -> None:
        """It waits for no reader any more."""
        if bundle in self._unsent:
            self._unsent.discard(bundle)
            self.waiting -= len(bundle.asked)
            if bundle.stage is not None and self._open.get(bundle.stage) is bundle:
                del self._open[bundle.stage]

    async def _carry(self, bundle: _Bundle) -> None:
        """Until everybody in it has an answer, or goes alone."""
        try:
            self._answered(bundle, await self._pool.wait(bundle.job))
        except WorkerLost as lost:
            for asked in bundle.asked:
                asked.losses += 1
                if asked.losses <= LOSSES_ALLOWED:
                    self._submit([asked])
                elif not asked.outcome.done():
                    asked.outcome.set_exception(lost)
        except JobTimeout as stuck:
            if bundle in self._unsent or len(bundle.asked) == 1:
                bundle.fail(stuck)
            else:  # at most one of them is to blame
                self._submit_late(bundle.asked[1:], bundle.asked[:1])
        except ExecutionError as error:
            bundle.fail(error)
        finally:
            self._taken(bundle)

    def _answered(self, bundle: _Bundle, answer: Message) -> None:
        """Raises UnexpectedCallMessage."""
        if not isinstance(answer, CallOutcome | CallOutcomes):
            raise UnexpectedCallMessage(answer)
        outcomes = (answer,) if isinstance(answer, CallOutcome) else answer.outcomes
        for asked, outcome in zip(bundle.asked, outcomes, strict=False):
            if not asked.outcome.done():
                asked.outcome.set_result(outcome)
        late = bundle.asked[len(outcomes) :]
        self._submit_late(late[1:], late[:1])
        if late:
            self._most = max(1, self._most // 2)
        elif bundle.stage is not None and asyncio.get_running_loop().time() - bundle.job.sent_at <= QUICK_MS / 1000:
            self._most = min(2 * self._most, MAX_CALLS)

    def _submit_late(self, not_begun: list[_Asked], slow: list[_Asked]) -> None:
        """The slow one goes last, and nothing is queued behind it as long as another reader can take it."""
        for asked in (*not_begun, *slow):
            if not asked.outcome.done():
                self._submit([asked], is_long=asked in slow)
