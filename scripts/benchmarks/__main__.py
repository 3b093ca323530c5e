"""The command line: `scripts/bench rpc`, `consensus`, `faults`, `evm`, `execution`, `scaling` and `storage`."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import uvloop

from consensus.registry import RULE_SETS
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
from scripts.benchmarks.faults import costs_as_json, costs_as_table, measure_faults
from scripts.benchmarks.figures import over_rounds
from scripts.benchmarks.http_client import HttpError, RpcError
from scripts.benchmarks.measurements import GROUPS, Load, measure
from scripts.benchmarks.node_process import TANDEM, NodeDidNotStart, Target, running
from scripts.benchmarks.ordering import OrderingLoad, make_load, measure_ordering
from scripts.benchmarks.peers import PEERS, NodeIsMissing, peers
from scripts.benchmarks.report import Result, as_json, as_table
from scripts.benchmarks.scaling import MEASURED_WORKERS, measure_scaling, scaling_as_json, scaling_as_table
from scripts.benchmarks.stand_ins import TransactionRefused, ValidatorsDisagree
from scripts.benchmarks.storage import SIZES, measure_storage, storage_as_json, storage_as_table
from scripts.benchmarks.validators import OrderingChain, ValidatorEnded
from scripts.benchmarks.workload import TransactionsLost
from tests.e2e.npm_packages import CommandFailed

FAILURES = (NodeDidNotStart, TransactionsLost, HttpError, RpcError, OSError)
ORDERING_FAILURES = (TransactionsLost, TransactionRefused, ValidatorsDisagree, ValidatorEnded, OSError)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure a chain."""


def _comparison(context: click.Context, option: click.Parameter, values: Sequence[str]) -> list[Target]:
    targets = []
    for value in values:
        name, separator, where = value.partition("=")
        if not separator or not name or not where:
            raise click.BadParameter(f"{value!r} is not NAME=URL or NAME=COMMAND")
        targets.append(Target(name, where))
    return targets


def _peers(context: click.Context, option: click.Parameter, values: Sequence[str]) -> list[str]:
    names = [name for value in values for name in value.split(",")]
    if unknown := [name for name in names if name not in PEERS]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(PEERS)}; other nodes by --compare")
    return names


