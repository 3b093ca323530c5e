"""The command line: `scripts/simulate`."""

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from consensus.registry import RULE_SETS
from scripts.simulations.campaigns import Plan, carry_out
from scripts.simulations.report import lines
from tests.simulation.campaign import Failure, Tally, replay_file, run_seeds, run_twins_numbers

REGRESSIONS = Path("tests/simulation/regressions")
SEEDS, TWINS = 2_000, 1_000
PROGRESS_EVERY_S = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", default=0, metavar="N", type=click.IntRange(0), help="Scenarios drawn from seeds.")
@click.option("--twins", default=0, metavar="N", type=click.IntRange(0), help="Twins scenarios.")
@click.option("--minutes", default=0.0, metavar="M", type=click.FloatRange(0), help="Go on for at least so long.")
@click.option("--first", default=0, metavar="N", type=click.IntRange(0), help="The first seed and Twins scenario.")
@click.option("--rules", type=click.Choice(sorted(RULE_SETS)), help="Only this rule set; without it, all by turns.")
@click.option(
    "--processes",
    default=os.cpu_count() or 1,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 256),
    help="Run so many scenarios at a time.",
)
@click.option("--seed", metavar="N", type=click.IntRange(0), help="Run the scenario of this seed again.")
@click.option("--twin", metavar="N", type=click.IntRange(0), help="Run this Twins scenario again.")
@click.option(
    "--scenario",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run a stored scenario again.",
)
def main(
    seeds: int,
    twins: int,
    minutes: float,
    first: int,
    rules: str | None,
    processes: int,
    seed: int | None,
    twin: int | None,
    scenario: Path | None,
) -> None:
    """Simulate consensus under faults, lies and partitions, and say what that covered.

    Without options: the 2,000 seeds and 1,000 Twins scenarios of the tests. A scenario that breaks a promise is told at
    once and stored in tests/simulation/regressions, where the tests replay it for ever; the exit status is 1. Ctrl-C
    ends the run with the report of what it covered.
    """
    started = time.monotonic()
    total = Tally()
    with contextlib.suppress(KeyboardInterrupt):  # what was covered until then is worth telling
        for tally in _tallies(Plan(seeds, twins, first, minutes * 60, rules), processes, seed, twin, scenario):
            total.add(tally)
            for failure in tally.failures:
                click.echo(f"{failure}\nstored in {_store(failure)}")
    click.echo("\n".join(lines(total, time.monotonic() - started)))
    sys.exit(1 if total.failures else 0)


def _tallies(plan: Plan, processes: int, seed: int | None, twin: int | None, file: Path | None) -> Iterator[Tally]:
    if seed is not None:
        yield run_seeds([seed], plan.rules)
    if twin is not None:
        yield run_twins_numbers([twin], plan.rules)
    if file is not None:
        yield _replayed(file)
    if (seed, twin, file) == (None, None, None):
        if not (plan.seeds or plan.twins or plan.seconds):
            plan = Plan(SEEDS, TWINS, plan.first, rules=plan.rules)
        yield from _with_progress(carry_out(plan, processes))


def _replayed(file: Path) -> Tally:
    try:
        return replay_file(file)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.BadParameter(f"{file} is no scenario: {error}") from error


def _with_progress(tallies: Iterator[Tally]) -> Iterator[Tally]:
    scenarios = failures = 0
    said_at = started = time.monotonic()
    for tally in tallies:
        scenarios += tally.scenarios
        failures += len(tally.failures)
        if time.monotonic() - said_at > PROGRESS_EVERY_S:
            said_at = time.monotonic()
            print(
                f"{said_at - started:6.0f} s: {scenarios:,} scenarios, {failures} failed", file=sys.stderr, flush=True
            )
        yield tally


def _store(failure: Failure) -> Path:
    REGRESSIONS.mkdir(exist_ok=True)
    path = REGRESSIONS / (re.sub(r"\W+", "-", failure.name.lower()) + ".json")
    path.write_text(failure.stored)
    return path


if __name__ == "__main__":
    main(prog_name="scripts/simulate")
