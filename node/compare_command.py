"""`tandem compare`: one block under every strategy, side by side."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from execution.strategies import STRATEGIES
from node.command_options import PATH, for_running_chain
from node.errors import BadSetting, NodeError
from node.running_chain import NoSuchBlock, ask, block_reference
from node.settings import EVMS

if TYPE_CHECKING:
    from chain.block_case import BlockCase

ALL = "all"
TIMEOUT_S = 60.0
MAX_WORKERS = 64
MAX_REPEATS = 1_000


class StrategiesDiffer(NodeError):
    """Not all came to the same; what differs has been printed."""


class Strategies(click.ParamType[tuple[str, ...]]):
    """Names with commas between, or all."""

    name = "name,name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        names = tuple(STRATEGIES) if value == ALL else tuple(dict.fromkeys(str(value).split(",")))
        for name in names:
            if name not in STRATEGIES:
                raise click.BadParameter(f"{name!r} is no strategy: choose from {', '.join(STRATEGIES)}, or {ALL}", ctx)
        return names


@click.command(name="compare", short_help="Run a block under every strategy, side by side.")
@for_running_chain
@click.option("--block", metavar="N", help="The block of the running chain: its number, or latest.")
@click.option("--case", "file", type=PATH, help="A file with a block case, in place of a block; no chain is needed.")
@click.option("--strategies", type=Strategies(), default=ALL, show_default=True, help="Which, besides serial.")
@click.option("--workers", type=click.IntRange(0, MAX_WORKERS), default=2, show_default=True, help="Worker processes.")
@click.option("--evm", type=click.Choice(EVMS), default=EVMS[0], show_default=True, help="As of tandem up.")
@click.option(
    "--repeats", type=click.IntRange(1, MAX_REPEATS), default=5, show_default=True, help="Runs of each that count."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare_command(
    url: str,
    block: str | None,
    file: Path | None,
    strategies: tuple[str, ...],
    workers: int,
    evm: str,
    repeats: int,
    as_json: bool,
) -> None:
    """Run one stored block again under every strategy, with workers of its own beside the running chain, and show them
    side by side. It ends with status 1 if any of them came to something else than serial execution, or than the block.

    Times are those of the run of middle length. Strategies take turns, after a few rounds that do not count.
    """
    case = _case(url, block, file)
    import uvloop

    from node.comparison import WARMING_ROUNDS, compare
    from node.comparison_table import as_told, lines_of

    with _rounds(WARMING_ROUNDS + repeats) as on_round:
        comparison = uvloop.run(compare(case, strategies, workers, evm, repeats, on_round))
    click.echo(json.dumps(as_told(comparison), indent=2) if as_json else "\n".join(lines_of(comparison)))
    if not comparison.is_same:
        raise StrategiesDiffer(f"block {case.environment.number} did not come to the same everywhere")


def _case(url: str, block: str | None, file: Path | None) -> "BlockCase":
    if block is not None and file is None:
        return block_case(url, block)
    if file is not None and block is None:
        from node.case_files import CaseFile

        return CaseFile(file.name, file).read()
    raise BadSetting("give --block N, or --case FILE")


def block_case(url: str, block: str) -> "BlockCase":
    """The case of a block of the running chain. Raises NoChain, RefusedByChain, NoSuchBlock and BadSetting."""
    from chain.block_case_json import case_from_json

    told = ask(url, "tandem_getBlockCase", block_reference(block), timeout_s=TIMEOUT_S)
    if told is None:
        raise NoSuchBlock(url, block)
    return case_from_json(told)


@contextlib.contextmanager
def _rounds(count: int) -> Iterator[Callable[[], None]]:
    """A progress bar in a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=count, label="running", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
