"""A validator that lies on request, so that a user can watch the others deal with it.

It is done to the commands of an honest core on their way out. The core and its store know only the first of the two
proposals and the vote for it: they are what they would be without the lie, and since their last voted round is that of
the lie, nothing said afterwards can contradict it further.

For the HotStuff family: other messages pass as they are.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

from chain.genesis import Genesis
from chain.proposals import BlockInputs, Proposal
from chain.types import Hash32, Height, ValidatorIndex
from consensus.commands import Send
from consensus.errors import CannotEquivocate
from consensus.events import PeerMessage
from consensus.proposal_checks import randomness
from consensus.signatures import Signer, SigningDomain
from consensus.wire import ProposalMessage, Vote

FEWEST_VALIDATORS = 3
"""With fewer there are no two others to tell different things."""

log = logging.getLogger("tandem.consensus")


class Equivocator:
    """Honest until `begin`, and again after as many turns as were asked for."""

    def __init__(self, me: ValidatorIndex, genesis: Genesis, signer: Signer) -> None:
        self._me = me
        self._genesis = genesis
        self._others = tuple(ValidatorIndex(i) for i in range(len(genesis.validators)) if i != me)
        self._signer = signer
        self._domain = SigningDomain(genesis.id(), genesis.rules)
        self._doubled: Hash32 | None = None
        self.now_ms = 0
        """The time since 1970, as its core has it."""
        self.turns = 0
        """In how many more turns as leader it will propose two things."""

    def begin(self, turns: int) -> None:
        """Raises CannotEquivocate."""
        if len(self._others) + 1 < FEWEST_VALIDATORS:
            raise CannotEquivocate(len(self._others) + 1, FEWEST_VALIDATORS)
        self.turns = turns
        log.warning("ON REQUEST this validator signs two different proposals when it leads, turns: %d", turns)

    def addressed(self, said: Send) -> Iterator[tuple[ValidatorIndex, PeerMessage]]:
        """What the core says, as it goes out to each."""
        message = said.message
        if self.turns and isinstance(message, ProposalMessage) and said.to == self._others:
            self._doubled = message.proposal.id
            yield from self._double(message.proposal, self._twin(message.proposal))
        elif not isinstance(message, Vote) or message.proposal != self._doubled:  # that vote went to everyone
            yield from ((peer, message) for peer in said.to)

    def _twin(self, proposal: Proposal) -> Proposal:
        """Another proposal for the same turn: the block a millisecond later, or an empty block where there is none."""
        if proposal.inputs is not None:
            later = replace(proposal.inputs, timestamp_ms=proposal.inputs.timestamp_ms + 1)
            return replace(proposal, inputs=later)
        inputs = BlockInputs(
            timestamp_ms=self.now_ms,
            beneficiary=self._genesis.validators[self._me].beneficiary,
            prev_randao=randomness(proposal.parent, proposal.round, self._me),
            gas_limit=self._genesis.gas_limit,
        )
        return replace(proposal, height=Height(proposal.height + 1), inputs=inputs)

    def _double(self, proposal: Proposal, twin: Proposal) -> Iterator[tuple[ValidatorIndex, PeerMessage]]:
        """One half gets one proposal, the other half the other. Before that all get both votes: later, where a
        certificate is complete already, nobody would look at the second.
        """
        self.turns -= 1
        round, one, other = proposal.round, proposal.id.hex(), twin.id.hex()
        log.warning("ON REQUEST signed two proposals in round %d: 0x%s and 0x%s", round, one, other)
        middle = (len(self._others) + 1) // 2
        votes = self._vote(proposal), self._vote(twin)
        for place, peer in enumerate(self._others):
            yield from ((peer, vote) for vote in votes)
            yield peer, self._signed(proposal if place < middle else twin)

    def _signed(self, proposal: Proposal) -> ProposalMessage:
        return ProposalMessage(proposal, self._signer.sign(self._domain.proposal(proposal.round, proposal.id)))

    def _vote(self, proposal: Proposal) -> Vote:
        signature = self._signer.sign(self._domain.vote(proposal.round, proposal.id))
        return Vote(proposal.round, proposal.id, self._me, signature)
