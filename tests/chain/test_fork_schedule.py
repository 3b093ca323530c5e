"""Which rules a block has."""

import pytest

from chain.fork_schedule import ForkSchedule
from chain.forks import Fork

MERGED_LATE = ForkSchedule(((5, Fork.LONDON), (10, Fork.PARIS)), ((100, Fork.SHANGHAI), (200, Fork.CANCUN)))
MERGED_FROM_THE_START = ForkSchedule(((5, Fork.LONDON), (0, Fork.PARIS)), ((100, Fork.SHANGHAI),))


@pytest.mark.parametrize(
    ("schedule", "number", "timestamp", "fork"),
    [
        (MERGED_LATE, 4, 500, Fork.FRONTIER),
        (MERGED_LATE, 9, 500, Fork.LONDON),
        (MERGED_LATE, 10, 99, Fork.PARIS),
        (MERGED_LATE, 10, 100, Fork.SHANGHAI),
        (MERGED_LATE, 11, 500, Fork.CANCUN),
        (MERGED_FROM_THE_START, 7, 99, Fork.PARIS),
        (MERGED_FROM_THE_START, 7, 100, Fork.SHANGHAI),
    ],
)
def test_times_count_once_the_merge_is_in_force_and_the_newest_fork_holds(
    schedule: ForkSchedule, number: int, timestamp: int, fork: Fork
) -> None:
    assert schedule.at(number, timestamp) is fork
