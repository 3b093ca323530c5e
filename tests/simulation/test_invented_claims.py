"""A liar that is faster than everybody else must not keep honest leaders from proposing."""

from collections import defaultdict
from functools import partial

import pytest

from chain.proposals import SignedTimeout, TimeoutCertificate
from chain.types import Round, ValidatorIndex
from consensus.events import PeerMessage
from consensus.registry import RULE_SETS
from consensus.wire import ProposalMessage, SyncInfo, Timeout
from tests.consensus.builders import transfer
from tests.simulation.byzantine import Behaviour, Liar
from tests.simulation.node import Node
from tests.simulation.scenario import Chain
from tests.simulation.world import World

LIAR = ValidatorIndex(2)
HONEST_US = 2_000
LIAR_US = 1
LOST_UNTIL_US = 1_000_000
LIMIT_MS = 60_000


class InventedClaims(Behaviour):
    """Says nothing but this: with the first timeouts that suffice, its own, signed over a certificate of the round
    before. When that round timed out too, nobody has such a certificate.
    """

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.heard: dict[Round, dict[ValidatorIndex, SignedTimeout]] = defaultdict(dict)

    def reply(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        return []

    def hear(self, message: PeerMessage) -> None:
        if not isinstance(message, Timeout):
            return
        others = self.heard[message.round]
        others[message.timeout.validator] = message.timeout
        if len(others) != 2:
            return
        claimed = Round(message.round - 1)
        signature = self.liar.signer.sign(self.liar.domain.timeout(message.round, claimed))
        timeouts = [*others.values(), SignedTimeout(LIAR, claimed, signature)]
        poisoned = TimeoutCertificate(message.round, tuple(sorted(timeouts, key=lambda timeout: timeout.validator)))
        for peer in self.liar.others:
            self.liar.world.transmit(self.liar, peer, SyncInfo(message.certificate, poisoned))


class RushedWorld(World):
    """What the liar says and hears takes no time, what the others say to each other does. Proposals are lost at first,
    so that one round after the other times out.
    """

    def transmit(self, sender: Node, to: ValidatorIndex, message: PeerMessage) -> None:
        if isinstance(message, ProposalMessage) and self.now_us < LOST_UNTIL_US:
            return
        delay_us = LIAR_US if LIAR in (sender.index, to) else HONEST_US
        node = self.nodes[to]
        self.after(delay_us, partial(self.arrive, sender, node, message, node.lives))


@pytest.mark.parametrize("rules", RULE_SETS)
def test_made_up_claims_in_timeout_certificates_do_not_stop_the_chain(rules: str) -> None:
    world = RushedWorld(1, Chain(rules=rules))
    liar = Liar(world, LIAR, LIAR, ())
    liar.behaviours = [InventedClaims(liar)]
    world.replace_node(liar)
    world.start()
    offered = transfer(0, 0)
    world.admit([offered])
    world.run_until(lambda: offered.hash in world.executor.included, LIMIT_MS)
    assert world.counts["refused: InvalidCertificate"] > 0
