"""`scripts/bench consensus` and `faults`: the validators alone, and a chain whose validators fail."""

from pathlib import Path

import click
import uvloop

from consensus.registry import RULE_SETS
from scripts.benchmarks.faults import costs_as_json, costs_as_table, measure_faults
from scripts.benchmarks.ordering import OrderingLoad, make_load, measure_ordering
from scripts.benchmarks.report import Result, as_json, as_table
from scripts.benchmarks.rpc_command import FAILURES
from scripts.benchmarks.stand_ins import TransactionRefused, ValidatorsDisagree
from scripts.benchmarks.validators import OrderingChain, ValidatorEnded
from scripts.benchmarks.workload import TransactionsLost

ORDERING_FAILURES = (TransactionsLost, TransactionRefused, ValidatorsDisagree, ValidatorEnded, OSError)


@click.command()
@click.option(
    "--validators",
    "sizes",
    multiple=True,
    default=[4],
    show_default=True,
    type=click.IntRange(1, 64),
    help="Repeatable: a column for each.",
)
@click.option("--consensus", default="hotstuff-2", show_default=True, type=click.Choice(sorted(RULE_SETS)))
@click.option("--executors", default=1, show_default=True, type=click.IntRange(1, 8), help="Stand-ins that answer.")
@click.option("--durable", is_flag=True, help="Force to the disk what is signed, as a chain with --data-dir does.")
@click.option("--transactions", default=50_000, show_default=True, type=click.IntRange(100), help="For the throughput.")
@click.option("--size", default=200, show_default=True, type=click.IntRange(180, 100_000), help="Bytes of each.")
@click.option("--samples", default=200, show_default=True, type=click.IntRange(10), help="For each latency.")
@click.option("--idle-seconds", default=10.0, show_default=True, type=click.FloatRange(0.1), help="At rest.")
@click.option(
    "--profile",
    "profiles",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write what cProfile sees of each validator there. It makes them several times slower.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of a table.")
def consensus(
    sizes: tuple[int, ...],
    consensus: str,
    executors: int,
    durable: bool,
    transactions: int,
    size: int,
    samples: int,
    idle_seconds: float,
    profiles: Path | None,
    wants_json: bool,
) -> None:
    """Measure consensus alone: validators, without execution and rpc.

    \b
    The validators are real processes with their sockets, signatures and databases. This process stands in for rpc
    (admits signed transactions to every validator) and for execution (answers every committed block at once).

    \b
    commit latency        from an admission sent to the commit that more than a third of the stake confirms:
                          one transaction at a time, the next when the result is out, or after a silence
    ordered transactions  from the first one sent to the last one committed
    CPU at rest           of all validators, after the load

    \b
    scripts/bench consensus
    scripts/bench consensus --validators 4 --validators 7 --validators 13
    scripts/bench consensus --durable
    """
    load = OrderingLoad(transactions, size, samples, idle_seconds)
    click.echo("signing transactions …", err=True)
    signed = make_load(load)
    results = []
    for validators in sizes:
        chain = OrderingChain(validators, consensus, executors, durable)
        click.echo(f"measuring {chain.name} ({chain.description}) …", err=True)
        try:
            results.append(Result(chain, uvloop.run(measure_ordering(chain, load, signed, profiles))))
        except ORDERING_FAILURES as error:
            raise click.ClickException(f"{chain.name}: {error}") from error
    click.echo(as_json(results, load) if wants_json else as_table(results))


@click.command()
@click.option(
    "--consensus",
    "rule_sets",
    multiple=True,
    default=sorted(RULE_SETS),
    show_default=True,
    type=click.Choice(sorted(RULE_SETS)),
    help="Repeatable: a table for each.",
)
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(1), help="How long each fault lasts.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of tables.")
def faults(rule_sets: tuple[str, ...], seconds: float, wants_json: bool) -> None:
    """Measure what each fault costs a chain of four validators.

    \b
    send → receipt    one transfer at a time while the fault is in force, asking for its receipt without pause
    longest           of these: the longest time without a commit is part of it
    caught up after   from the end of the fault until every validator has committed what was the newest block then,
                      or until the first commit if there was none during the fault
    """
    costs = {}
    for rules in rule_sets:
        click.echo(f"measuring {rules} …", err=True)
        try:
            costs[rules] = uvloop.run(measure_faults(rules, seconds))
        except FAILURES as error:
            raise click.ClickException(f"{rules}: {error}") from error
    click.echo(costs_as_json(costs) if wants_json else costs_as_table(costs))
