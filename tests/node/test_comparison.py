"""`tandem compare`: one case under several strategies, what is shown of it, and when it fails."""

import gzip
import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import click
import pytest

from chain.block_case import BlockCase, ExpectedBlock
from chain.block_case_json import write_case
from chain.headers import EMPTY_BLOOM
from chain.merkle import ordered_root
from chain.types import Gas, Version
from execution.assembly import receipts_of
from execution.case_run import CaseRun, CaseRunner
from execution.strategies import STRATEGIES
from node.compare_command import Strategies, StrategiesDiffer
from node.comparison import WARMING_ROUNDS, Comparison, compare
from node.comparison_table import as_told, lines_of
from node.errors import BadSetting, NodeError
from node.main import cli
from node.workbench import workbench
from tests.node.test_workbench import case, counting, hashing


async def compared(of: BlockCase, *strategies: str, workers: int = 0, repeats: int = 1) -> Comparison:
    return await compare(of, strategies, workers, "compiled", repeats)


async def with_header(of: BlockCase) -> BlockCase:
    """The case with what its header would say."""
    async with workbench(workers=0) as bench:
        run = await bench.run(of, "serial")
    root = ordered_root([receipt.encode() for receipt in receipts_of(run.block)])
    return replace(of, expected=ExpectedBlock(Gas(run.block.gas_used), root, EMPTY_BLOOM))


async def test_every_strategy_runs_a_block_and_serial_stands_first() -> None:
    of = await with_header(case(hashing(6) + counting(4, nonce=1)))
    comparison = await compared(of, *STRATEGIES, workers=2)
    assert [result.strategy for result in comparison.results] == list(STRATEGIES)
    assert comparison.is_same
    assert all(result.attempts >= 10 and result.record.execution_us > 0 for result in comparison.results)
    assert comparison.speedup(comparison.serial) == 1.0


async def test_the_critical_path_is_that_of_the_counter_which_everybody_raises() -> None:
    comparison = await compared(case(counting(5)), "serial")
    assert comparison.path is not None
    assert comparison.path.places == (0, 1, 2, 3, 4)
    transactions = comparison.serial.record.transactions
    assert comparison.path.us == sum(each.attempts[-1].thread_us for each in transactions)


async def test_transactions_that_the_block_leaves_out_are_no_part_of_its_path() -> None:
    of = case(counting(2) + counting(1, nonce=5) + counting(2, nonce=1))
    comparison = await compared(of, "optimistic")
    assert comparison.is_same
    assert comparison.path is not None
    assert comparison.path.places == (0, 1, 3, 4)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"gas_used": Gas(7)}, "gas used is"),
        ({"receipts_root": b"\x01" * 32}, "receipts root is 0x"),
        ({"logs_bloom": b"\x01" * 256}, "the bloom is not the header's"),
    ],
)
async def test_a_block_that_comes_out_otherwise_than_it_was_stored_is_told(wrong: dict[str, Any], told: str) -> None:
    of = await with_header(case(counting(3)))
    assert of.expected is not None
    comparison = await compared(replace(of, expected=replace(of.expected, **wrong)), "serial")
    assert not comparison.is_same
    [line] = [line for line in lines_of(comparison) if line.startswith("serial execution differs")]
    assert told in line


