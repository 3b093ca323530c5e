"""One transaction after the other, in the execution process: what every other strategy must equal."""

from execution.block_run import BlockRun


class Serial:
    """Runs every transaction when its turn comes."""

    name = "serial"

    async def run(self, block: BlockRun) -> None:
        for index in range(len(block.turns)):
            await block.run_here(index)
