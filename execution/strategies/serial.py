"""One transaction after the other, in the execution process: what every other strategy must equal."""

from collections.abc import Sequence

from execution.block_run import BlockRun
from execution.senders import SignedTransaction


class Serial:
    """Runs every transaction when its turn comes."""

    name = "serial"

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        """Nothing is planned."""

    async def run(self, block: BlockRun) -> None:
        await block.run_all_here()
