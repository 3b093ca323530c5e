"""How the transactions of a block are scheduled: each strategy is one file, and one line in `RULES`.

A rule stands here as its module and what makes it there, and is imported when it is asked for, so that the command line
can offer the names without loading any of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from execution.errors import UnknownStrategy

if TYPE_CHECKING:
    from execution.block_run import Strategy
    from execution.known import KnownState
    from execution.pool import Pool
    from execution.worker_tasks import WorkerTasks

SERIAL = "serial"
RULES: dict[str, tuple[str, str]] = {
    "optimistic": ("execution.strategies.optimistic", "Optimistic"),
    "block-stm": ("execution.strategies.block_stm", "BlockStm"),
    "accounts": ("execution.strategies.accounts", "accounts"),
    "dag": ("execution.strategies.dag", "dag"),
}
STRATEGIES = (SERIAL, *RULES)


def strategy_named(name: str, pool: "Pool", tasks: "WorkerTasks", known: "KnownState") -> "Strategy":
    """The strategy a user means by `name`. Raises UnknownStrategy with the names there are."""
    if name not in STRATEGIES:
        raise UnknownStrategy(name, STRATEGIES)
    if name == SERIAL:
        from execution.strategies.serial import Serial

        return Serial()
    from execution.speculative_strategy import SpeculativeStrategy

    module, rule = RULES[name]
    return SpeculativeStrategy(getattr(import_module(module), rule)(), pool, tasks, known)
