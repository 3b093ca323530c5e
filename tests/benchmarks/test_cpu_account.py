"""Where the benchmark of execution charges CPU time."""

from scripts.benchmarks.cpu_account import CpuAccount
from scripts.benchmarks.execution import PLACES, SHARES


def test_every_place_that_is_charged_is_there_and_is_part_of_a_share() -> None:
    with CpuAccount().of(PLACES):
        assert {what for *_, what in PLACES} <= set(SHARES)
