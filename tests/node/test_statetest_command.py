"""`tandem statetest` from the terminal: a line for each failure, counts, and one line for what is no test."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chain.signing import address_of_private_key
from node.errors import NodeError
from node.main import cli
from tests.conformance import sample

FEW = 6


def statetest(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["statetest", "--jobs", "2", *map(str, arguments)])


def official(row: dict[str, Any]) -> dict[str, Any]:
    """A case of the sample as a file of the official tests has it."""
    return {**row["test"], "transaction": {}, "post": {row["fork"].capitalize(): [row["post"]]}}


@pytest.fixture
def tests() -> dict[str, dict[str, Any]]:
    return {row["name"]: official(row) for row in sample.rows()[:FEW]}


def written(path: Path, tests: object) -> Path:
    path.write_text(json.dumps(tests))
    return path


def test_tests_that_pass_are_counted(tests: dict[str, Any], tmp_path: Path) -> None:
    result = statetest(written(tmp_path / "tests.json", tests))
    assert result.output == f"{FEW} passed, 0 failed\n"
    assert result.exit_code == 0


def test_a_failure_is_a_line_that_says_which_test_and_why(tests: dict[str, Any], tmp_path: Path) -> None:
    name = next(iter(tests))
    [posts] = tests[name]["post"].values()
    posts[0]["hash"] = "0x" + "11" * 32
    result = statetest(written(tmp_path / "tests.json", tests))
    failure, counts = result.output.splitlines()
    assert failure.startswith(f"FAILED {name}")
    assert str(tmp_path / "tests.json") in failure
    assert f"expected 0x{'11' * 32}" in failure
    assert counts == f"{FEW - 1} passed, 1 failed"
    assert result.exit_code == 1


MALFORMED: list[tuple[str, dict[str, Any], str]] = [
    ("no environment", {"env": None}, "lacks env.currentNumber"),
    ("a list", {"env": []}, "has [] as env, where an object belongs"),
    ("no number", {"env": {"currentNumber": "one"}}, "has 'one' where a number belongs"),
    ("no state", {"pre": None}, "lacks pre"),
    ("no account", {"pre": {"0x01": "0x"}}, "has '0x' as pre.0x01, where an object belongs"),
    ("a large nonce", {"pre": {"0x01": {"nonce": 2**256}}}, "where a number of at most 256 bits belongs"),
    ("no outcome", {"post": None}, "lacks post"),
    ("outcomes by name", {"post": {"Cancun": {"hash": "0x"}}}, "as post.Cancun, where a list belongs"),
    ("no hash", {"post": {"Cancun": [{"logs": "0x"}]}}, "lacks post.hash"),
    ("no transaction", {"post": {"Cancun": [{"hash": "0x", "logs": "0x"}]}}, "lacks post.indexes.data"),
    (
        "no such data",
        {
            "post": {"Cancun": [{"hash": "0x", "logs": "0x", "indexes": {"data": 1, "gas": 0, "value": 0}}]},
            "transaction": {"nonce": "0x", "gasLimit": ["0x1"], "value": ["0x"], "data": ["0x"]},
        },
        "lacks transaction.data[1]",
    ),
    ("no network", {"blocks": []}, "lacks network"),
    (
        "no block",
        {"blocks": [7], "network": "Cancun", "genesisRLP": "0xc0"},
        "the genesis of the test's file is no block",
    ),
]


def test_what_a_malformed_test_lacks_is_said_and_the_others_run(tests: dict[str, Any], tmp_path: Path) -> None:
    good = next(iter(tests.values()))
    malformed = {name: {**good, **changed} for name, changed, _ in MALFORMED}
    result = statetest(written(tmp_path / "tests.json", {**malformed, "good": good}))
    *failures, counts = result.output.splitlines()
    assert counts == f"1 passed, {len(MALFORMED)} failed"
    for (name, _, words), line in zip(MALFORMED, failures, strict=True):
        assert line.startswith(f"FAILED {name}")
        assert "internal error" not in line
        assert words in line, line


def test_the_process_ends_with_status_1_if_a_test_fails(tmp_path: Path) -> None:
    path = written(tmp_path / os.fsdecode(b"not utf-8 \xff.json"), [])
    command = [sys.executable, "-m", "node", "statetest", "--jobs", "1", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    failure, counts = ended.stdout.splitlines()
    assert failure.endswith("not utf-8 \\udcff.json): an object of tests by name belongs here")
    assert (ended.returncode, counts, ended.stderr) == (1, "0 passed, 1 failed", "")


def test_an_archive_that_cannot_be_unpacked_is_one_line(tmp_path: Path) -> None:
    archive = tmp_path / "tests.tar.gz"
    archive.write_bytes(b"")
    result = statetest(archive)
    assert isinstance(result.exception, NodeError)
    assert len(str(result.exception).splitlines()) == 1


def test_programs_get_an_object_for_each_test(tests: dict[str, Any], tmp_path: Path) -> None:
    result = statetest(written(tmp_path / "tests.json", tests), "--json", "--evm", "interpreter")
    *outcomes, counts = map(json.loads, result.output.splitlines())
    assert counts == {"passed": FEW, "failed": 0, "skipped": 0}
    assert all(outcome["passed"] is True and outcome["kind"] == "state" for outcome in outcomes)


def test_folders_and_archives_are_looked_through(tests: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    written(folder / "one.json", tests)
    for name in (".meta", "pre_alloc"):
        (folder / name).mkdir()
        written(folder / name / "none.json", {"network": "Prague", "pre": {}})
    (folder / "two.json.gz").write_bytes(gzip.compress(json.dumps(tests).encode()))
    data = json.dumps(tests).encode()
    with tarfile.open(folder / "three.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("inner/three.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    assert statetest(folder).output == f"{3 * FEW} passed, 0 failed\n"


def test_only_one_fork_is_run_when_asked(tests: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / "tests.json", tests)
    forks = [next(iter(test["post"])) for test in tests.values()]
    result = statetest(path, "--fork", forks[0].lower())
    assert result.output == f"{forks.count(forks[0])} passed, 0 failed\n"


def test_tests_of_other_networks_and_kinds_are_skipped_with_the_reason(tests: dict[str, Any], tmp_path: Path) -> None:
    first = next(iter(tests.values()))
    [posts] = first["post"].values()
    first["post"] = {"Verkle": posts}
    path = written(tmp_path / "tests.json", tests | {"payloads": {"engineNewPayloads": [], "network": "Prague"}})
    result = statetest(path)
    assert sorted(result.output.splitlines()) == [
        f"{FEW - 1} passed, 0 failed, 2 skipped",
        "skipped 1: engine tests are not run here",
        "skipped 1: network Verkle is not one of ours",
    ]
    assert result.exit_code == 0


def test_members_that_nobody_knows_change_nothing(tests: dict[str, Any], tmp_path: Path) -> None:
    for test in tests.values():
        test["_info"] = {"anything": [1, 2]}
        test["env"]["currentSomething"] = "0x1"
    assert statetest(written(tmp_path / "tests.json", tests)).output == f"{FEW} passed, 0 failed\n"


def test_a_block_case_is_told_which_command_runs_it(tmp_path: Path) -> None:
    result = statetest(written(tmp_path / "case.json", {"format": "tandem-block-case", "version": 1}))
    assert "this is a block case: tandem replay runs it\n" in result.output


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"a": 1}', b"\xff", gzip.compress(b"{}", mtime=0)[:10] + b"\xff" * 20]
)
def test_a_file_that_holds_no_tests_fails_in_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tests.json"
    path.write_bytes(data)
    result = statetest(path)
    failure, counts = result.output.splitlines()
    assert failure.startswith(f"FAILED {path}")
    assert "JSON" in failure or "belongs here" in failure
    assert counts == "0 passed, 1 failed"


@pytest.mark.parametrize("name", ["nowhere", "empty", "/dev/zero"])
def test_a_path_without_tests_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = statetest(tmp_path / name)
    assert isinstance(result.exception, NodeError)
    assert str(tmp_path / name) in str(result.exception)


def test_a_test_that_does_not_end_costs_its_time_and_the_others_go_on(tests: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / "tests.json", {"runs away": endless(), **tests})
    failure, counts = statetest(path, "--limit", "1", "--evm", "interpreter").output.splitlines()
    assert failure.startswith("FAILED runs away")
    assert failure.endswith("no result within 1 s of processor time")
    assert counts == f"{FEW} passed, 1 failed"


def endless() -> dict[str, Any]:
    """A state test whose transaction has gas for a billion rounds of a loop."""
    key = bytes([0x45] * 32)
    return {
        "env": {
            "currentCoinbase": "0x" + "aa" * 20,
            "currentGasLimit": hex(10**11),
            "currentNumber": "0x1",
            "currentTimestamp": "0x3e8",
            "currentRandom": "0x0",
            "currentBaseFee": "0x1",
        },
        "pre": {
            "0x" + "cc" * 20: {"nonce": "0x1", "balance": "0x0", "code": "0x5b600056", "storage": {}},
            "0x" + address_of_private_key(key).hex(): {"nonce": "0x0", "balance": hex(10**20)},
        },
        "transaction": {
            "nonce": "0x0",
            "gasPrice": "0x1",
            "gasLimit": [hex(10**10)],
            "to": "0x" + "cc" * 20,
            "value": ["0x0"],
            "data": ["0x"],
            "secretKey": "0x" + key.hex(),
        },
        "post": {"Cancun": [{"hash": "0x", "logs": "0x", "indexes": {"data": 0, "gas": 0, "value": 0}}]},
    }


def test_an_interruption_removes_what_was_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []

    def interrupted(paths: object, scratch: Path, *options: object) -> Iterator[object]:
        unpacked.append(scratch)
        assert scratch.is_dir()
        signal.raise_signal(signal.SIGINT)
        yield from ()

    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    monkeypatch.setattr("node.statetest_command._outcomes", interrupted)
    try:
        result = CliRunner().invoke(cli, ["statetest", "somewhere"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.exit_code, result.output) == (130, "0 passed, 0 failed\n")
    assert not unpacked[0].exists()
