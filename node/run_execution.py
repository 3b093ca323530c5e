"""The execution process: executes committed proposals, with the workers that connect to it."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from chain.messages.execution import BlockNews
from consensus.commit_proofs import CommitProofs
from execution.assembly import ExecutedBlock
from execution.engine import INTERPRETER, Engine
from execution.process import ExecutionOptions, ExecutionProcess, OutsideWorkers
from node.output import Output
from node.plan import Plan, Role
from node.settings import Settings
from node.sockets import sockets_of


async def run_execution(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled, or until a block differs from its serial run."""
    settings, genesis = plan.settings, plan.folder.genesis
    strategy, evm = settings.strategy, settings.evm
    if plan.stands_in(role.executor):
        strategy, evm = "serial", INTERPRETER  # the plainest there is, which a defect of the others is not in
    # A temporary folder is gone when the chain ends; a case is what remains of it.
    cases = plan.folder.path / "cases" if plan.folder.durable else Path.cwd()
    options = ExecutionOptions(strategy, settings.check_serial, cases)
    async with sockets_of(role) as sockets:
        process = ExecutionProcess(
            genesis,
            sockets.link(plan.endpoints.storage(role.executor)),
            [sockets.link(plan.endpoints.validator(index)) for index in range(len(genesis.validators))],
            cache(lambda fork: Engine(fork, evm)),
            options,
            partial(_show_block, plan, role, output),
            partial(output.trouble, process=role.name),
            None
            if plan.stands_in(role.executor)
            else _outside_workers(settings, partial(output.trouble, process=role.name)),
            CommitProofs(genesis).prove,
        )
        sockets.serve(plan.endpoints.execution(role.executor, bind=True), process, process.hear)
        await process.run()


def _outside_workers(settings: Settings, on_trouble: Callable[[str], None]) -> OutsideWorkers | None:
    scheduler = settings.dask_scheduler
    if scheduler is None:
        return None
    from execution.dask_pool import DaskWorkers  # a large import that few need

    return lambda pool, storage: DaskWorkers(scheduler, pool, storage, settings.evm, on_trouble).run()


def _show_block(plan: Plan, role: Role, output: Output, news: BlockNews, block: ExecutedBlock) -> None:
    """Of several executors the one that rpc reads shows its blocks: theirs are the same, or it is right."""
    if news.settings.logs and (plan.settings.executors == 1 or plan.executors.first() == role.executor):
        output.block(news, block)
