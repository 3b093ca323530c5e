"""How fast workers are beside the execution process, from who waited for whom."""

from execution.block_run import BlockRun

MOST_CHANGE = 0.1
"""Of one block."""
RECOVERY = 0.02
SLOWEST, FASTEST = 3.0, 0.5
DONE_BEFORE = 0.06
"""Of a block's turns: so early its workers should be done, since waiting for one that is late costs more."""


class Pace:
    """`slowness` is how many times longer than expected workers seem to take, the costs of sending included.

    Execution should neither wait for workers at the end of a block nor be left alone with much of it: then it has sent
    too much or too little. How long other processes take of the cores, and what a transaction costs beside its run,
    nobody knows beforehand.
    """

    def __init__(self) -> None:
        self.slowness = 1.0

    def learn(self, block: BlockRun) -> None:
        """The block is done. If nothing was sent, that may have been wrong by now."""
        if block.workers_end_us:
            alone_us = block.turns_us - block.workers_end_us
            error = (block.idle_us - alone_us) / block.turns_us + DONE_BEFORE
            change = min(max(error / 2, -MOST_CHANGE), MOST_CHANGE)
        else:
            change = (1 - self.slowness) * RECOVERY
        self.slowness = min(max(self.slowness * (1 + change), FASTEST), SLOWEST)
