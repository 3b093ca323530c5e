"""Links slower than the base timeout: the timers grow until rounds fit, and stay there."""

from functools import partial

import pytest

from consensus.registry import RULE_SETS
from tests.consensus.builders import transfer
from tests.simulation.network import Network
from tests.simulation.running import check_quiet_and_agreed
from tests.simulation.scenario import Chain, Rates
from tests.simulation.world import World

TRANSACTIONS = 20
EVERY_US = 250_000


class SlowNetwork(Network):
    """Every message takes `least_ms` and what the rates add to it."""

    least_ms = 0

    def delay_us(self) -> int:
        return super().delay_us() + self.least_ms * 1000


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize(("delay_ms", "timeouts"), [(150, 4), (400, 4), (1_000, 10), (2_000, 10)])
def test_a_slow_network_costs_a_few_timeouts_and_no_more(rules: str, delay_ms: int, timeouts: int) -> None:
    world = World(1, Chain(rules=rules))
    world.network = SlowNetwork(Rates(delay_us=20_000), world.random, world.counts)
    world.network.least_ms = delay_ms
    world.start()
    for nonce in range(TRANSACTIONS):
        world.after(nonce * EVERY_US, partial(world.admit, [transfer(0, nonce)]))
    world.run_until_quiet()
    check_quiet_and_agreed(world)
    assert len(world.executor.included) == TRANSACTIONS
    assert all(node.replica.core.status().timeouts <= timeouts for node in world.nodes)
