"""What all tests of execution share."""

from collections.abc import Collection, Sequence

import pytest

from execution.schedule import Candidate


def all_chains(
    chains: Sequence[Sequence[Candidate]], workers: int, slowness: float, theirs: Collection[int], spared_us: int
) -> Sequence[Sequence[Candidate]]:
    return chains


@pytest.fixture(autouse=True)
def workers_take_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is gained by it: the blocks of tests are small."""
    monkeypatch.setattr("execution.strategies.optimistic.for_workers", all_chains)
