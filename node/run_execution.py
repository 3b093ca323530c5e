"""The execution process: executes committed proposals, with the workers that connect to it."""

from functools import partial

from execution.engine import Engine
from execution.process import ExecutionOptions, ExecutionProcess
from node.output import Output
from node.plan import Plan, Role
from node.sockets import sockets_of


async def run_execution(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled, or until a block differs from its serial run."""
    settings, genesis = plan.settings, plan.folder.genesis
    options = ExecutionOptions(settings.strategy, settings.check_serial, plan.folder.path / "cases")
    async with sockets_of(role) as sockets:
        process = ExecutionProcess(
            genesis,
            sockets.link(plan.endpoints.storage(role.executor)),
            [sockets.link(plan.endpoints.validator(index)) for index in range(len(genesis.validators))],
            Engine(genesis.fork, settings.evm),
            options,
            output.block if role.executor == 0 else lambda *_: None,  # their blocks are the same
            partial(output.trouble, process=role.name),
        )
        sockets.serve(plan.endpoints.execution(role.executor, bind=True), process)
        await process.run()
