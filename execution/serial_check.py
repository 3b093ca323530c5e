"""--check-serial: every block is run a second time, serially and on its own, and must come out the same."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chain.accounts import AccountChange
from chain.proposals import Proposal, encode_proposal
from execution.block_run import BlockRun, Turn
from execution.errors import ExecutionError

log = logging.getLogger("tandem.execution")


class SerialMismatch(ExecutionError):
    """The strategy gave something else than serial execution."""

    def __init__(self, number: int, differences: Sequence[str], saved: Path | None) -> None:
        where = "" if saved is None else f"; the case is saved in {saved}"
        super().__init__(f"block {number} differs from its serial execution in {'; '.join(differences)}{where}")
        self.differences = tuple(differences)


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


def save_case(folder: Path, proposal: Proposal, run: BlockRun, serial: BlockRun, differences: Sequence[str]) -> Path:
    """Write what is needed to look into a mismatch; gives the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"serial-mismatch-{run.environment.number}.json"
    case = {
        "differences": list(differences),
        "environment": asdict(run.environment),
        "proposal": encode_proposal(proposal),
        "turns": [_turn_case(turn) for turn in run.turns],
        "serial": [_turn_case(turn) for turn in serial.turns],
    }
    path.write_text(json.dumps(case, default=_as_text, indent=1))
    return path


def _facts(turn: Turn, other: Turn) -> list[tuple[str, Any, Any]]:
    facts: list[tuple[str, Any, Any]] = [("left out", _reason(turn), _reason(other))]
    mine, theirs = turn.outcome, other.outcome
    if mine is None or theirs is None:
        return [*facts, ("included", mine is None, theirs is None)]
    names = ("succeeded", "gas_used", "gas_price", "fee", "logs", "error", "contract")
    return facts + [(name, getattr(mine, name), getattr(theirs, name)) for name in names]


def _reason(turn: Turn) -> tuple[str, bool] | None:
    return None if turn.left_out is None else (str(turn.left_out), turn.left_out.retry)


def _turn_case(turn: Turn) -> dict[str, Any]:
    return {
        "hash": turn.signed.hash,
        "raw": turn.signed.raw,
        "sender": turn.signed.sender,
        "worker": turn.worker,
        "attempts": turn.attempts,
        "outcome": repr(turn.outcome),
        "left_out": _reason(turn),
        "conflict": repr(turn.conflict),
    }


def _as_text(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
