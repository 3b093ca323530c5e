"""Replicas that lie.

A liar runs the real replica, so that it knows all that an honest one would, and bends what it says. Each behaviour
changes what leaves (`say`), or listens and says something nobody asked for (`hear`). All of it is signed with the
liar's own key; it cannot sign for others, but it can repeat what they signed. What it says unasked is bounded, so that
a scenario ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chain.keccak import keccak256
from chain.proposals import (
    BlockInputs,
    Certificate,
    ExecutedBlock,
    Proposal,
    SignedTimeout,
    SignedVote,
    TimeoutCertificate,
    decode_proposal,
)
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.authentication import genesis_certificate
from consensus.core import Core
from consensus.errors import ConsensusError
from consensus.events import MessageReceived, PeerMessage
from consensus.proposal_checks import randomness
from consensus.replica import Input
from consensus.signatures import SigningDomain
from consensus.store import PROPOSAL
from consensus.tree import ProposalTree
from consensus.wire import FetchProposals, ProposalMessage, Proposals, SyncInfo, Timeout, Vote
from tests.consensus.builders import CheapSigner, beneficiary
from tests.simulation.node import Node
from tests.simulation.world import World

MOST_UNASKED = 60
"""Messages that one behaviour says unasked."""


class Behaviour:
    """One way of lying, of one liar."""

    def __init__(self, liar: "Liar") -> None:
        self.liar = liar
        self.unasked = 0

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        """What `to` gets where an honest replica would send `message`."""
        return [message]

    def hear(self, message: PeerMessage) -> None:
        """Something arrived."""

    def reply(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        """As `say`, until it has said too much."""
        if self.unasked >= MOST_UNASKED:
            return [message]
        said = self.say(to, message)
        if said != [message]:
            self.liar.world.counts[f"lie: {behaviour_name(self)}"] += 1
            self.unasked += max(0, len(said) - 1)
        return said

    def chance(self, of: float) -> bool:
        return self.liar.world.random.random() < of

    def add(self, to: Iterable[ValidatorIndex], message: PeerMessage) -> None:
        """Says something nobody asked for."""
        for peer in to:
            if peer != self.liar.index and self.unasked < MOST_UNASKED:
                self.unasked += 1
                self.liar.lie(self, peer, message)

    def some_peers(self) -> list[ValidatorIndex]:
        others = self.liar.others
        return self.liar.world.random.sample(others, self.liar.world.random.randrange(len(others) + 1))


class Liar(Node):
    def __init__(self, world: World, slot: int, index: ValidatorIndex, behaviours: Sequence[str]) -> None:
        super().__init__(world, slot, index, watched=False)
        self.world: World = world
        self.domain = SigningDomain(world.genesis.id(), world.genesis.rules)
        self.signer = CheapSigner(index)
        self.others = [ValidatorIndex(i) for i in range(len(world.genesis.validators)) if i != index]
        self.behaviours = [BEHAVIOURS[name](self) for name in behaviours]

    @property
    def tree(self) -> ProposalTree:
        assert isinstance(self.replica.core, Core)
        return self.replica.core._state.tree

    def proposal(self, id: Hash32) -> Proposal | None:
        """One it accepted or committed."""
        encoded = self.disk.get(PROPOSAL + id)
        return None if encoded is None else decode_proposal(encoded)

    def take(self, inputs: Sequence[Input]) -> None:
        """A replica that meets the consequences of its own lies may fall over; that is no one else's trouble."""
        try:
            super().take(inputs)
        except (ConsensusError, AssertionError):
            self.world.counts["liars that fell over"] += 1
            self.die()
        for item in inputs:
            if self.alive and not self.paused and isinstance(item, MessageReceived):
                for behaviour in self.behaviours:
                    behaviour.hear(item.message)

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        messages = [message]
        for behaviour in self.behaviours:
            messages = [other for one in messages for other in behaviour.reply(to, one)]
        for one in messages:
            super().send(to, one)

    def lie(self, behaviour: Behaviour, to: ValidatorIndex, message: PeerMessage) -> None:
        self.world.counts[f"lie: {behaviour_name(behaviour)}"] += 1
        self.world.transmit(self, to, message)

    def signed(self, proposal: Proposal) -> ProposalMessage:
        return ProposalMessage(proposal, self.signer.sign(self.domain.proposal(proposal.round, proposal.id)))

    def vote(self, round: Round, proposal: Hash32) -> Vote:
        return Vote(round, proposal, self.index, self.signer.sign(self.domain.vote(round, proposal)))

    def timeout(self, round: Round, certificate: Certificate) -> Timeout:
        signature = self.signer.sign(self.domain.timeout(round, certificate.round))
        return Timeout(round, certificate, None, SignedTimeout(self.index, certificate.round, signature))

    def leaders_from(self, round: Round) -> list[ValidatorIndex]:
        """Those who count the votes of `round`."""
        leaders = self.world.leaders
        return sorted({leaders.leader(round), leaders.leader(Round(round + 1))})


