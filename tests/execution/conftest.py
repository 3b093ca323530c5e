"""What all tests of execution share."""

import math

import pytest


@pytest.fixture(autouse=True)
def workers_take_whatever_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is gained by it: the blocks of tests are small."""
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", math.inf)
