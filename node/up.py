"""`tandem up`: everything on this machine, under one supervisor."""

import errno
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

from node import folder as data
from node.endpoints import LocalEndpoints
from node.errors import BadSetting, PortInUse
from node.output import Output
from node.plan import Plan
from node.settings import Settings
from node.supervisor import ENDING_SIGNALS, Supervisor


def up(settings: Settings) -> int:
    """Start the chain and stay until it ends; the exit status. Raises NodeError if it cannot start."""
    started_at = _process_started_at()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # until the supervisor can put in order what is made here
    listening = listen(settings.host, settings.port)
    lock = None
    if settings.data_dir is None:
        folder = data.temporary_folder(settings)
    else:
        lock = data.lock(data.made(settings.data_dir))
        folder = data.create_or_open(settings.data_dir, settings)
    sockets = Path(tempfile.mkdtemp(prefix="tandem-"))
    ready_read, ready_write = os.pipe()
    plan = Plan(settings, folder, LocalEndpoints(sockets), listening, ready_write, str(sockets / "processes.json"))
    output = Output(json_lines=settings.json, quiet=settings.quiet)
    try:
        return Supervisor(plan, output, ready_read, started_at).run()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
        if not folder.durable:
            data.remove(folder)
        if lock is not None:
            lock.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for RPC, opened before anything else starts. Raises PortInUse or BadSetting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (socket.gaierror, UnicodeError) as error:
        raise BadSetting(f"--host {host!r} is no address of this machine: {error}") from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(1024)
    except PermissionError as error:
        raise BadSetting(f"may not listen on port {port}: give a --port above 1023") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        raise BadSetting(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening


def _process_started_at() -> float:
    """When this process was started, by the kernel's account: the interpreter's own start counts too."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return time.time()
    return time.time() - (uptime_s - ticks / os.sysconf("SC_CLK_TCK"))