class Substitution(Behaviour):
    """Proposes something else than its replica does, and votes for that."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.instead: dict[Hash32, Proposal] = {}

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        match message:
            case ProposalMessage(proposal) if proposal.proposer == self.liar.index:
                if proposal.id not in self.instead:
                    self.instead[proposal.id] = self.other(proposal)
                return [self.liar.signed(self.instead[proposal.id])]
            case Vote(round, id) if id in self.instead:
                return [self.liar.vote(round, self.instead[id].id)]
        return [message]

    def other(self, proposal: Proposal) -> Proposal:
        raise NotImplementedError


class Equivocation(Substitution):
    """Two proposals in a round, one for each half of the others, and a vote for both."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.half = self.some_peers()

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        said = super().say(to, message)
        match message:
            case ProposalMessage():
                return said if to in self.half else [message]
            case Vote(_, id) if id in self.instead:
                return [message, *said]
        return said

    def other(self, proposal: Proposal) -> Proposal:
        if proposal.inputs is not None:
            later = replace(proposal.inputs, timestamp_ms=proposal.inputs.timestamp_ms + 1)
            return replace(proposal, inputs=later, transactions=proposal.transactions[:-1])
        inputs = BlockInputs(
            self.liar.now_ms,
            beneficiary(self.liar.index),
            randomness(proposal.parent, proposal.round, self.liar.index),
            self.liar.world.genesis.gas_limit,
        )
        return replace(proposal, height=Height(proposal.height + 1), inputs=inputs)


class DoubleVotes(Behaviour):
    """Votes for whatever is proposed, several times, in rounds it gave up too, and for what nobody proposed."""

    def hear(self, message: PeerMessage) -> None:
        if isinstance(message, ProposalMessage):
            proposal = message.proposal
            counters = self.liar.leaders_from(proposal.round)
            for _ in range(self.liar.world.random.randrange(1, 4)):
                self.add(counters, self.liar.vote(proposal.round, proposal.id))
            if self.chance(0.3):
                self.add(counters, self.liar.vote(proposal.round, keccak256(proposal.id)))
                self.add(counters, self.liar.vote(Round(proposal.round + 1), proposal.id))


class StaleCertificates(Substitution):
    """Proposes on an ancestor of the newest certified proposal, as if it knew no better."""

    def other(self, proposal: Proposal) -> Proposal:
        """The same one to three links earlier on its branch."""
        child = proposal
        for _ in range(self.liar.world.random.randrange(1, 4)):
            parent = self.liar.proposal(child.parent)
            if parent is None or self.liar.proposal(parent.parent) is None:
                break
            child = parent
        base = self.liar.proposal(child.parent)
        if base is None or child is proposal:
            return proposal
        inputs = proposal.inputs
        if inputs is not None:
            inputs = replace(inputs, prev_randao=randomness(base.id, proposal.round, self.liar.index))
        return replace(
            proposal,
            parent=base.id,
            certificate=child.certificate,
            height=Height(base.height + (inputs is not None)),
            executed=base.executed,
            inputs=inputs,
        )


class ForgedCertificates(Behaviour):
    """Certificates of one vote repeated, of too few, of signatures that others never gave."""

    def hear(self, message: PeerMessage) -> None:
        if self.chance(0.1):
            round = Round(self.liar.world.random.randrange(1, 40))
            self.add(self.some_peers(), SyncInfo(self._certificate(round, keccak256(b"nothing")), None))
            genesis = genesis_certificate(self.liar.world.genesis.id())
            self.add(self.some_peers(), SyncInfo(genesis, self._timeouts(round)))

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        if not isinstance(message, ProposalMessage) or not self.chance(0.3):
            return [message]
        proposal = message.proposal
        certificate = self._certificate(Round(proposal.round - 1), proposal.parent)
        return [message, self.liar.signed(replace(proposal, certificate=certificate))]

    def _certificate(self, round: Round, proposal: Hash32) -> Certificate:
        own = self.liar.vote(round, proposal).signature
        votes = [SignedVote(signer, own) for signer in self._signers()]
        return Certificate(proposal, round, tuple(votes))

    def _timeouts(self, round: Round) -> TimeoutCertificate:
        own = self.liar.signer.sign(self.liar.domain.timeout(round, Round(0)))
        return TimeoutCertificate(round, tuple(SignedTimeout(signer, Round(0), own) for signer in self._signers()))

    def _signers(self) -> list[ValidatorIndex]:
        count = len(self.liar.world.genesis.validators)
        everyone = [ValidatorIndex(i) for i in range(count)]
        return self.liar.world.random.choice(([self.liar.index] * count, [self.liar.index], everyone, []))


