"""The rpc process: JSON-RPC on the listening socket, and the pool that reader processes join."""

import asyncio
import os

from chain.links import Link
from chain.messages.blobs import BlobsChecked, CheckBlobs
from chain.messages.calls import CallOutcome, RunCall
from chain.messages.simulation import RunSimulation, Simulated, SimulationFailed
from chain.messages.traces import BlockTrace, RunTraces, TraceBlock, TraceFailed, TraceRuns
from chain.types import ValidatorIndex
from execution.call_pool import CallPool
from execution.pool import PoolBusy, WorkerLost
from node.chain_processes import chain_processes
from node.contracts_file import ContractsFile, damaged
from node.faults_file import FaultsFile
from node.output import Output
from node.plan import Plan, Role
from node.sockets import Sockets, sockets_of
from rpc.access import AccessRules
from rpc.errors import LimitExceeded, ServerError
from rpc.naming.contract import BadContract
from rpc.naming.registry import Registry
from rpc.process import RpcProcess


class Readers:
    """rpc's calls and traces on the reader pool, whose errors become JSON-RPC's (implements rpc.process.Readers)."""

    def __init__(self, pool: CallPool) -> None:
        self._pool = pool

    async def call(self, request: RunCall) -> CallOutcome:
        """Raises TimeoutError when a reader is stuck, LimitExceeded or ServerError when none takes the call."""
        try:
            return await self._pool.call(request)
        except (PoolBusy, WorkerLost) as error:
            raise _rpc_error(error) from error

    async def trace(self, request: TraceBlock) -> BlockTrace | TraceFailed:
        """Raises as `call` does."""
        try:
            return await self._pool.trace(request)
        except (PoolBusy, WorkerLost) as error:
            raise _rpc_error(error) from error

    async def trace_runs(self, request: TraceRuns) -> RunTraces | TraceFailed:
        """Raises as `call` does."""
        try:
            return await self._pool.trace_runs(request)
        except (PoolBusy, WorkerLost) as error:
            raise _rpc_error(error) from error

    async def simulate(self, request: RunSimulation) -> Simulated | SimulationFailed:
        """Raises as `call` does."""
        try:
            return await self._pool.simulate(request)
        except (PoolBusy, WorkerLost) as error:
            raise _rpc_error(error) from error

    async def check_blobs(self, request: CheckBlobs) -> BlobsChecked:
        """Raises as `call` does."""
        try:
            return await self._pool.check_blobs(request)
        except (PoolBusy, WorkerLost) as error:
            raise _rpc_error(error) from error


class Storages:
    """Links to the storages of the executors that run: of those at the start and of who came in for a wrong one."""

    def __init__(self, plan: Plan, sockets: Sockets) -> None:
        self._plan = plan
        self._sockets = sockets
        self._links: dict[int, Link] = {}

    def __call__(self) -> tuple[Link, ...]:
        executors = self._plan.executors.at_start(self._plan.settings.executors)
        for executor in executors:
            if executor not in self._links:
                self._links[executor] = self._sockets.link(self._plan.endpoints.storage(executor))
        return tuple(self._links[executor] for executor in executors)


def _rpc_error(error: PoolBusy | WorkerLost) -> LimitExceeded | ServerError:
    return LimitExceeded(str(error)) if isinstance(error, PoolBusy) else ServerError(str(error))


async def run_rpc(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    assert plan.listening is not None
    pool, executor, ending = CallPool(), plan.executors.first(), asyncio.Event()
    async with sockets_of(role) as sockets:
        sockets.serve(plan.endpoints.rpc(bind=True), pool, pool.hear)
        validators = {
            ValidatorIndex(index): sockets.link(
                plan.endpoints.validator(index), lambda _: process.validator_connection_changed()
            )
            for index in range(len(plan.folder.genesis.validators))
        }
        process = RpcProcess(
            plan.folder.genesis,
            sockets.link(plan.endpoints.storage(executor)),
            sockets.link(plan.endpoints.execution(executor)),
            validators,
            Readers(pool),
            [account.private_key for account in plan.folder.accounts],
            FaultsFile(plan.faults_file),
            chain_processes(plan, ending),
            output,
            plan.settings.executors,
            _contracts(plan),
            AccessRules((plan.settings.host, *plan.settings.allow_host), plan.settings.allow_origin),
            ("", "") if plan.folder.fork is None else (plan.folder.fork.shown, plan.folder.fork.url),
            plan.settings.history,
            Storages(plan, sockets),
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
            ending.set()
            await serving


def _contracts(plan: Plan) -> Registry:
    """Raises BadDataFolder."""
    file = ContractsFile(plan.folder.path)
    try:
        return Registry(plan.settings.artifacts, file)
    except BadContract as error:
        raise damaged(file.path, error) from error
