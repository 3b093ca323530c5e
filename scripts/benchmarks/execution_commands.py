"""`scripts/bench evm`, `execution` and `scaling`: what runs transactions, alone."""

import click
import uvloop

from execution.engine import EVMS as OUR_EVMS
from execution.strategies import RULES
from scripts.benchmarks.evm import EVMS, EvmLoad, EvmSubject, measure_evm
from scripts.benchmarks.execution import (
    ExecutionLoad,
    ExecutorsDiffer,
    TransactionLeftOut,
    execution_as_json,
    execution_as_table,
    measure_execution,
)
from scripts.benchmarks.execution_blocks import WORKLOADS
from scripts.benchmarks.report import Result, as_json, as_table
from scripts.benchmarks.scaling import MEASURED_WORKERS, measure_scaling, scaling_as_json, scaling_as_table


@click.command()
@click.option("--transactions", default=600, show_default=True, type=click.IntRange(10), help="Transfers in a round.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of a table.")
def evm(transactions: int, wants_json: bool) -> None:
    """Measure the EVM alone: compiled, interpreted, and py-evm as it comes, in one process.

    The ratio beside a figure says how many times faster the compiled one is.
    """
    load, results = EvmLoad(transactions), []
    for subject in map(EvmSubject, EVMS):
        click.echo(f"measuring {subject.name} …", err=True)
        results.append(Result(subject, list(measure_evm(subject, load))))
    click.echo(as_json(results, load) if wants_json else as_table(results))


@click.command()
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    default=tuple(RULES),
    show_default=True,
    type=click.Choice(tuple(RULES)),
    help="Repeatable. Serial is always measured.",
)
@click.option("--evm", "evms", multiple=True, default=OUR_EVMS, show_default=True, type=click.Choice(OUR_EVMS))
@click.option("--only", multiple=True, type=click.Choice([w.name for w in WORKLOADS]), help="Repeatable.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes of each executor.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="That count.")
@click.option("--blocks", default=4, show_default=True, type=click.IntRange(1, 100), help="In a row, in each round.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of tables.")
def execution(
    strategies: tuple[str, ...],
    evms: tuple[str, ...],
    only: tuple[str, ...],
    workers: int,
    rounds: int,
    blocks: int,
    wants_json: bool,
) -> None:
    """Measure the executor alone: each strategy against serial execution.

    \b
    The processes are real and so are their queues; storage is in memory. All strategies execute the same blocks by
    turns, so that a ratio within a round holds on a machine that does other things as well.

    \b
    scripts/bench execution
    scripts/bench execution --strategy optimistic --only swaps --evm compiled --rounds 15
    """
    load = ExecutionLoad(workers, rounds, blocks)
    chosen = [workload for workload in WORKLOADS if not only or workload.name in only]
    results = []
    for kind in dict.fromkeys(evms):
        click.echo(f"measuring {kind} …", err=True)
        try:
            results += uvloop.run(measure_execution(load, tuple(dict.fromkeys(strategies)), kind, chosen))
        except (ExecutorsDiffer, TransactionLeftOut, TimeoutError, OSError) as error:
            raise click.ClickException(f"{kind}: {error}") from error
    click.echo(execution_as_json(load, results) if wants_json else execution_as_table(load, results))


@click.command()
@click.option("--evm", "evms", multiple=True, default=OUR_EVMS, show_default=True, type=click.Choice(OUR_EVMS))
@click.option("--only", multiple=True, type=click.Choice([w.name for w in WORKLOADS]), help="Repeatable.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="That count.")
@click.option("--blocks", default=4, show_default=True, type=click.IntRange(1, 100), help="In a row, in each round.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of a table.")
def scaling(evms: tuple[str, ...], only: tuple[str, ...], rounds: int, blocks: int, wants_json: bool) -> None:
    """Work out what more workers give under the strategy `optimistic`.

    \b
    With one and two workers it is measured as by `scripts/bench execution`. The blocks recorded there then pass through
    the same scheduler and pool on a virtual clock, with up to 16 workers: runs take what they took, and what surrounds
    them costs what it cost with two workers.
    """
    load = ExecutionLoad(MEASURED_WORKERS[-1], rounds, blocks)
    chosen = [workload for workload in WORKLOADS if not only or workload.name in only]
    curves = []
    for kind in dict.fromkeys(evms):
        click.echo(f"measuring {kind} …", err=True)
        try:
            curves += uvloop.run(measure_scaling(load, kind, chosen))
        except (ExecutorsDiffer, TransactionLeftOut, TimeoutError, OSError) as error:
            raise click.ClickException(f"{kind}: {error}") from error
    click.echo(scaling_as_json(curves) if wants_json else scaling_as_table(curves))
