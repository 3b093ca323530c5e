"""--check-serial: every block is run a second time, serially and on its own, and must come out the same."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chain.accounts import AccountChange
from chain.block_case import BlockCase, CaseMismatch, DifferingTransaction
from chain.block_case_json import write_case
from execution.block_run import BlockRun, Turn
from execution.errors import ExecutionError

log = logging.getLogger("tandem.execution")


class SerialMismatch(ExecutionError):
    """The strategy gave something else than serial execution."""

    def __init__(self, number: int, differences: Sequence[str], saved: str) -> None:
        super().__init__(f"block {number} differs from its serial execution in {'; '.join(differences)}; {saved}")


def differences_between(
    run: BlockRun,
    changes: Sequence[AccountChange],
    serial: BlockRun,
    serial_changes: Sequence[AccountChange],
) -> list[str]:
    """What the two runs of one block disagree on, in words."""
    found = [
        f"transaction {index}: {name}"
        for index, (turn, other) in enumerate(zip(run.turns, serial.turns, strict=True))
        for name, mine, theirs in _facts(turn, other)
        if mine != theirs
    ]
    if run.gas_used != serial.gas_used:
        found.append("gas used")
    if (run.parent_hash_slot, run.requests_hash) != (serial.parent_hash_slot, serial.requests_hash):
        found.append("system calls")
    ours, theirs_by_address = {c.address: c for c in changes}, {c.address: c for c in serial_changes}
    touched = sorted(ours.keys() | theirs_by_address.keys())
    return found + [f"account 0x{a.hex()}" for a in touched if ours.get(a) != theirs_by_address.get(a)]


def mismatch_of(
    strategy: str, workers: int, run: BlockRun, serial: BlockRun, differences: Sequence[str]
) -> CaseMismatch:
    """Both runs, where they differ, in words."""
    rows = [
        DifferingTransaction(position, _story(turn), _story(other))
        for position, (turn, other) in enumerate(zip(run.turns, serial.turns, strict=True))
        if _reason(turn) != _reason(other) or turn.outcome != other.outcome
    ]
    return CaseMismatch(strategy, workers, tuple(differences), tuple(rows))


def save_case(folder: Path, case: BlockCase) -> str:
    """Write the case of a mismatch; says in words where it is, or why it is nowhere."""
    path = folder / f"serial-mismatch-{case.environment.number}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_case(path, case)
    except OSError as error:
        return f"the case cannot be saved in {path}: {error.strerror}"
    return f"the case is saved: tandem replay {path}"


def _facts(turn: Turn, other: Turn) -> list[tuple[str, Any, Any]]:
    facts: list[tuple[str, Any, Any]] = [("left out", _reason(turn), _reason(other))]
    mine, theirs = turn.outcome, other.outcome
    if mine is None or theirs is None:
        return [*facts, ("included", mine is None, theirs is None)]
    names = ("succeeded", "gas_used", "gas_price", "fee", "logs", "error", "contract", "console")
    return facts + [(name, getattr(mine, name), getattr(theirs, name)) for name in names]


def _reason(turn: Turn) -> tuple[str, bool] | None:
    return None if turn.left_out is None else (str(turn.left_out), turn.left_out.retry)


def _story(turn: Turn) -> str:
    what = f"left out: {turn.left_out}" if turn.outcome is None else repr(turn.outcome)
    runs = [f"{run.result.name} in {run.worker or 'execution'} {list(run.stale) or ''}".rstrip() for run in turn.runs]
    return f"{', '.join(runs)}: {what}"
