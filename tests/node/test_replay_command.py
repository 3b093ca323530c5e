"""`tandem replay` from the terminal: what it says of blocks that match or differ, and of files that are no blocks."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chain.block_case_json import case_to_json
from execution.mainnet_block import case_of
from node.errors import NodeError
from node.main import cli

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


@pytest.mark.parametrize(
    ("change", "said"),
    [(wrong_gas, "gas used is 21,000, the header says 21,001"), (wrong_bloom, "the bloom is not the header's")],
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


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"block": 3}', '{"block": {"number": "zwei"}}'])
def test_a_file_that_is_no_block_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_text(text)
    result = replay(path)
    assert result.exit_code == 1
    said, summary = result.output.splitlines()
    assert f"CANNOT BE READ: {path}: " in said
    assert summary == "1 block, 0 match"


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_a_path_without_blocks_is_one_line(name: str, tmp_path: Path) -> None:
    result = replay(tmp_path / name)
    assert isinstance(result.exception, NodeError)
    assert str(tmp_path) in str(result.exception)
