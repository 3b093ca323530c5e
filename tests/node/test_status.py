"""What `tandem status` shows of refused messages."""

from typing import Any

from node.status import SHOWN_REJECTIONS, executor_lines, rejection_lines


def refusing(index: int, *refused: tuple[str, str, int]) -> dict[str, Any]:
    entries = [{"peer": peer, "reason": reason, "times": times} for peer, reason, times in refused]
    return {"index": index, "connected": True, "rejections": entries}


def test_a_chain_without_refusals_has_no_such_line() -> None:
    assert rejection_lines([refusing(0), {"index": 1, "connected": False}]) == []


def test_refusals_are_named_most_frequent_first() -> None:
    validator = refusing(2, ("validator-3", "WrongSignature", 2), ("stranger", "UnprovenPeer", 90))
    lines = rejection_lines([refusing(0), validator])
    assert lines == ["", "validator 2 refused: stranger UnprovenPeer 90, validator-3 WrongSignature 2"]


def test_a_long_list_is_cut_and_says_so() -> None:
    (_, line) = rejection_lines([refusing(0, *[("validator-1", f"Reason{i}", i + 1) for i in range(9)])])
    assert line.endswith(f"and {9 - SHOWN_REJECTIONS} more")
    assert line.count("validator-1") == SHOWN_REJECTIONS


def test_a_lone_executor_has_no_line() -> None:
    assert executor_lines({"count": 1, "disputed": None, "wrong": []}, 5, []) == []


def test_a_block_that_waits_for_a_slow_executor_is_named() -> None:
    """Without that line every process runs, nothing lags, and the chain stands still."""
    executors: dict[str, Any] = {"count": 2, "disputed": None, "wrong": []}
    validators: list[dict[str, Any]] = [
        {"heights": {"executed": 3}},
        {"heights": {"executed": 4}},
        {"connected": False},
    ]
    assert executor_lines(executors, 5, validators)[1:] == [
        "            they agree up to block 4; block 5 waits for the slower ones"
    ]
    assert len(executor_lines(executors, 4, validators)) == 1


def test_a_dispute_and_a_wrong_executor_are_named_with_both_hashes() -> None:
    wrong = {"index": 1, "block": 7, "said": "0xabc", "expected": "0xdef"}
    lines = executor_lines({"count": 2, "disputed": 9, "wrong": [wrong]}, 9, [{"heights": {"executed": 8}}])
    assert "differ on block 9" in lines[1]
    assert "executor 1 is wrong and stopped: block 7" in lines[2]
    assert "0xdef, it said 0xabc" in lines[3]
