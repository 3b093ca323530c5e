"""One transaction after the other, in the execution process: what every other strategy must equal."""

from execution.block_run import BlockRun


class Serial:
    """Runs every transaction when its turn comes."""

    name = "serial"

    async def run(self, block: BlockRun) -> None:
        await block.run_all_here()