@pytest.fixture
def wrong_optimistic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimistic runs burn a unit of gas too much."""
    right = CaseRunner.run

    async def run(self: CaseRunner, of: BlockCase, version: Version) -> CaseRun:
        done = await right(self, of, version)
        done.block.gas_used += done.record.strategy == "optimistic"
        return done

    monkeypatch.setattr(CaseRunner, "run", run)


@pytest.mark.usefixtures("wrong_optimistic")
async def test_a_strategy_that_comes_to_something_else_is_told() -> None:
    comparison = await compared(case(counting(3)), "optimistic", "accounts")
    assert not comparison.is_same
    assert [result.differences for result in comparison.results] == [(), ("gas used",), ()]
    lines = lines_of(comparison)
    assert [line.split()[0] for line in lines if line.endswith("DIFFERS")] == ["optimistic"]
    assert lines[-1] == "optimistic differs from serial execution in gas used"


async def test_the_first_rounds_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right, runs, rounds = CaseRunner.run, count(), list[None]()

    async def run(self: CaseRunner, of: BlockCase, version: Version) -> CaseRun:
        done = await right(self, of, version)
        done.block.gas_used += next(runs) < WARMING_ROUNDS
        return done

    monkeypatch.setattr(CaseRunner, "run", run)
    comparison = await compare(case(counting(2)), ["serial"], 0, "compiled", 2, lambda: rounds.append(None))
    assert comparison.gas_used == await plain_gas(monkeypatch, case(counting(2)))
    assert len(rounds) == WARMING_ROUNDS + 2


async def plain_gas(monkeypatch: pytest.MonkeyPatch, of: BlockCase) -> int:
    monkeypatch.undo()
    async with workbench(workers=0) as bench:
        return (await bench.run(of, "serial")).block.gas_used


@pytest.mark.usefixtures("wrong_optimistic")
def test_the_command_fails_if_strategies_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StrategiesDiffer, match="block 100 did not come to the same everywhere"):
        command(tmp_path, "optimistic")
    assert "optimistic differs from serial execution in gas used" in capsys.readouterr().out


def command(folder: Path, strategies: str, *options: str) -> None:
    path = folder / "case.json"
    write_case(path, case(counting(3)))
    compare_by("--case", str(path), "--strategies", strategies, "--workers", "0", "--repeats", "1", *options)


def compare_by(*arguments: str) -> None:
    cli.main(["compare", *arguments], prog_name="tandem", standalone_mode=False)


def test_the_command_prints_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(tmp_path, "all")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("block 100  3 transactions  ")
    assert lines[1].startswith("critical path ")
    assert [line.split()[0] for line in lines[3:9]] == ["strategy", *STRATEGIES]
    assert lines[-1] == "all give what serial execution gives"
    command(tmp_path, "serial,dag", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [row["strategy"] for row in told["strategies"]] == ["serial", "dag"]
    assert (told["block"], told["transactions"], told["same"], told["criticalPath"]) == (100, 3, True, [0, 1, 2])


async def test_the_table_has_one_column_under_each_heading() -> None:
    lines = lines_of(await compared(case(counting(3)), "serial"))
    heading, row = lines[3], lines[4]
    assert len(row) == len(heading)
    told = as_told(await compared(case(counting(1)), "serial"))
    assert lines_of(await compared(case(counting(1)), "serial"))[0].startswith("block 100  1 transaction  ")
    assert told["strategies"][0]["speedup"] == 1.0


@pytest.mark.parametrize("typed", ["nobody", "serial,nobody", ""])
def test_a_strategy_that_does_not_exist_is_one_line(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is no strategy: choose from serial, optimistic, "):
        Strategies().convert(typed, None, None)


@pytest.mark.parametrize("arguments", [[], ["--block", "1", "--case", "file"]])
def test_either_a_block_or_a_case_is_needed(arguments: list[str]) -> None:
    with pytest.raises(BadSetting, match="give --block N, or --case FILE"):
        compare_by(*arguments)


@pytest.mark.parametrize("typed", ["x", "-1", "0xzz", "1.5", str(2**63)])
def test_a_block_that_cannot_be_one_is_one_line(typed: str) -> None:
    with pytest.raises(BadSetting, match="is no block: give its number or latest, safe"):
        compare_by(f"--block={typed}")


def test_a_file_that_is_no_case_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"none\.json"):
        compare_by("--case", str(tmp_path / "none.json"))
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(NodeError, match=r"deep\.json: not JSON"):
        compare_by("--case", str(tmp_path / "deep.json"))
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"[]")[:10] + b"\xff" * 20)
    with pytest.raises(NodeError, match=r"cut\.json\.gz: not JSON"):
        compare_by("--case", str(tmp_path / "cut.json.gz"))
    (tmp_path / "bad.json").write_text('{"format": "tandem-block-case"}')
    with pytest.raises(NodeError, match=r"bad\.json: not a block case: version: 1 belongs here, not nothing"):
        compare_by("--case", str(tmp_path / "bad.json"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(NodeError, match=r"list\.json: not a block"):
        compare_by("--case", str(tmp_path / "list.json"))
