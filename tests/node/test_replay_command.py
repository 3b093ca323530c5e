"""`tandem replay` from the terminal: what it says of blocks that match or differ, and of files that are no blocks."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chain.block_case import BlockCase, CaseMismatch, DifferingTransaction
from chain.block_case_json import case_to_json
from chain.forks import Fork
from chain.types import Version
from execution.case_run import CaseRun, CaseRunner
from execution.mainnet_block import case_of
from node.errors import NodeError
from node.main import cli
from node.replay_command import RUNS_OF_A_MISMATCH
from tests.node.test_workbench import case as small_case
from tests.node.test_workbench import counting

BLOCKS = Path(__file__).parents[1] / "conformance" / "fixtures" / "blocks"


def replay(path: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["replay", str(path), "--workers", "0", *options])


def block(number: int) -> Any:
    return json.loads(gzip.decompress((BLOCKS / f"{number}.json.gz").read_bytes()))


def written(folder: Path, document: Any, name: str = "46147.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def test_a_block_that_matches_is_a_line_and_counted() -> None:
    result = replay(BLOCKS / "46147.json.gz")
    assert result.exit_code == 0
    line, summary = result.output.splitlines()
    assert line.split()[:3] == ["46147", "frontier", "1"]
    assert line.endswith("matches")
    assert summary == "1 block, 1 match"


def test_programs_get_an_object_a_line() -> None:
    result = replay(BLOCKS / "930196.json.gz", "--json", "--strategy", "serial")
    found, summary = map(json.loads, result.output.splitlines())
    assert found["number"] == 930196
    assert found["gasUsed"] == 378_000
    assert found["matches"] is True
    assert found["stateComparedWith"] == "py-evm"
    assert summary == {"blocks": 1, "match": 1}


def wrong_gas(document: Any) -> None:
    document["block"]["gasUsed"] = "0x5209"


def wrong_bloom(document: Any) -> None:
    document["block"]["logsBloom"] = "0x" + "ff" * 256


def poor_sender(document: Any) -> None:
    sender = document["block"]["transactions"][0]["from"]
    document["preState"][sender]["balance"] = "0x0"


def test_a_case_without_the_system_contracts_of_its_fork_is_one_line(tmp_path: Path) -> None:
    case = small_case(counting(1))
    without = replace(case, environment=replace(case.environment, fork=Fork.PRAGUE))
    result = replay(written(tmp_path, case_to_json(without), "without.json"))
    assert result.exit_code == 1
    line, summary = result.output.splitlines()
    assert "CANNOT BE RUN: block 100 cannot be run on the state that comes with it: system contract" in line
    assert summary == "1 block, 0 match"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wrong_gas, "gas used is 21,000, the header says 21,001"),
        (wrong_bloom, "the bloom is not the header's"),
        (poor_sender, "transaction 0 is left out: insufficient funds for gas * price + value"),
    ],
)
def test_a_block_that_differs_says_in_what(change: Callable[[Any], None], said: str, tmp_path: Path) -> None:
    document = block(46147)
    change(document)
    result = replay(written(tmp_path, document))
    assert result.exit_code == 1
    assert f"DIFFERS: {said}" in result.output
    assert result.output.splitlines()[-1] == "1 block, 0 match"


def test_a_transaction_that_is_not_the_one_of_its_hash_is_refused(tmp_path: Path) -> None:
    document = block(46147)
    document["block"]["transactions"][0]["value"] = "0x1"
    result = replay(written(tmp_path, document))
    assert result.exit_code == 1
    assert "block.transactions[0].hash" in result.output


def test_a_folder_without_an_index_is_replayed_by_number(tmp_path: Path) -> None:
    for number in (46147, 930196):
        written(tmp_path, block(number), f"{number}.json")
    result = replay(tmp_path, "--headers-only")
    assert [line.split()[0] for line in result.output.splitlines()] == ["46147", "930196", "2"]


def test_a_saved_case_is_replayed(tmp_path: Path) -> None:
    case = case_of(block(46147), {})
    result = replay(written(tmp_path, case_to_json(case), "case.json"))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "1 block, 1 match"


def test_a_transaction_that_was_left_out_is_left_out_of_what_is_compared_too(tmp_path: Path) -> None:
    case = small_case([*counting(2), *counting(1, nonce=7), *counting(1, nonce=1)])
    result = replay(written(tmp_path, case_to_json(case), "case.json"))
    assert result.output.splitlines()[-1] == "1 block, 1 match"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"block": 3}', '{"block": {"number": "zwei"}}'])
def test_a_file_that_is_no_block_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_text(text)
    result = replay(path)
    assert result.exit_code == 1
    said, summary = result.output.splitlines()
    assert f"CANNOT BE RUN: {path}: " in said
    assert summary == "1 block, 0 match"


@pytest.mark.parametrize("name", ["nowhere", "", "/dev/zero"])
def test_a_path_without_blocks_is_one_line(name: str, tmp_path: Path) -> None:
    result = replay(tmp_path / name)
    assert isinstance(result.exception, NodeError)
    assert str(tmp_path / name) in str(result.exception)


def saved_case(folder: Path, strategy: str = "dag") -> Path:
    """A case as --check-serial saves it."""
    differing = DifferingTransaction(1, "one gas more", "as it should")
    mismatch = CaseMismatch(strategy, 0, ("gas used",), (differing,))
    return written(
        folder, case_to_json(replace(small_case(counting(3)), mismatch=mismatch)), "serial-mismatch-100.json"
    )


def test_a_saved_mismatch_that_does_not_happen_again_matches(tmp_path: Path) -> None:
    path = saved_case(tmp_path)
    result = replay(path)
    first, second, summary = result.output.splitlines()
    assert result.exit_code == 0
    assert first.endswith("matches")
    assert second.split() == ["saved", "because", "it", "differed", "in", "gas", "used"]
    assert summary == "1 block, 1 match"
    told = json.loads(replay(path, "--json").output.splitlines()[0])
    assert (told["strategy"], told["savedFor"]) == ("dag", ["gas used"])
    assert (
        json.loads(replay(path, "--json", "--strategy", "optimistic").output.splitlines()[0])["strategy"]
        == "optimistic"
    )


def test_a_saved_mismatch_that_happens_now_and_then_is_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, runs = CaseRunner.run, count()

    async def wrong_in_the_end(self: CaseRunner, of: BlockCase, version: Version) -> CaseRun:
        done = await right(self, of, version)
        if done.record.strategy == "dag" and next(runs) == RUNS_OF_A_MISMATCH:
            done.block.gas_used += 1
        return done

    monkeypatch.setattr(CaseRunner, "run", wrong_in_the_end)
    result = replay(saved_case(tmp_path))
    assert result.exit_code == 1
    assert "DIFFERS: other than serial execution in gas used" in result.output


def test_a_case_saved_for_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="'psychic' with 0 workers, for which it was saved, cannot run here"):
        CliRunner().invoke(cli, ["replay", str(saved_case(tmp_path, "psychic"))], catch_exceptions=False)
