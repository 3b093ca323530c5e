"""Runs the cases of test files in processes of their own, so that one that never ends costs its time and no more.

A process is told a file and how many of its cases to pass over; it answers with a JSON line when it begins a case and
one when that has come out. One that ends in the middle is replaced; its case has failed. The kernel ends one whose case
takes too much processor time.
"""

import contextlib
import gc
import json
import os
import resource
import selectors
import signal
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from math import ceil
from time import process_time
from typing import Any, TypeAlias

from node.conformance.files import BadTestFile, Case, TestFile
from node.conformance.outcomes import Failed, TestOutcome, Unsupported
from node.lifeline import die_with_parent
from node.roles import RARE_COLLECTIONS

LINE_BYTES = 1 << 20
Said: TypeAlias = dict[str, Any]
"""A case that begins (name, file, kind and fork), or its whole outcome."""


def run_case(case: Case, file: TestFile, evm: str) -> TestOutcome:
    """How the case comes out; a defect of ours is a failure as well."""
    failure = skipped = ""
    try:
        case.check(evm)
    except Unsupported as reason:
        skipped = str(reason)
    except Failed as reason:
        failure = str(reason)
    except Exception as error:
        failure = f"internal error: {type(error).__name__}: {error}"
    return TestOutcome(case.name, file.name, case.kind, case.network, failure, skipped)


def run_files(
    files: Sequence[TestFile], evm: str, jobs: int, limit_s: int, network: str | None = None
) -> Iterator[TestOutcome]:
    """The outcomes, in the order in which the cases end; only those of `network` if it is given.

    A case has `limit_s` seconds of processor time.
    """
    waiting = deque((file, 0) for file in files)
    runners: set[_Runner] = set()
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or runners:
                while waiting and len(runners) < jobs:
                    runner = _Runner(*waiting.popleft(), evm, limit_s, network)
                    runners.add(runner)
                    selector.register(runner.socket, selectors.EVENT_READ, runner)
                for key, _ in selector.select():
                    runner = key.data
                    yield from runner.take()
                    if runner.is_over:
                        runners.discard(runner)
                        selector.unregister(runner.socket)
                        runner.socket.close()  # not before: later processes hold copies, and the selector would go on
                        if runner.rest is not None:
                            waiting.appendleft(runner.rest)
        finally:
            for runner in runners:
                runner.end()
                runner.socket.close()


class _Runner:
    """The handle of one process, which runs the cases of one file from some position on."""

    def __init__(self, file: TestFile, begin: int, evm: str, limit_s: int, network: str | None) -> None:
        self._file = file
        self._position = begin
        self._limit_s = limit_s
        self._begun: Said | None = None
        self._received = b""
        self.is_over = False
        self.rest: tuple[TestFile, int] | None = None
        """What of the file another process must run."""
        self.socket, theirs = socket.socketpair()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _become_runner(_outcomes(file, begin, evm, limit_s, network), theirs, parent)
        theirs.close()

    def take(self) -> Iterator[TestOutcome]:
        """What the process has said."""
        data = self.socket.recv(LINE_BYTES)
        if not data:
            yield from self._ended()
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "failure" in said:
                self._begun = None
                self._position += 1
                yield TestOutcome(**said)
            else:
                self._begun = said

    def end(self) -> int:
        """Ends the process if it has not ended. Gives its status, or the signal that ended it, below zero."""
        self.is_over = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _ended(self) -> Iterator[TestOutcome]:
        """The process has ended: after its file, or in the middle of a case, which has failed."""
        status = self.end()
        if self._begun is not None:
            self.rest = (self._file, self._position + 1)
            yield TestOutcome(**self._begun, failure=self._reason(status))
        elif status:
            yield TestOutcome(self._file.name, self._file.name, "file", "", self._reason(status))

    def _reason(self, status: int) -> str:
        if status == -signal.SIGXCPU:
            return f"no result within {self._limit_s} s of processor time"
        return f"its process ended with status {status}"


def _become_runner(outcomes: Iterator[Said], out: socket.socket, parent: int) -> None:
    status = 1
    try:
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        gc.set_threshold(*RARE_COLLECTIONS)
        with out.makefile("wb", buffering=0) as lines:
            for said in outcomes:
                lines.write(json.dumps(said).encode() + b"\n")
        status = 0
    finally:  # nothing of the process that this is a copy of is to be put in order here
        os._exit(status)


def _outcomes(file: TestFile, begin: int, evm: str, limit_s: int, network: str | None) -> Iterator[Said]:
    """Each case twice: before it runs, and with its outcome."""
    try:
        wanted = (case for case in file.cases() if network is None or case.network.lower() == network.lower())
        for case in islice(wanted, begin, None):
            yield {"name": case.name, "file": file.name, "kind": case.kind, "fork": case.network}
            _allow(limit_s)
            yield asdict(run_case(case, file, evm))
    except BadTestFile as error:
        yield asdict(TestOutcome(file.name, file.name, "file", "", str(error)))


def _allow(seconds: int) -> None:
    """Has the kernel end this process (SIGXCPU) when it takes so much processor time more."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(process_time()) + seconds, most))
