"""`scripts/bench rpc`: nodes through their JSON-RPC, beside each other."""

import itertools
import sys
from collections.abc import Sequence

import click
import uvloop

from scripts.benchmarks.figures import over_rounds
from scripts.benchmarks.http_client import HttpError, RpcError
from scripts.benchmarks.measurements import GROUPS, Load, measure
from scripts.benchmarks.node_process import TANDEM, NodeDidNotStart, Target, running
from scripts.benchmarks.peers import PEERS, NodeIsMissing, peers
from scripts.benchmarks.report import Result, as_json, as_table
from scripts.benchmarks.workload import TransactionsLost
from tests.e2e.npm_packages import CommandFailed

FAILURES = (NodeDidNotStart, TransactionsLost, HttpError, RpcError, OSError)
"""Of a node: the others are measured all the same."""


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


@click.command()
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
