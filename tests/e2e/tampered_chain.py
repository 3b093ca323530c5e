"""`tandem` whose executors with the numbers in TAMPERED compute wrong blocks: "1:3,2:5" is executor 1 from block 3 on
and executor 2 from block 5 on. A wrong executor credits someone a wei that nobody sent, as a defect of its scheduling
could. Everything else is the real thing: only in the tampered execution process the strategy is another one.
`tandem replay` is tampered with alike, in the blocks of executor 0: all strategies but serial are.
"""

import os
import sys
from unittest.mock import patch

from chain.types import Address, Wei
from node.main import main
from node.plan import Kind, Plan, role_named
from node.roles import run_role

THIEF = Address(bytes.fromhex("7e" * 20))


def tampered_from() -> dict[int, int]:
    """From which block on each tampered executor is wrong."""
    pairs = (pair.split(":") for pair in os.environ["TAMPERED"].split(","))
    return {int(executor): int(block) for executor, block in pairs}


def tamper(first_block: int) -> None:
    """In this process: every strategy but serial gives the thief a wei in each block from this one on."""
    from execution import case_run, processor, strategies
    from execution.block_run import BlockRun, Strategy
    from execution.outcome import Writes

    class Tampering:
        def __init__(self, strategy: Strategy) -> None:
            self._strategy = strategy
            self.name = strategy.name
            self.expect = strategy.expect

        async def run(self, block: BlockRun) -> None:
            await self._strategy.run(block)
            if block.environment.number >= first_block and self.name != strategies.SERIAL:
                await block._merge(len(block.turns), Writes(balances={THIEF: 1}), Wei(0))

    honest = strategies.strategy_named
    for module in (processor, case_run):
        patch.object(module, "strategy_named", lambda *arguments: Tampering(honest(*arguments))).start()


def run_tampered_role(plan: Plan, name: str) -> int:
    role, wrong = role_named(name), tampered_from()
    if role.kind == Kind.EXECUTION and role.executor in wrong:
        tamper(wrong[role.executor])
    return run_role(plan, name)


if __name__ == "__main__":
    if "replay" in sys.argv:
        tamper(tampered_from()[0])
    with patch("node.supervisor.run_role", run_tampered_role):
        main()
