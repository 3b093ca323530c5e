"""`tandem up`: everything on this machine, under one supervisor."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

from chain.forks import Fork
from node import folder as data
from node.contracts_file import artifact_folders
from node.dask_scheduler import check_scheduler
from node.endpoints import LocalEndpoints
from node.errors import BadSetting, BadStateFile, PortInUse
from node.folder import DataFolder
from node.log_lines import begin_log
from node.output import Output
from node.plan import Plan, Successor
from node.runtime_folder import runtime_folder
from node.settings import Settings
from node.state_dump import check_place, dump_folder, dumped_line
from node.successor import DATA, fork_settings, unforked_settings
from node.supervisor import ENDING_SIGNALS, Supervisor


def up(settings: Settings) -> int:
    """Start the chain and stay until it ends; the exit status. Raises NodeError if it cannot start."""
    started_at = _process_started_at()
    begin_log("supervisor", settings.log_level, settings.json)
    settings = replace(settings, artifacts=artifact_folders(settings.artifacts))
    check_scheduler(settings)
    if settings.dump_state is not None:
        check_place(settings.dump_state)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # until the supervisor can put in order what is made here
    listening = listen(settings.host, settings.port)
    with runtime_folder() as runtime, contextlib.ExitStack() as held:
        if settings.data_dir is None:
            folder = data.temporary(runtime / "data", settings)
        else:
            held.enter_context(data.lock(settings.data_dir))
            folder = data.create_or_open(settings.data_dir, settings)
        _check_blocks_can_be_made(folder, settings)
        output = Output(json_lines=settings.json, quiet=settings.quiet)
        status, folder = _run(settings, folder, listening, runtime, output, started_at)
        if settings.dump_state is not None:
            dump_at_end(folder, settings.dump_state, output)
        return status


def _run(
    settings: Settings, folder: DataFolder, listening: socket.socket, runtime: Path, output: Output, started_at: float
) -> tuple[int, DataFolder]:
    """The chain, and each that takes its place. The exit status and the last one's folder."""
    place, unforked = runtime, unforked_settings(settings)
    for following in count(2):
        ready_read, ready_write = os.pipe()
        successor = None if folder.durable else Successor(runtime / str(following), unforked)
        plan = Plan(
            settings,
            folder,
            LocalEndpoints(place),
            listening,
            ready_pipe=ready_write,
            processes_file=str(place / "processes.json"),
            control_socket=str(place / "control"),
            faults_file=str(place / "faults"),
            successor=successor,
        )
        supervisor = Supervisor(plan, output, ready_read, started_at, follows=following > 2)
        status = supervisor.run()
        os.close(ready_write)
        if not supervisor.gives_place or successor is None:
            break
        shutil.rmtree(folder.path if place == runtime else place, ignore_errors=True)
        folder, place, started_at = data.reopened(successor.path / DATA), successor.path, time.time()
        settings = unforked
        if folder.fork is not None:
            settings = fork_settings(settings, folder.fork.url, folder.fork.point.number)
    return status, folder


def dump_at_end(folder: DataFolder, file: Path, output: Output) -> None:
    """Write the state of a chain that has ended. Ctrl-C stops that, and leaves the file as it was. Raises NodeError."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        dumped = dump_folder(folder, file)
    except KeyboardInterrupt:
        raise BadStateFile(f"stopped before the state was written to {file}") from None
    output.event("dumped", dumped_line(dumped), {"file": str(file), "number": dumped.head.header.number})


def _check_blocks_can_be_made(folder: data.DataFolder, settings: Settings) -> None:
    """Raises BadSetting where blocks are asked for that only miners could make."""
    fork = folder.genesis.next_fork(int(time.time()))
    if settings.block_time_ms is not None and fork < Fork.PARIS:
        raise BadSetting(
            f"--block-time: this chain can only be read, for its rules ({fork.label}) are from before the merge: "
            "leave it out"
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for RPC, opened before anything else starts. Raises PortInUse or BadSetting."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (socket.gaierror, UnicodeError) as error:
        raise BadSetting(
            f"--host {host!r} is no address of this machine: give 127.0.0.1, or 0.0.0.0 for all"
        ) from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(1024)
    except PermissionError as error:
        raise BadSetting(f"may not listen on port {port}: give a --port above 1023") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        raise BadSetting(f"cannot listen on {host} port {port}: {error.strerror}; give another --host") from error
    return listening


def _process_started_at() -> float:
    """When the command was given: as scripts/tandem says, else when the kernel started this process."""
    said = os.environ.get("TANDEM_STARTED_AT")
    if said is not None:
        with contextlib.suppress(ValueError):
            return float(said)
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return time.time()
    return time.time() - (uptime_s - ticks / os.sysconf("SC_CLK_TCK"))
