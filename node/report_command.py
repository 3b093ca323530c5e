"""`tandem report`: how a running chain's blocks were executed, and a gate for continuous integration."""

import json
import shutil
import sys

import click

from node.command_options import for_running_chain
from node.errors import BadSetting
from node.gate import METRICS, Condition, GateFailed, condition, failures
from node.report import WIDTH, lines_of, metrics
from node.running_chain import TAGS, ask, block_reference

NEWEST_BLOCKS = 256
"""So many blocks the chain looks through at once."""
TIMEOUT_S = 60.0
GATE_HELP = "\b\nA CONDITION compares, by < <= > >= == or !=, a number with one of\n" + "\n".join(
    f"  {name:<21}{meaning}" for name, meaning in METRICS.items()
)


@click.command(short_help="Show how blocks were executed, and what held them up.", epilog=GATE_HELP)
@for_running_chain
@click.option("--block", metavar="N", help="One block: its number, or latest.")
@click.option("--range", "span", metavar="A..B", help="Blocks A to B; without A from as far back as can be shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--fail-if",
    "unwanted",
    metavar="CONDITION",
    multiple=True,
    help="End with status 1 if this holds, such as 'speedup<1.5'. Can be given several times.",
)
def report(url: str, block: str | None, span: str | None, as_json: bool, unwanted: tuple[str, ...]) -> None:
    """Show how blocks were executed: a timeline of the workers, conflicts, the variables that held transactions up
    and what that cost, and what to change. Without --block and --range it is about the newest 256 blocks.
    """
    conditions = [condition(text) for text in unwanted]
    first, last = _blocks(url, block, span)
    spots = ask(url, "tandem_getHotspots", first, last, timeout_s=TIMEOUT_S)
    busiest = spots["busiest"]
    drawn = None if busiest is None else ask(url, "tandem_getBlockExecution", hex(busiest), timeout_s=TIMEOUT_S)
    measured = metrics(spots, drawn if spots["from"] == spots["to"] else None)
    if as_json:
        told = {"metrics": measured, "hotspots": spots, "block": drawn, "failed": failures(conditions, measured)}
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(lines_of(spots, drawn, _width())))
    _judge(conditions, measured)


def _width() -> int:
    """The terminal's, as far as it is a narrow one."""
    return min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


def _judge(conditions: list[Condition], measured: dict[str, float | None]) -> None:
    failed = failures(conditions, measured)
    if failed:
        raise GateFailed("; ".join(failed))


def _blocks(url: str, block: str | None, span: str | None) -> tuple[str, str]:
    """The range as JSON-RPC takes it. Raises BadSetting."""
    if block is not None and span is not None:
        raise BadSetting("give --block or --range, not both")
    if block is not None:
        one = block_reference(block)
        return one, one
    first, dots, last = (span or "..").partition("..")
    if not dots:
        raise BadSetting(f"--range {span!r} is no range of blocks: write one like 10..20, 10.. or ..20")
    end = block_reference(last) if last else "latest"
    if first:
        return block_reference(first), end
    newest = int(ask(url, "eth_blockNumber"), 16) if end in TAGS else int(end, 16)
    return hex(max(0, newest - NEWEST_BLOCKS + 1)), end
