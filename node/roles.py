"""What each process does: opens its sockets, builds its room's process around them, and runs it until told to stop.

Imports of rooms happen inside the functions, so that no process carries what it does not use.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import uvloop

from node.errors import NodeError
from node.log_lines import begin_log
from node.output import Output
from node.plan import Kind, Plan, Role, role_named

FATAL_STATUS = 78
"""The exit status of a process that cannot go on and should not be started again (EX_CONFIG)."""
NO_ROOM_STATUS = 75
"""The exit status of a process that cannot write for want of room (EX_TEMPFAIL); the supervisor says so."""
WORKER_NICENESS = 5
"""Workers give way to validators, so that a busy EVM causes no timeouts on few cores."""

LIGHT_MODULES = ("consensus.process", "storage.process", "storage.leveldb", "node.run_storage", "node.run_validator")
EVM_MODULES = ("execution.engine", "execution.process", "execution.worker", "node.run_execution", "node.run_workers")

RARE_COLLECTIONS = (50_000, 20, 100)
"""gc's thresholds where bytecode runs, or thousands of values are made at once: at the usual ones a full collection
takes 40 ms in the middle of a block, and 10,000 found logs take three times as long to unpack.
"""
Runner = Callable[[Plan, Role, Output], Coroutine[Any, Any, None]]

log = logging.getLogger("tandem.node")


def run_role(plan: Plan, name: str) -> int:
    """Be that process until it ends; the exit status. What is wrong is said in one line, a traceback only in debug."""
    role = role_named(name)
    output = Output(json_lines=plan.settings.json, quiet=plan.settings.quiet, console_log=plan.settings.console_log)
    begin_log(role.name, plan.settings.log_level, plan.settings.json)
    if role.kind is not Kind.VALIDATOR:
        gc.set_threshold(*RARE_COLLECTIONS)
    if role.kind in (Kind.WORKER, Kind.READER):
        os.nice(WORKER_NICENESS)
    # A worker may be deep in bytecode, any other deep in imports, which take long on a busy machine: until it has more
    # to put in order, whoever asks it to end is not kept waiting.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        runner = _runner(role.kind)
        uvloop.run(_until_stopped(runner(plan, role, output), role))
    except Exception as failure:
        error = _first(failure)
        log.debug("%s failed", role.name, exc_info=True)
        if plan.control_socket is not None and isinstance(error, _imported(PASSING_ERRORS)):
            return NO_ROOM_STATUS
        if is_fatal(error):
            output.trouble(f"{role.name}: {error}", process=role.name)
            return FATAL_STATUS
        output.trouble(f"{role.name}: {type(error).__name__}: {error}", process=role.name)
        return 1
    return 0


FATAL_ERRORS = (
    ("storage.keyvalue", "StoreError"),
    ("consensus.errors", "StoreOfAnotherChain"),
    ("consensus.errors", "NewerStore"),
    ("consensus.errors", "StoreIncomplete"),
    ("consensus.errors", "NotAValidator"),
    ("execution.serial_check", "SerialMismatch"),
)
"""Errors after which a start would fail alike, by the module that a process has imported if it can raise them."""
PASSING_ERRORS = (("storage.keyvalue", "DiskFull"),)
"""Of those, the ones that pass: the process starts again until there is room."""


def is_fatal(error: Exception) -> bool:
    """Whether there is no use in starting the process again."""
    if isinstance(error, _imported(PASSING_ERRORS)):
        return False
    return isinstance(error, (NodeError, *_imported(FATAL_ERRORS)))


def _imported(names: Iterable[tuple[str, str]]) -> tuple[type[Exception], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)


def _first(error: Exception) -> Exception:
    """The error itself, or what a task group wraps."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_stopped(running: Coroutine[Any, Any, None], role: Role) -> None:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context.get("message"))
        if not stopped.done():
            stopped.set_exception(error)

    loop.set_exception_handler(fail)
    if role.kind not in (Kind.WORKER, Kind.READER):
        loop.add_signal_handler(signal.SIGTERM, stop)
    work = asyncio.ensure_future(running)
    try:
        await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        work.cancel()
        await asyncio.wait([work])
    for ended in (stopped, work):
        if ended.done() and not ended.cancelled():
            ended.result()


def _runner(kind: Kind) -> Runner:
    if kind == Kind.STORAGE:
        from node.run_storage import run_storage

        return run_storage
    if kind == Kind.VALIDATOR:
        from node.run_validator import run_validator

        return run_validator
    if kind == Kind.EXECUTION:
        from node.run_execution import run_execution

        return run_execution
    if kind == Kind.RPC:
        from node.run_rpc import run_rpc

        return run_rpc
    from node.run_workers import run_reader, run_worker

    return run_worker if kind == Kind.WORKER else run_reader