class Silence(Behaviour):
    """Nothing for some, ever."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.ignored = self.some_peers()

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        return [] if to in self.ignored else [message]


class ConflictingTimeouts(Behaviour):
    """Gives a round up claiming to know nothing, tells others something else, and gives up rounds it never saw."""

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        if not isinstance(message, Timeout) or self.chance(0.3):
            return [message]
        ignorant = self.liar.timeout(message.round, genesis_certificate(self.liar.world.genesis.id()))
        return [ignorant, message] if self.chance(0.3) else [ignorant]

    def hear(self, message: PeerMessage) -> None:
        match message:
            case ProposalMessage(proposal) if self.chance(0.3):
                self.add(self.some_peers(), self.liar.timeout(proposal.round, proposal.certificate))
                self.add(self.some_peers(), self.liar.timeout(Round(proposal.round + 1), proposal.certificate))


class Replay(Behaviour):
    """Says again what anyone said before, itself included, however old."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.heard: list[PeerMessage] = []

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        self.heard.append(message)
        return [message]

    def hear(self, message: PeerMessage) -> None:
        self.heard.append(message)
        if self.chance(0.2):
            self.add(self.some_peers(), self.liar.world.random.choice(self.heard))


class WrongResults(Substitution):
    """Carries the hash of a block that execution never made."""

    def other(self, proposal: Proposal) -> Proposal:
        parent = self.liar.tree.get(proposal.parent)
        newest = proposal.executed.height if parent is None else max(proposal.executed.height, parent.height)
        if newest == 0:
            return proposal
        return replace(proposal, executed=ExecutedBlock(newest, keccak256(b"wrong" + proposal.id)))


class Nonsense(Behaviour):
    """Well-formed messages of impossible rounds, depths, validators, and proposals that are no answer."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self.answers: list[Proposals] = []

    def say(self, to: ValidatorIndex, message: PeerMessage) -> list[PeerMessage]:
        match message:
            case Proposals(proposals, certificate) if self.chance(0.5):
                self.answers.append(message)
                wrong = Proposals(self._rearranged(proposals), certificate)
                said = self.liar.world.random.choice((wrong, self.answers[0]))
                return [said, message] if self.chance(0.5) else [said]
            case FetchProposals(known, _, _, missing) if self.chance(0.5):
                return [message, FetchProposals(known, self._number(), self._number(), missing)]
        return [message]

    def hear(self, message: PeerMessage) -> None:
        if not self.chance(0.15):
            return
        round, liar = Round(self._number()), self.liar
        someone = ValidatorIndex(liar.world.random.choice((-1, 0, 99)))
        certificate = Certificate(keccak256(b"nothing"), round, (SignedVote(someone, bytes(64)),))
        signed = SignedTimeout(someone, Round(self._number()), bytes(64))
        nonsense: tuple[PeerMessage, ...] = (
            Vote(round, keccak256(b"nothing"), someone, b""),
            Timeout(round, certificate, TimeoutCertificate(round, ()), signed),
            SyncInfo(certificate, TimeoutCertificate(round, (signed,))),
            FetchProposals(keccak256(b"nothing"), self._number(), self._number(), certificate),
            Proposals((b"",), None),
        )
        self.add(self.some_peers(), liar.world.random.choice(nonsense))

    def _rearranged(self, proposals: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return self.liar.world.random.choice((proposals[::-1], proposals[1:], (b"\x93\x01", *proposals), ()))

    def _number(self) -> int:
        return self.liar.world.random.choice((-1, 0, 1, 5, 1_000, 2**63 - 1, 2**63, 2**64, 2**200))


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "equivocation": Equivocation,
    "double votes": DoubleVotes,
    "stale certificates": StaleCertificates,
    "forged certificates": ForgedCertificates,
    "silence": Silence,
    "conflicting timeouts": ConflictingTimeouts,
    "replay": Replay,
    "wrong results": WrongResults,
    "nonsense": Nonsense,
}


def behaviour_name(behaviour: Behaviour) -> str:
    return next(name for name, cls in BEHAVIOURS.items() if type(behaviour) is cls)
