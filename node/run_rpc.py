"""The rpc process: JSON-RPC on the listening socket, and the pool that reader processes join."""

import asyncio
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from chain.links import Peer
from chain.messages import Message
from chain.messages.calls import CallOutcome, RunCall
from chain.messages.tasks import FollowTasks
from chain.types import ValidatorIndex
from execution.pool import Pool, PoolBusy, WorkerLost
from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of
from rpc.errors import LimitExceeded, ServerError
from rpc.process import RpcProcess

CALL_GRACE_S = 1.0
"""How long beyond its time limit a call may take before its reader counts as stuck."""


class ReaderPool:
    """Serves the readers, and gives them rpc's calls (implements rpc.methods.Callers)."""

    def __init__(self) -> None:
        self._pool = Pool(wait_for_workers=True)

    async def call(self, request: RunCall) -> CallOutcome:
        """Raises TimeoutError when a reader is stuck, LimitExceeded or ServerError when none takes the call."""
        limit_s = request.time_limit_ms / 1000 + CALL_GRACE_S
        try:
            answer = await self._pool.run(lambda _, lease: replace(request, call_id=lease), limit_s)
        except PoolBusy as busy:
            raise LimitExceeded(str(busy)) from busy
        except WorkerLost as lost:
            raise ServerError(str(lost)) from lost
        assert isinstance(answer, CallOutcome)
        return answer

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        if isinstance(message, CallOutcome):
            self._pool.finished(peer, message.call_id, message)
        elif isinstance(message, FollowTasks):
            self._pool.follow(peer)
        return None

    def joined(self, peer: Peer) -> None:
        """A reader counts from when it follows."""

    def left(self, peer: Peer) -> None:
        self._pool.left(peer)


def supervised_processes(file: str | None) -> Any:
    """What the supervisor wrote of its processes: name, pid (None while it is down) and restarts of each."""
    if file is None:
        return None
    try:
        return json.loads(Path(file).read_text())["processes"]
    except FileNotFoundError:  # the chain is ending
        return None


async def run_rpc(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    assert plan.listening is not None
    readers = ReaderPool()
    async with sockets_of(role) as sockets:
        sockets.serve(plan.endpoints.rpc(bind=True), readers)
        validators = {
            ValidatorIndex(index): sockets.link(plan.endpoints.validator(index))
            for index in range(len(plan.folder.genesis.validators))
        }
        process = RpcProcess(
            plan.folder.genesis,
            sockets.link(plan.endpoints.storage(0)),
            sockets.link(plan.endpoints.execution(0)),
            validators,
            readers,
            [account.private_key for account in plan.folder.accounts],
            partial(supervised_processes, plan.processes_file),
        )
        await process.open()
        serving = asyncio.ensure_future(process.serve([plan.listening]))
        try:
            await process.server.listening.wait()
            if plan.ready_pipe is not None:
                os.write(plan.ready_pipe, b"ready\n")
            await asyncio.shield(serving)
        finally:
            process.stop()
            await serving
