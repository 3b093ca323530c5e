"""Tasks that begin at once. Most requests wait for nothing: they need no turn of the event loop, and no task.

asyncio's own tasks begin in the next turn, and to make one, have it known and forget it costs a tenth of a small
request. Here a coroutine runs until it waits, and what it waits for carries it on. What asyncio wants of tasks that are
not its own is in its documentation, under "Extending".
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeAlias

Work: TypeAlias = Coroutine[Any, Any, None]

_enter: Any = asyncio.tasks._enter_task
_leave: Any = asyncio.tasks._leave_task


class PromptTask:
    """What the coroutine finds as `asyncio.current_task()`, in timeouts and groups of tasks; once it waits, what the
    owner can wait for and cancel.
    """

    __slots__ = ("_cancellings", "_ended", "_is_done", "_must_cancel", "_of", "_waits_for", "_work")

    _work: Work

    def __init__(self, of: "PromptTasks") -> None:
        self._of = of
        self._waits_for: asyncio.Future[Any] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._cancellings = 0
        self._must_cancel = False
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def end(self) -> "asyncio.Future[None]":
        """Is done when it has come to its end; only of one that waits."""
        if self._ended is None:
            self._ended = self._of.loop.create_future()
        return self._ended

    def cancel(self, msg: Any | None = None) -> bool:
        if self._is_done:
            return False
        self._cancellings += 1
        if self._waits_for is None or not self._waits_for.cancel(msg):
            self._must_cancel = True
        return True

    def cancelling(self) -> int:
        return self._cancellings

    def uncancel(self) -> int:
        self._cancellings -= 1
        return self._cancellings

    def wait(self, work: Work, waits_for: "asyncio.Future[Any] | None") -> None:
        """Go on with the work when that is done; None is the next turn of the event loop."""
        self._work, self._waits_for = work, waits_for
        if waits_for is None:
            self._of.loop.call_soon(self._go_on)
            return
        waits_for._asyncio_future_blocking = False  # which whoever is waited for is to be told
        waits_for.add_done_callback(self._go_on)
        if self._must_cancel and waits_for.cancel():
            self._must_cancel = False

    def _go_on(self, _: "asyncio.Future[Any] | None" = None) -> None:
        of, work = self._of, self._work
        _enter(of.loop, self)
        try:
            if self._must_cancel:
                self._must_cancel = False
                waits_for = work.throw(asyncio.CancelledError())
            else:
                waits_for = work.send(None)
        except BaseException as error:
            self._is_done = True
            of.waiting.discard(self)
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)
            if not isinstance(error, StopIteration):
                raise
            return
        finally:
            _leave(of.loop, self)
        self.wait(work, waits_for)


class PromptTasks:
    """Begins them. `waiting` has those that have not come to their end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, waiting: set[Any]) -> None:
        self.loop = loop
        self.waiting = waiting
        self._next = PromptTask(self)

    def start(self, work: Work) -> None:
        """Not from within a task. What the work raises before it waits is raised here, later by the event loop."""
        task = self._next
        _enter(self.loop, task)
        try:
            waits_for = work.send(None)
        except StopIteration:  # all is done, and nobody knows the task
            return
        finally:
            _leave(self.loop, task)
        self._next = PromptTask(self)
        self.waiting.add(task)
        task.wait(work, waits_for)
