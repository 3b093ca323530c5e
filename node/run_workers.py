"""Worker and reader processes: they run bytecode, and ask storage for what they miss, in one thread."""

import functools
from collections.abc import Callable

from chain.forks import Fork
from execution.call_worker import CallWorkerProcess
from execution.engine import Engine
from execution.evm.tracing import TracingEngine
from execution.storage_requests import PatientReads
from execution.worker import WorkerProcess
from execution.worker_limits import DEFAULT_LIMITS
from node.output import Output
from node.plan import Plan, Role
from node.queues.blocking import BlockingSocket
from node.sockets import sockets_of


async def run_worker(plan: Plan, role: Role, output: Output) -> None:
    """Runs transactions for its executor, until cancelled."""
    async with sockets_of(role) as sockets:
        reads = _reads(plan, role, role.executor)
        execution = sockets.link(plan.endpoints.execution(role.executor))
        DEFAULT_LIMITS.limit_memory()
        patient = PatientReads(reads, functools.partial(output.trouble, process=role.name))
        await WorkerProcess(execution, patient, _engines(plan)).run()


async def run_reader(plan: Plan, role: Role, output: Output) -> None:
    """Runs calls and traces for rpc, until cancelled."""
    async with sockets_of(role) as sockets:
        reads = _reads(plan, role, plan.executors.first())
        tracers = functools.cache(lambda fork: TracingEngine(fork, plan.settings.evm))
        await CallWorkerProcess(sockets.link(plan.endpoints.rpc()), reads, _engines(plan), tracers).run()


def _engines(plan: Plan) -> Callable[[Fork], Engine]:
    return functools.cache(lambda fork: Engine(fork, plan.settings.evm))


def _reads(plan: Plan, role: Role, executor: int) -> BlockingSocket:
    return BlockingSocket(plan.endpoints.storage(executor), role.name)
