"""Scenarios that once broke a promise. They never may again."""

from pathlib import Path

import pytest

from tests.simulation.campaign import replay_file

STORED = sorted((Path(__file__).parent / "regressions").glob("*.json"))


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_what_once_failed_does_not_fail_again(file: Path) -> None:
    tally = replay_file(file)
    assert tally.scenarios > 0
    assert not tally.failures, tally.failures[0]
