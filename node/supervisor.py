"""`tandem up`: starts the chain's processes, watches them, starts again what dies, and ends them all when it ends.

It imports neither py-evm nor a socket library and has no threads: two fork servers (one with the light processes'
modules, one with the EVM's) fork the processes for it.
"""

import contextlib
import heapq
import json
import os
import selectors
import signal
import time
from pathlib import Path

from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ControlProcess, GivePlace, ProcessAction
from chain.messages.mempool import WrongExecutor
from consensus.errors import WrongResult
from execution.worker_limits import TIME_IS_UP
from node.errors import BadDataFolder
from node.forkserver import CANNOT_START_STATUS, ForkServer
from node.output import Output, banner, ready_facts, successor_line
from node.plan import Kind, Plan, Role, role_named
from node.process_control import Control, ControlRefused, ControlSocket
from node.roles import EVM_MODULES, FATAL_STATUS, LIGHT_MODULES, NO_ROOM_STATUS, run_role
from node.watched_process import RESTART_FIRST_S, Wanted, WatchedProcess, send_signal

RESTART_MOST_S = 2.0
HEALTHY_AFTER_S = 1.0
"""A process that ran so long starts again without delay."""
STOP_DEADLINE_S = 1.5
ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Supervisor:
    """Runs one chain until a signal or a failure ends it. `ready_read` is the reading end of the plan's ready pipe.

    `follows`: another chain ran here before, and its accounts and addresses were shown.
    """

    def __init__(self, plan: Plan, output: Output, ready_read: int, started_at: float, *, follows: bool) -> None:
        self._plan = plan
        self._output = output
        self._ready_read = ready_read
        self._started_at = started_at
        self._follows = follows
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, WatchedProcess] = {}
        self._servers: dict[str, ForkServer] = {}
        self._due: list[tuple[float, str]] = []
        self._stopping = False
        self._rpc_answers = False
        self._ready = False
        self._exit_status = 0
        self._served = plan.executors.first()
        self.gives_place = False
        """Whether it ended because another chain is to be started."""

    def run(self) -> int:
        """Until the end; the exit status."""
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in ENDING_SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake_write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        self._selector.register(self._wake_read, selectors.EVENT_READ, lambda _: self._take_signals())
        self._selector.register(self._ready_read, selectors.EVENT_READ, self._on_ready)
        assert self._plan.control_socket is not None
        control = ControlSocket(self._plan.control_socket, self._selector, self._control)
        for role in self._plan.light_roles():
            self._processes[role.name] = WatchedProcess(role.name, "light")
        for role in self._plan.evm_roles():
            self._processes[role.name] = WatchedProcess(role.name, "evm")
        self._start_server("evm")
        self._start_server("light")
        while not self._stopping:
            self._turn(self._next_due())
        control.close()
        self._stop()
        if self.gives_place:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # until the next supervisor can hear them
            self._take_signals()
        self._close(wake_write)
        return self._exit_status

    def _turn(self, timeout_s: float | None) -> None:
        for key, _ in self._selector.select(timeout_s):
            key.data(key.fileobj)
        now = time.monotonic()
        while self._due and self._due[0][0] <= now and not self._stopping:
            _, name = heapq.heappop(self._due)
            self._start(self._processes[name])

    def _next_due(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _start_server(self, title: str) -> None:
        modules = EVM_MODULES if title == "evm" else LIGHT_MODULES
        server = ForkServer(f"{title} fork server", modules, lambda name: run_role(self._plan, name))
        self._servers[title] = server
        self._selector.register(server.socket, selectors.EVENT_READ, lambda _: self._on_server(title))
        for process in self._processes.values():
            if process.server == title and not process.stays_down:
                self._start(process)

    def _start(self, process: WatchedProcess) -> None:
        process.started_at = time.monotonic()
        process.starting = True
        self._servers[process.server].start(process.name)

    def _on_server(self, title: str) -> None:
        message = self._servers[title].receive()
        if message is None:
            self._on_server_gone(title)
        elif "started" in message:
            self._on_started(self._processes[message["started"]], message["pid"])
        else:
            self._take_signals()  # one sent to the whole group ended this process as well, which is no trouble
            self._on_ended(self._processes[message["ended"]], message["status"])

    def _on_started(self, process: WatchedProcess, pid: int) -> None:
        process.pid, process.starting = pid, False
        if self._stopping:
            send_signal(pid, signal.SIGTERM)
        elif process.wanted is not Wanted.RUN:
            send_signal(pid, signal.SIGKILL if process.stays_down else signal.SIGSTOP)
        self._write_processes()
        self._say_ready()

    def _on_server_gone(self, title: str) -> None:
        """Its processes died with it; a new one starts them again."""
        server = self._servers.pop(title)
        self._selector.unregister(server.socket)
        server.close()
        _, status = os.waitpid(server.pid, 0)
        if os.waitstatus_to_exitcode(status) == CANNOT_START_STATUS:  # it said why
            self._fail()
        for process in self._processes.values():
            if process.server == title:
                process.pid, process.starting, process.restarting = None, False, False
                process.restarts += not process.stays_down
                self._forget_due(process)  # the new server starts them all, and none of them twice
        if not self._stopping:
            self._output.trouble(f"the {title} fork server is gone, and its processes with it: starting them again")
            self._start_server(title)

    def _on_ended(self, process: WatchedProcess, status: int) -> None:
        process.pid, process.starting = None, False
        if self._stopping:
            return
        if process.stays_down or process.restarting:
            self._on_ended_as_asked(process)
            return
        if status == FATAL_STATUS:  # it said why
            self._fail()
            return
        healthy = time.monotonic() - process.started_at > HEALTHY_AFTER_S
        if status == NO_ROOM_STATUS:
            self._on_no_room(process, healthy)
            return
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        if status == -TIME_IS_UP:
            how = "took too long for one task and was stopped"
        if healthy:
            process.delay_s = RESTART_FIRST_S
        process.lacks_room = False
        self._output.trouble(f"{process.name} {how}: starting it again", process=process.name, status=status)
        self._start_later(process, process.delay_s)
        process.delay_s = min(process.delay_s * 2, RESTART_MOST_S)

    def _start_later(self, process: WatchedProcess, delay_s: float) -> None:
        process.restarts += 1
        heapq.heappush(self._due, (time.monotonic() + delay_s, process.name))
        self._write_processes()

    def _on_no_room(self, process: WatchedProcess, was_healthy: bool) -> None:
        """Says so once, however many processes meet the full disk however often."""
        now = time.monotonic()
        known = any(
            other.lacks_room and (other.pid is None or now - other.started_at <= HEALTHY_AFTER_S)
            for other in self._processes.values()
            if other is not process or not was_healthy
        )
        if not known:
            self._output.trouble(
                f"no room left to write to {self._plan.folder.path}: the chain pauses. Free some space, and it goes on "
                "by itself",
                process=process.name,
            )
        process.lacks_room = True
        self._start_later(process, RESTART_MOST_S)

    def _on_ended_as_asked(self, process: WatchedProcess) -> None:
        if process.restarting:
            process.restarting = False
            process.restarts += 1
            self._start(process)
        self._write_processes()

    def _forget_due(self, process: WatchedProcess) -> None:
        self._due = [(at, name) for at, name in self._due if name != process.name]
        heapq.heapify(self._due)

    # Faults on purpose

    def _control(self, asked: Control) -> None:
        """Raises ControlRefused."""
        if isinstance(asked, GivePlace):
            self.gives_place = self._stopping = True
        elif isinstance(asked, ExecutorsVerdict):
            self._change_executors(asked)
        else:
            self._control_process(asked)
        self._write_processes()

    def _control_process(self, asked: ControlProcess) -> None:
        process = self._processes.get(asked.name)
        if process is None:
            raise ControlRefused(f"there is no process {asked.name}")
        match asked.action:
            case ProcessAction.KILL:
                self._kill(process)
            case ProcessAction.PAUSE:
                self._pause(process)
            case ProcessAction.RESUME:
                self._resume(process)
            case ProcessAction.RESTART:
                self._restart(process)
        facts = {"process": process.name, "state": process.state}
        self._output.event("fault", f"          on purpose: {process.name} is {process.state}", facts)

    def _kill(self, process: WatchedProcess) -> None:
        if process.wanted is Wanted.STAY_DOWN:
            raise ControlRefused(f"{process.name} is killed already: restart it first")
        process.wanted, process.restarting = Wanted.STAY_DOWN, False
        self._forget_due(process)
        self._signal_one(process, signal.SIGKILL)

    def _pause(self, process: WatchedProcess) -> None:
        if process.wanted is not Wanted.RUN:
            raise ControlRefused(f"{process.name} is {process.state} already")
        process.wanted = Wanted.PAUSE
        self._signal_one(process, signal.SIGSTOP)

    def _resume(self, process: WatchedProcess) -> None:
        if process.wanted is not Wanted.PAUSE:
            raise ControlRefused(f"{process.name} is {process.state}, not paused")
        process.wanted = Wanted.RUN
        self._signal_one(process, signal.SIGCONT)

    def _restart(self, process: WatchedProcess) -> None:
        process.wanted = Wanted.RUN
        if process.pid is not None:
            process.restarting = True
            self._signal_one(process, signal.SIGKILL)
        elif not process.starting:
            self._forget_due(process)
            process.restarts += 1
            self._start(process)

    def _signal_one(self, process: WatchedProcess, number: int) -> None:
        """One that is only starting gets what is wanted of it once it has started."""
        if process.pid is not None:
            send_signal(process.pid, number)

    # Executors

    def _change_executors(self, verdict: ExecutorsVerdict) -> None:
        """Stops those found wrong, starts those wanted, and has rpc serve a right one's blocks."""
        executors = self._plan.executors
        try:
            for wrong in verdict.wrong:
                if executors.reject(wrong):
                    self._retire(wrong)
            running = executors.below(verdict.wanted)
            served, self._served = self._served, executors.first()
        except BadDataFolder as error:
            raise ControlRefused(str(error)) from error
        for executor in running:
            self._run_executor(executor, verdict.disputed)
        if served != self._served:
            for role in (Role(Kind.RPC), *self._plan.reader_roles()):
                self._restart(self._processes[role.name])

    def _retire(self, wrong: WrongExecutor) -> None:
        for process in self._processes.values():
            role = role_named(process.name)
            if role.executor == wrong.executor and role.kind in (Kind.STORAGE, Kind.EXECUTION, Kind.WORKER):
                process.wanted, process.restarting = Wanted.RETIRE, False
                self._forget_due(process)
                self._signal_one(process, signal.SIGKILL)
        self._output.trouble(
            f"{WrongResult(wrong)}: it is stopped, and its results are ignored",
            executor=wrong.executor,
            height=wrong.height,
            said="0x" + wrong.said.hex(),
            expected="0x" + wrong.expected.hex(),
        )

    def _run_executor(self, executor: int, disputed: int) -> None:
        """Unless it runs already. It finds nothing of the chain in its storage and executes it from its beginning."""
        storage, execution = Role(Kind.STORAGE, executor=executor), Role(Kind.EXECUTION, executor=executor)
        if storage.name in self._processes:
            return
        why = f"decides on block {disputed}, on which the others differ" if disputed else "stands in for a wrong one"
        self._output.trouble(f"executor {executor} {why}: it executes the chain from its beginning", executor=executor)
        new = [WatchedProcess(storage.name, "light"), WatchedProcess(execution.name, "evm")]
        new += [WatchedProcess(role.name, "evm") for role in self._plan.worker_roles(executor)]
        for process in new:
            self._processes[process.name] = process
            self._start(process)

    def _fail(self) -> None:
        self._exit_status = 1
        self._stopping = True

    def _take_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if set(os.read(self._wake_read, 64)) & ENDING_SIGNALS:
                self._stopping, self.gives_place = True, False

    def _on_ready(self, ready_read: int) -> None:
        os.read(ready_read, 64)
        self._rpc_answers = True
        self._say_ready()

    def _say_ready(self) -> None:
        """Once: when rpc answers and every process was started."""
        missing = [p for p in self._processes.values() if p.pid is None and not p.stays_down]
        if self._ready or not self._rpc_answers or missing:
            return
        self._ready = True
        assert self._plan.listening is not None
        port = self._plan.listening.getsockname()[1]
        arguments = (self._plan.settings, self._plan.folder, port, self._pids(), time.time() - self._started_at)
        text = (successor_line if self._follows else banner)(*arguments)
        self._output.event("ready", text, ready_facts(*arguments))

    def _pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items() if process.pid is not None}

    def _write_processes(self) -> None:
        """For `tandem status`: every process with its pid, its state, and how often it was started again."""
        assert self._plan.processes_file is not None
        rows = [
            {"name": process.name, "pid": process.living_pid, "restarts": process.restarts, "state": process.state}
            for process in self._processes.values()
        ]
        path = Path(self._plan.processes_file)
        partial = path.with_suffix(".partial")
        with contextlib.suppress(OSError):  # the disk may be full; only `tandem status` is the worse for it
            partial.write_text(json.dumps({"supervisor": os.getpid(), "processes": rows}))
            partial.rename(path)

    def _stop(self) -> None:
        """Ask every process to end, then make the rest; the fork servers end when their sockets close."""
        deadline = time.monotonic() + STOP_DEADLINE_S
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)  # one that is paused would not hear of it
        while self._pids() and self._servers and time.monotonic() < deadline:
            self._turn(deadline - time.monotonic())
        for name in self._pids():
            self._output.trouble(f"{name} did not end when asked to, and was killed", process=name)
        self._signal_all(signal.SIGKILL)
        for server in self._servers.values():
            server.close()
            os.kill(server.pid, signal.SIGKILL)
            os.waitpid(server.pid, 0)

    def _close(self, wake_write: int) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for descriptor in (self._wake_read, wake_write, self._ready_read):
            os.close(descriptor)

    def _signal_all(self, number: int) -> None:
        for pid in self._pids().values():
            send_signal(pid, number)
