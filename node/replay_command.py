"""`tandem replay`: runs blocks again that are known, and says where anything comes out otherwise."""

import gc
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import uvloop
from click.core import ParameterSource

from chain.block_case import BlockCase
from chain.forks import Fork
from execution.strategies import STRATEGIES
from node.command_options import DEFAULTS, PATH, option
from node.settings import EVMS, MAX_WORKERS

if TYPE_CHECKING:
    from execution.case_run import CaseRun
    from execution.state_after import StateAfter
    from node.case_files import CaseFile
    from node.workbench import Workbench


PY_EVM, SERIAL_INTERPRETER = "py-evm", "our serial interpreter"
"""Whose state a block's is compared with. py-evm has no Osaka."""
RUNS_OF_A_MISMATCH = 10


@dataclass(frozen=True, slots=True)
class _Wanted:
    strategy: str
    workers: int
    evm: str
    headers_only: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """How one block came out: nothing in `differences` if as it must. Facts are for people and programs alike."""

    name: str
    facts: dict[str, Any]
    differences: list[str]

    def line(self) -> str:
        facts, differences = self.facts, "; ".join(self.differences)
        if not facts:
            return f"{self.name:>10}  CANNOT BE RUN: {differences}"
        what = f"{facts['fork']:17} {facts['transactions']:>5} transactions {facts['gasUsed']:>11,} gas"
        took = f"{facts['executionUs'] / 1_000_000:>7.2f} s"
        line = f"{self.name:>10}  {what}  {took}  {'DIFFERS: ' + differences if differences else 'matches'}"
        saved = facts["savedFor"]
        return line if saved is None else f"{line}\n{'':>10}  saved because it differed in {'; '.join(saved)}"

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, **self.facts, "matches": not self.differences, "differences": self.differences}


@click.command(short_help="Run known blocks again, and compare.")
@click.argument("path", type=PATH)
@option("--strategy", type=click.Choice(STRATEGIES), default=DEFAULTS.strategy, help="How blocks are scheduled.")
@option("--workers", type=click.IntRange(0, MAX_WORKERS), default=DEFAULTS.workers, help="Worker processes.")
@option("--evm", type=click.Choice(EVMS), default=DEFAULTS.evm, help="Compile bytecode that is run often, or do not.")
@click.option("--headers-only", is_flag=True, help="Do not compare the state with py-evm's, which takes most time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def replay(ctx: click.Context, /, path: Path, as_json: bool, **wanted: Any) -> None:
    """Run known blocks again, under the fork of their number, and compare what comes of them.

    PATH is a folder of mainnet blocks with the state that they read (index.json, codes.json.gz, 46147.json.gz and so
    on), one such file, or a block case that Tandem saved. Gas used, bloom and receipts root must be the header's (the
    receipts root from Byzantium on), and every change of the state must be what py-evm makes of the block serially.

    A case that --check-serial saved runs as it ran there, some times, and is compared with serial execution too.
    """
    from node.case_files import case_files

    files = case_files(path)
    sys.exit(uvloop.run(_replay(files, _as_saved(ctx, files, _Wanted(**wanted)), as_json)))


def _as_saved(ctx: click.Context, files: "list[CaseFile]", wanted: _Wanted) -> _Wanted:
    """A case that --check-serial saved runs as it ran there, but for what the user says. Raises BadCaseFile."""
    from node.case_files import BadCaseFile

    mismatch = files[0].mismatch() if len(files) == 1 else None
    if mismatch is None:
        return wanted
    if mismatch.strategy not in STRATEGIES or mismatch.workers > MAX_WORKERS:
        raise BadCaseFile(
            files[0].path,
            f"{mismatch.strategy!r} with {mismatch.workers} workers, for which it was saved, cannot run here",
        )
    saved: dict[str, Any] = {"strategy": mismatch.strategy, "workers": mismatch.workers}
    unsaid = {name for name in saved if ctx.get_parameter_source(name) == ParameterSource.DEFAULT}
    return replace(wanted, **{name: value for name, value in saved.items() if name in unsaid})


async def _replay(files: "list[CaseFile]", wanted: _Wanted, as_json: bool) -> int:
    from node.roles import RARE_COLLECTIONS
    from node.workbench import workbench

    gc.set_threshold(*RARE_COLLECTIONS)
    matching = 0
    async with workbench(wanted.workers, wanted.evm) as bench:
        for file in files:
            replayed = await _one(bench, file, wanted)
            matching += not replayed.differences
            click.echo(json.dumps(replayed.as_json()) if as_json else replayed.line())
    counted = "1 block" if len(files) == 1 else f"{len(files)} blocks"
    click.echo(json.dumps({"blocks": len(files), "match": matching}) if as_json else f"{counted}, {matching} match")
    return 0 if matching == len(files) else 1


async def _one(bench: "Workbench", file: "CaseFile", wanted: _Wanted) -> Replayed:
    from execution.case_differences import against_header
    from node.case_files import BadCaseFile
    from node.workbench import CaseCannotRun

    try:
        case = file.read()
    except BadCaseFile as error:
        return Replayed(file.name, {}, [str(error)])
    try:
        run = await bench.run(case, wanted.strategy)
    except CaseCannotRun as error:
        return Replayed(file.name, {}, [str(error)])
    differences, yardstick = against_header(case, run.block), None
    if not wanted.headers_only:
        yardstick = PY_EVM if case.environment.fork <= Fork.PRAGUE else SERIAL_INTERPRETER
        differences += await _state_differences(case, run, yardstick)
    if case.mismatch is not None:
        differences += await _differences_again(bench, case, wanted.strategy)
    facts = {
        "number": case.environment.number,
        "fork": case.environment.fork.label,
        "transactions": len(case.transactions),
        "gasUsed": run.block.gas_used,
        "strategy": wanted.strategy,
        "workers": run.record.workers,
        "attempts": sum(len(turn.runs) for turn in run.block.turns),
        "executionUs": run.record.execution_us,
        "stateComparedWith": yardstick,
        "savedFor": None if case.mismatch is None else list(case.mismatch.differences),
    }
    return Replayed(file.name, facts, differences)


async def _differences_again(bench: "Workbench", case: BlockCase, strategy: str) -> list[str]:
    """In what the first of some runs that differs from serial execution does so: how runs meet varies."""
    from execution.serial_check import differences_between
    from execution.strategies import SERIAL

    serial = await bench.run(case, SERIAL)
    for _ in range(RUNS_OF_A_MISMATCH):
        run = await bench.run(case, strategy)
        found = differences_between(run.block, run.changes, serial.block, serial.changes)
        if found:
            return [f"other than serial execution in {', '.join(found)}"]
    return []


async def _state_differences(case: BlockCase, run: "CaseRun", yardstick: str) -> list[str]:
    from execution.case_differences import against_state
    from execution.evm.py_evm_serial import PyEvmRefused
    from execution.state_after import state_after

    try:
        theirs = await _serial_state(case, run, yardstick)
    except PyEvmRefused as refusal:
        return [str(refusal)]
    return against_state(state_after(case, run), theirs, yardstick)


async def _serial_state(case: BlockCase, run: "CaseRun", yardstick: str) -> "StateAfter":
    """Raises PyEvmRefused."""
    from execution.engine import INTERPRETER
    from execution.evm.py_evm_serial import run_serially
    from execution.state_after import state_after
    from execution.strategies import SERIAL
    from node.workbench import workbench

    if yardstick == PY_EVM:
        return run_serially(case, [i for i, turn in enumerate(run.block.turns) if turn.left_out])
    async with workbench(0, INTERPRETER) as bench:
        return state_after(case, await bench.run(case, SERIAL))