@main.command()
@click.option("--url", help="HTTP address of a running node. Without it a Tandem chain is started for the run.")
@click.option("--start", metavar="COMMAND", help="Start this node instead; {port} stands for a free port.")
@click.option(
    "--beside",
    metavar=",".join(PEERS),
    multiple=True,
    callback=_peers,
    help="Install these from npm, measure them as well and print ratios.",
)
@click.option(
    "--compare",
    "others",
    metavar="NAME=URL|COMMAND",
    multiple=True,
    callback=_comparison,
    help="Measure another node as well; a command is started like --start. Repeatable.",
)
@click.option("--only", multiple=True, type=click.Choice(GROUPS), help="Measure only this. Repeatable.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="The nodes take turns in each.")
@click.option("--transactions", default=960, show_default=True, type=click.IntRange(20), help="For each throughput.")
@click.option("--senders", default=64, show_default=True, type=click.IntRange(1, 500), help="Accounts that send.")
@click.option(
    "--connections",
    default=[1, 16, 64],
    show_default=True,
    multiple=True,
    type=click.IntRange(1, 500),
    help="Open at once, each busy. Repeatable: a figure for each.",
)
@click.option(
    "--samples",
    default=100,
    show_default=True,
    type=click.IntRange(10),
    help="For the latency; many connections take a fifth each.",
)
@click.option("--seconds", default=0.5, show_default=True, type=click.FloatRange(0.1), help="For each kind of read.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of a table.")
def rpc(
    url: str | None,
    start: str | None,
    beside: list[str],
    others: list[Target],
    only: tuple[str, ...],
    rounds: int,
    transactions: int,
    senders: int,
    connections: tuple[int, ...],
    samples: int,
    seconds: float,
    wants_json: bool,
) -> None:
    """Measure a node through its JSON-RPC, as a client sees it.

    \b
    start to first answer   from the command to an answer (only a node started here)
    send → receipt          p50 and p99: each connection has a sender of its own, which sends one transfer at a time
                            and asks for its receipt without pause
    raw transactions        answered a second, sent one by one or in batches, signed beforehand
    ... mined               from the first one sent to the last one's receipt: plain transfers,
                            ERC-20 transfers, one counter that all write, 100 rounds of keccak
    reads                   answered a second: eth_blockNumber, eth_getBalance, eth_call of balanceOf (both of
                            the senders by turns), eth_getLogs that finds ten events in ten blocks;
                            "new": each with an account that was never asked for
    ... / ... ms            how long one request took, p50 and p99
    (...x)                  how many times better the first node is

    Nodes are started one after the other, never two at once, in each of the rounds; shown is the median. Each must have
    the ten accounts of the mnemonic "test test … junk" with ether; each gets the same contracts and senders.

    \b
    scripts/bench rpc
    scripts/bench rpc --beside anvil,hardhat
    scripts/bench rpc --url http://127.0.0.1:8545
    scripts/bench rpc --compare 'anvil-1s=anvil --block-time 1 --port {port}' --compare other=http://127.0.0.1:9545
    """
    first = _first(url, start)
    load = Load(max(transactions, senders), senders, tuple(sorted(set(connections))), samples, seconds)
    try:
        with peers(beside) as installed:
            results, failed = _by_turns([first, *installed, *others], rounds, load, only)
    except (NodeIsMissing, CommandFailed) as error:
        raise click.ClickException(str(error)) from error
    if results:
        click.echo(as_json(results, load) if wants_json else as_table(results))
    if failed:
        raise SystemExit(1)


def _first(url: str | None, start: str | None) -> Target:
    """The node that the others are compared with."""
    if url is not None and start is not None:
        raise click.UsageError("--url and --start exclude each other")
    where = url or start
    return Target("tandem", TANDEM) if where is None else Target("node", where)


def _by_turns(targets: list[Target], rounds: int, load: Load, only: tuple[str, ...]) -> tuple[list[Result], bool]:
    """What was measured, and whether any node failed: it gets no further turn."""
    taken: dict[str, list[Result]] = {target.name: [] for target in targets}
    failed: set[str] = set()
    for number, target in itertools.product(range(1, rounds + 1), targets):
        if target.name in failed:
            continue
        try:
            taken[target.name].append(uvloop.run(_measured(target, load, only, f"round {number} of {rounds}")))
        except FAILURES as error:
            # The figures of the others are worth showing all the same.
            click.echo(f"Error: {target.name}: {error}", err=True)
            failed.add(target.name)
    merged = [
        Result(results[0].subject, over_rounds([one.figures for one in results]))
        for results in taken.values()
        if results
    ]
    return merged, bool(failed)


async def _measured(target: Target, load: Load, only: tuple[str, ...], turn: str) -> Result:
    async with running(target) as node:
        click.echo(f"{turn}: measuring {node.name} ({node.version}) …", file=sys.stderr)
        return Result(node, await measure(node, load, lambda group: not only or group in only))


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
@click.option(
    "--accounts",
    "sizes",
    multiple=True,
    default=SIZES,
    show_default=True,
    type=click.IntRange(10_000, 10_000_000),
    help="Of the state, which has as many slots. Repeatable. A million take some three minutes.",
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Of which the median counts.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON instead of a table.")
def storage(sizes: tuple[int, ...], rounds: int, wants_json: bool) -> None:
    """Measure the state on disk alone, in one process: reads, a block's commit, and how both grow with the state.

    \b
    Reads at the newest version are compared with plain gets of the same records from LevelDB, the update of a trie with
    the `trie` package's. Logs of one address are searched in 10,000 blocks. What transfers take on the disk is measured
    with blocks that were executed.
    """
    figures = measure_storage(tuple(dict.fromkeys(sizes)), rounds, lambda text: click.echo(text, err=True))
    click.echo(storage_as_json(figures) if wants_json else storage_as_table(figures))


if __name__ == "__main__":
    main(prog_name="scripts/bench")
