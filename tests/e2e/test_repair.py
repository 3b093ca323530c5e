"""Databases that lost something: the chain refuses to start and says why, `tandem repair` mends them, it goes on."""

import contextlib
import http.client
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.folder import lock
from storage.leveldb_log import log_records
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import RpcError
from tests.e2e.load import height
from tests.e2e.running_node import DEADLINE_S, PROJECT, free_port
from tests.e2e.test_recovery import block_with_transfer, validators_agree

BLOCKS = 8
UNREAD = "0x" + 20 * "c0"
UNREAD_CODE = "0x" + random.Random(1).randbytes(20_000).hex()
"""So large that it has a place of its own in the table, which nothing reads when the chain starts."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stopped chain with BLOCKS blocks, half of them in tables."""

    folder: Path
    key: str
    blocks: list[dict[str, Any]]


def _blocks(rpc: Any) -> list[dict[str, Any]]:
    return [rpc.call("eth_getBlockByNumber", hex(number), True) for number in range(BLOCKS + 1)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    folder = tmp_path_factory.mktemp("original") / "chain"
    key, blocks = "", []
    for nonces in (range(BLOCKS // 2), range(BLOCKS // 2, BLOCKS)):
        with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
            key = running.ready()["accounts"][0]["privateKey"]
            if nonces.start == 0:
                rpc.call("anvil_setCode", UNREAD, UNREAD_CODE)
            for nonce in nonces:
                block_with_transfer(rpc, key, nonce)
            wait_until(lambda: validators_agree(rpc, height(rpc)), "the chain is at rest")
            if height(rpc) == BLOCKS:
                blocks = _blocks(rpc)
            assert running.end()[0] == 0
    return Stopped(folder, key, blocks)


@pytest.fixture
def stopped(original: Stopped, tmp_path: Path) -> Stopped:
    folder = tmp_path / "chain"
    shutil.copytree(original.folder, folder)
    return Stopped(folder, original.key, original.blocks)


def _tandem(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _refused(stopped: Stopped) -> list[str]:
    """What `tandem up` says when it does not start."""
    result = _tandem("up", "--data-dir", str(stopped.folder), "--port", str(free_port()))
    assert result.returncode == 1
    return result.stderr.splitlines()


@contextlib.contextmanager
def _goes_on(stopped: Stopped) -> Iterator[ChainProcess]:
    """The chain starts, has its blocks again, and makes another one that all agree on."""
    with chain("--data-dir", str(stopped.folder)) as running, contextlib.closing(running.rpc()) as rpc:
        wait_until(lambda: height(rpc) >= BLOCKS, "all blocks are there")
        assert _blocks(rpc) == stopped.blocks
        block_with_transfer(rpc, stopped.key, BLOCKS)
        wait_until(lambda: validators_agree(rpc, BLOCKS + 1), "every validator has every block and every result")
        yield running
        assert running.end()[0] == 0


def test_damaged_databases_are_named_and_mended(stopped: Stopped) -> None:
    """A table of storage and a validator's log: the one is executed again, the other is cut."""
    folder = stopped.folder
    table, log = min((folder / "storage-0").glob("*.ldb")), min((folder / "validator-1" / "db").glob("*.log"))
    _flip(table)
    _flip(log)
    refusal = "\n".join(_refused(stopped))
    assert f"validator-1: {log} is damaged" in refusal or f"storage: {table} is damaged" in refusal
    assert "run `tandem repair` on the data folder" in refusal
    asked = _tandem("repair", "--data-dir", str(folder))
    assert asked.returncode == 1
    assert asked.stderr == "tandem: nothing was changed: give --yes to have it done\n"
    looked = _tandem("repair", "--check", "--data-dir", str(folder))
    assert looked.returncode == 1
    for line in (f"{table}: the block at byte", f"{log}: the record at byte", "validator-0  right: proposals up to"):
        assert line in looked.stdout
    mended = _tandem("repair", "--yes", "--data-dir", str(folder))
    assert mended.returncode == 0, mended.stderr
    assert f"storage-0    mended; what it was is in {folder / 'storage-0.damaged-1'}" in mended.stdout
    assert "validator-1  keeps proposals up to height" in mended.stdout
    with _goes_on(stopped):
        pass
    assert "nothing is damaged" in _tandem("repair", "--check", "--data-dir", str(folder)).stdout


def test_blocks_that_storage_lost_without_a_trace_are_made_again(stopped: Stopped) -> None:
    """Its log ends earlier, at the end of a record: nothing can tell, and the validators have it all."""
    log = max((stopped.folder / "storage-0").glob("*.log"))
    ends = [end for end, _ in log_records(log)]
    log.write_bytes(log.read_bytes()[: ends[1]])
    with _goes_on(stopped) as running:
        assert not [event for event in running.events if event["event"] == "trouble"]


def test_when_no_validator_has_the_chain_nothing_is_changed(stopped: Stopped) -> None:
    for index in range(4):
        _flip(min((stopped.folder / f"validator-{index}" / "db").glob("*.ldb")))
    result = _tandem("repair", "--yes", "--data-dir", str(stopped.folder))
    assert result.returncode == 1
    assert "no validator in" in result.stderr
    assert "put a backup of the folder in its place" in result.stderr
    assert not list(stopped.folder.glob("*/db.damaged-*"))


def test_a_chain_that_runs_is_not_looked_into(stopped: Stopped) -> None:
    with lock(stopped.folder):
        result = _tandem("repair", "--data-dir", str(stopped.folder))
    assert result.returncode == 1
    assert "another Tandem runs in" in result.stderr


@pytest.mark.parametrize(
    ("folder", "line"), [("missing", "holds no chain"), ("", "give the folder of the chain with --data-dir")]
)
def test_repair_says_what_it_needs(folder: str, line: str, tmp_path: Path) -> None:
    result = _tandem("repair", *(["--data-dir", str(tmp_path / folder)] if folder else []))
    assert result.returncode in (1, 2)
    assert line in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "missing").exists()


def test_a_chain_whose_table_goes_bad_while_it_runs_ends_when_it_meets_that(stopped: Stopped) -> None:
    (table,) = (stopped.folder / "storage-0").glob("*.ldb")
    with chain("--data-dir", str(stopped.folder)) as running, contextlib.closing(running.rpc()) as rpc:
        damaged = bytes(byte ^ 1 for byte in table.read_bytes())
        with table.open("r+b") as file:  # in its place: the database has the file mapped
            file.write(damaged)
        with pytest.raises((RpcError, OSError, http.client.HTTPException, json.JSONDecodeError)):
            rpc.call("eth_getCode", UNREAD, "latest")
        assert running.process.wait(DEADLINE_S) == 1
        trouble = running.event(lambda event: event["event"] == "trouble")
        assert f"storage: {table} is damaged" in trouble["text"]
        assert "run `tandem repair` on the data folder" in trouble["text"]
