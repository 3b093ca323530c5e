"""`tandem statetest`: Ethereum's official tests through the engine."""

import json
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.command_options import DEFAULTS, PATH, option
from node.settings import EVMS

if TYPE_CHECKING:
    from node.conformance.outcomes import TestOutcome

CASE_LIMIT_S, MAX_LIMIT_S = 60, 86_400
MAX_JOBS = 64
INTERRUPTED_STATUS = 130


@click.command(short_help="Run Ethereum's official tests.")
@click.argument("paths", nargs=-1, required=True, type=PATH)
@option(
    "--evm", type=click.Choice(EVMS), default=DEFAULTS.evm, help="Compile bytecode before it first runs, or do not."
)
@click.option("--fork", help="Only tests of this fork, as the tests name it: Cancun, Prague, ...")
@click.option("--jobs", type=click.IntRange(1, MAX_JOBS), help="Processes.  [default: one for each core]")
@click.option(
    "--limit", type=click.IntRange(1, MAX_LIMIT_S), default=CASE_LIMIT_S, help="Seconds of processor time a test has."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for every test.")
@click.pass_context
def statetest(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    evm: str,
    fork: str | None,
    jobs: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Run Ethereum's official tests: state tests and blockchain tests of execution-spec-tests and ethereum/tests.

    PATHS are JSON files, archives (.tar.gz), or folders of them. Prints a line for each failure, and how many passed
    and failed; tests for rules that are not ours are counted as skipped.
    """
    jobs = jobs or len(os.sched_getaffinity(0))
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    status = 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C removes what was unpacked
    try:
        with tempfile.TemporaryDirectory(prefix="tandem-tests-") as scratch:
            for outcome in _outcomes(paths, Path(scratch), evm, fork, jobs, limit):
                counts["skipped" if outcome.skipped else "failed" if outcome.failure else "passed"] += 1
                skipped[outcome.skipped] += bool(outcome.skipped)
                _show(outcome, as_json)
    except KeyboardInterrupt:
        status = INTERRUPTED_STATUS
    _sum_up(counts, +skipped, as_json)
    ctx.exit(status or (1 if counts["failed"] else 0))


def _outcomes(
    paths: tuple[Path, ...], scratch: Path, evm: str, fork: str | None, jobs: int, limit_s: int
) -> "Iterator[TestOutcome]":
    from node.conformance.files import NoTests, find_test_files
    from node.conformance.running import run_files

    files = [file for path in paths for file in find_test_files(path, scratch)]
    if not files:
        raise NoTests(f"no tests in {', '.join(map(str, paths))}: give JSON files, archives, or folders of them")
    found = False
    for outcome in run_files(files, evm, jobs, limit_s, fork):
        found = True
        yield outcome
    if not found:
        raise NoTests(f"no tests{f' of {fork}' if fork else ''} in {', '.join(map(str, paths))}")


def _show(outcome: "TestOutcome", as_json: bool) -> None:
    if as_json:
        passed = None if outcome.skipped else not outcome.failure
        facts: dict[str, Any] = {**asdict(outcome), "passed": passed}
        click.echo(json.dumps(facts))
    elif outcome.failure:
        click.echo(f"FAILED {outcome.name} ({outcome.file}): {outcome.failure}")


def _sum_up(counts: Counter[str], skipped: Counter[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: counts[name] for name in ("passed", "failed", "skipped")}))
        return
    for reason, count in skipped.most_common():
        click.echo(f"skipped {count}: {reason}")
    more = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    click.echo(f"{counts['passed']} passed, {counts['failed']} failed{more}")
