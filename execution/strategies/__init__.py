"""How the transactions of a block are scheduled: each strategy is one file, and one line in `strategy_named`."""

from execution.block_run import Strategy
from execution.errors import ExecutionError
from execution.known import KnownState
from execution.pool import Pool
from execution.strategies.optimistic import Optimistic
from execution.strategies.serial import Serial
from execution.worker_tasks import WorkerTasks

STRATEGIES = ("serial", "optimistic")


class UnknownStrategy(ExecutionError):
    """A strategy name this project does not know."""


def strategy_named(name: str, pool: Pool, tasks: WorkerTasks, known: KnownState) -> Strategy:
    """The strategy a user means by `name`. Raises UnknownStrategy with the names there are."""
    if name == "serial":
        return Serial()
    if name == "optimistic":
        return Optimistic(pool, tasks, known)
    raise UnknownStrategy(f"unknown strategy {name!r}: choose one of {', '.join(STRATEGIES)}")
