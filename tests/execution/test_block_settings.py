"""What operations set for blocks to come."""

import pytest

from chain.operations import AS_STARTED, INITIAL_SETTINGS, SetProduction
from chain.proposals import BlockInputs
from chain.types import ZERO_ADDRESS, ZERO_HASH, Gas
from execution.block_settings import settings_after
from tests.execution.test_equivalence import world_genesis

INPUTS = BlockInputs(timestamp_ms=1, beneficiary=ZERO_ADDRESS, prev_randao=ZERO_HASH, gas_limit=Gas(30_000_000))


@pytest.mark.parametrize(
    ("operations", "automine", "interval_ms"),
    [
        ((SetProduction(automine=False),), False, None),
        ((SetProduction(interval_ms=500), SetProduction(automine=False)), False, 500),
        ((SetProduction(automine=False, interval_ms=0),), False, 0),
        ((SetProduction(interval_ms=0), SetProduction(automine=True, interval_ms=AS_STARTED)), True, None),
    ],
)
def test_production_is_paused_and_goes_on_as_it_was(
    operations: tuple[SetProduction, ...], automine: bool, interval_ms: int | None
) -> None:
    settings = INITIAL_SETTINGS
    for operation in operations:
        settings = settings_after(operation, settings, INPUTS, world_genesis().header)
    assert (settings.automine, settings.interval_ms) == (automine, interval_ms)
