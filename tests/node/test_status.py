"""What `tandem status` shows of refused messages."""

from typing import Any

from node.status import SHOWN_REJECTIONS, rejection_lines


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
