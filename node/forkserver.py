"""A process that has done the costly imports and forks the chain's processes from itself.

Forking shares the imported modules' memory, and makes a restart take milliseconds. The server has no thread and no
event loop, which do not survive a fork. It speaks with the supervisor in JSON lines over a socket pair:
`{"start": NAME}` in, `{"started": NAME, "pid": N}` and `{"ended": NAME, "pid": N, "status": N}` out. When the
supervisor closes the pair or dies, the server and everything it forked end.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import setproctitle

from node.lifeline import die_with_parent

MESSAGE_BYTES = 4096
CANNOT_START_STATUS = 77
"""The exit status of a server whose modules cannot be imported."""


class ForkServer:
    """The supervisor's handle of one fork server. `run(name)` is what a forked process does; it never returns here."""

    def __init__(self, title: str, preload: Sequence[str], run: Callable[[str], int]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        supervisor = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _become_server(title, preload, theirs, run, supervisor)
        theirs.close()
        self.socket = ours

    def start(self, name: str) -> None:
        with contextlib.suppress(OSError):  # a server that is gone is seen when its socket is read
            self.socket.send(json.dumps({"start": name}).encode())

    def receive(self) -> dict[str, Any] | None:
        """The next message, None when the server is gone."""
        try:
            data = self.socket.recv(MESSAGE_BYTES)
        except ConnectionError:
            return None
        message: dict[str, Any] | None = json.loads(data) if data else None
        return message

    def close(self) -> None:
        self.socket.close()


def _become_server(
    title: str, preload: Sequence[str], control: socket.socket, run: Callable[[str], int], supervisor: int
) -> None:
    die_with_parent(supervisor)
    setproctitle.setproctitle(f"{title} (tandem)")
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # one sent to a child just born waits until it can act
    status = CANNOT_START_STATUS
    try:
        for module in preload:
            importlib.import_module(module)
        gc.collect()
        gc.freeze()
        status = 1
        _serve(control, run)
        status = 0
    except BaseException as error:
        print(f"tandem: the {title} cannot go on: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:  # what the supervisor has to put in order at its end is no business of this copy of it
        os._exit(status)


def _serve(control: socket.socket, run: Callable[[str], int]) -> None:
    children: dict[int, str] = {}
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    data = control.recv(MESSAGE_BYTES)
                    if not data:
                        return
                    name, server = json.loads(data)["start"], os.getpid()
                    try:
                        pid = os.fork()
                    except OSError:  # too many processes, or no memory: the supervisor tries again after a pause
                        _tell(control, {"ended": name, "pid": None, "status": 1})
                        continue
                    if pid == 0:
                        selector.close()
                        os.close(wake_read)
                        os.close(wake_write)
                        die_with_parent(server)
                        _become_role(name, control, run)
                    children[pid] = name
                    _tell(control, {"started": name, "pid": pid})
                else:
                    _drain(wake_read)
                    _report_ended(children, control)


def _become_role(name: str, control: socket.socket, run: Callable[[str], int]) -> None:
    signal.set_wakeup_fd(-1)
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    setproctitle.setproctitle(f"{name} (tandem)")
    status = 1
    try:
        status = run(name)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, MESSAGE_BYTES):
            pass
    except BlockingIOError:
        return


def _report_ended(children: dict[int, str], control: socket.socket) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(control, {"ended": children.pop(pid), "pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    try:
        control.send(json.dumps(message).encode())
    except OSError:  # the supervisor is gone, and with it whoever would read this
        os._exit(0)
