"""`scripts/bench storage`: the state on disk alone."""

import click

from scripts.benchmarks.storage import SIZES, measure_storage, storage_as_json, storage_as_table


@click.command()
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
