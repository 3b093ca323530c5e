"""Which executors of a chain run, and that a wrong one never does again."""

from pathlib import Path

import pytest

from chain.keccak import keccak256
from chain.messages.mempool import WrongExecutor
from chain.types import ExecutorIndex, Height
from node.containers import run_one
from node.errors import BadDataFolder, BadSetting
from node.executors import MOST, Executors
from node.settings import Settings

SAID, EXPECTED = keccak256(b"said"), keccak256(b"expected")


def wrong(executor: int, block: int = 7) -> WrongExecutor:
    return WrongExecutor(ExecutorIndex(executor), Height(block), SAID, EXPECTED, by_majority=True)


def test_a_chain_begins_with_the_lowest_numbers(tmp_path: Path) -> None:
    assert Executors(tmp_path).at_start(2) == (0, 1)
    assert Executors(tmp_path).first() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_executor_is_left_out_from_then_on(tmp_path: Path) -> None:
    assert Executors(tmp_path).reject(wrong(0))
    again = Executors(tmp_path)
    assert again.at_start(2) == (1, 2)
    assert again.below(2) == (1,)
    assert again.first() == 1


def test_only_the_first_finding_of_an_executor_is_news(tmp_path: Path) -> None:
    executors = Executors(tmp_path)
    assert executors.reject(wrong(1))
    assert not executors.reject(wrong(1, block=9))
    assert executors.reject(wrong(2))
    assert executors.at_start(2) == (0, 3)


def test_the_last_executor_there_can_be_stays(tmp_path: Path) -> None:
    executors = Executors(tmp_path)
    assert [executors.reject(wrong(executor)) for executor in range(MOST)] == [True] * (MOST - 1) + [False]
    assert executors.first() == MOST - 1
    assert executors.at_start(2) == executors.below(10**6) == (MOST - 1,)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"wrong": [{}]}', b'{"wrong": 3}', b"\xff"])
def test_a_damaged_file_is_refused_in_plain_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "executors.json").write_bytes(content)
    with pytest.raises(BadDataFolder, match=r"executors\.json cannot be read"):
        Executors(tmp_path).first()


@pytest.mark.parametrize(("role", "executors"), [("execution", 2), ("execution-1", 1), ("storage-1", 1)])
def test_processes_run_one_by_one_have_one_executor(tmp_path: Path, role: str, executors: int) -> None:
    with pytest.raises(BadSetting, match="need tandem up"):
        run_one(role, Settings(executors=executors, data_dir=tmp_path))
