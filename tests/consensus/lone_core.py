"""One core under test, with the keys of all validators in the test's hand, so that it plays the others."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from chain.proposals import (
    BlockInputs,
    Certificate,
    ExecutedBlock,
    Proposal,
    SignedTimeout,
    SignedVote,
    TimeoutCertificate,
)
from chain.types import Gas, Hash32, Height, Round, ValidatorIndex
from consensus.authentication import genesis_certificate
from consensus.commands import Command, Commit, Persist, Report, Send, SetTimer
from consensus.core import Core, _signer_of
from consensus.events import Event, MessageReceived, PeerMessage, Timer, TimerFired
from consensus.payload import Packed, Pending
from consensus.proposal_checks import randomness
from consensus.recovered import Recovered, new_chain
from consensus.registry import leader_schedule, rule_set
from consensus.rules import Seat
from consensus.settings import DEFAULT_SETTINGS, ConsensusSettings
from consensus.signatures import SigningDomain
from consensus.tree import GENESIS_EXECUTED
from consensus.wire import FetchProposals, ProposalMessage, Timeout, Vote
from tests.consensus.builders import GAS_LIMIT, START_MS, CheapSigner, CheapVerifier, beneficiary, make_genesis

M = TypeVar("M")


class FakePayload:
    """A mempool that holds what the test says."""

    def __init__(self) -> None:
        self.waiting: tuple[bytes, ...] = ()
        self.full = False
        self.interval: int | None = None
        self.followed: list[Hash32] = []

    def follow(self, blocks: Sequence[Proposal]) -> None:
        self.followed = [block.id for block in blocks]

    def pending(self) -> Pending:
        return Pending(packable=bool(self.waiting), full=self.full, transactions=len(self.waiting))

    def interval_ms(self, started_with: int | None) -> int | None:
        return started_with if self.interval is None else self.interval

    def pack(self) -> Packed:
        return Packed(self.waiting, None)

    def check(self, proposal: Proposal, gas_limit: Gas) -> None:
        return None


class LoneCore:
    """Validator `me` of four. Genesis is round 0, so validator 1 leads round 1."""

    def __init__(
        self,
        me: int = 0,
        validators: int = 4,
        stakes: tuple[int, ...] = (),
        settings: ConsensusSettings = DEFAULT_SETTINGS,
        recovered: Recovered | None = None,
        rules: str = "hotstuff-2",
        leaders: str = "weighted",
    ) -> None:
        self.genesis = make_genesis(validators, stakes=stakes, rules=rules, leaders=leaders)
        self.genesis_id = self.genesis.id()
        self.validators = validators
        self.domain = SigningDomain(self.genesis_id, self.genesis.rules)
        self.payload = FakePayload()
        self.now_ms = START_MS
        self.me = ValidatorIndex(me)
        self.commands: list[Command] = []
        self.leaders = leader_schedule(leaders, [identity.stake for identity in self.genesis.validators])
        seat = Seat(
            self.me,
            self.genesis,
            self.leaders,
            CheapSigner(me),
            CheapVerifier(),
            self.payload,
            settings,
            recovered or new_chain(self.genesis),
        )
        core = rule_set(rules).core(seat)
        assert isinstance(core, Core)
        self.core = core

    # Driving it

    def handle(self, event: Event) -> list[Command]:
        commands = self.core.handle(event, self.now_ms)
        self.commands += commands
        return commands

    def receive(self, message: PeerMessage, sender: int | None = None) -> list[Command]:
        """From the validator that signed it if no sender is given, from validator 3 if none signed it."""
        signer = _signer_of(message)
        if sender is None:
            sender = 3 if signer is None or signer not in range(self.validators) else signer
        return self.handle(MessageReceived(ValidatorIndex(sender), message))

    def fire(self, timer: Timer) -> list[Command]:
        """The timer that was set last goes off."""
        newest = [c for c in self.commands if isinstance(c, SetTimer) and c.timer is timer][-1]
        return self.handle(TimerFired(timer, newest.token))

    # Playing the others

    def genesis_certificate(self) -> Certificate:
        return genesis_certificate(self.genesis_id)

    def certificate(self, proposal: Proposal, voters: Iterable[int] = (1, 2, 3)) -> Certificate:
        content = self.domain.vote(proposal.round, proposal.id)
        votes = tuple(SignedVote(ValidatorIndex(v), CheapSigner(v).sign(content)) for v in voters)
        return Certificate(proposal.id, proposal.round, votes)

    def vote(self, proposal: Proposal, voter: int) -> Vote:
        signature = CheapSigner(voter).sign(self.domain.vote(proposal.round, proposal.id))
        return Vote(proposal.round, proposal.id, ValidatorIndex(voter), signature)

    def timeout(self, round: int, by: int, certificate: Certificate | None = None) -> Timeout:
        highest = certificate or self.genesis_certificate()
        return Timeout(Round(round), highest, None, self.signed_timeout(round, by, highest.round))

    def signed_timeout(self, round: int, by: int, highest: int) -> SignedTimeout:
        signature = CheapSigner(by).sign(self.domain.timeout(Round(round), Round(highest)))
        return SignedTimeout(ValidatorIndex(by), Round(highest), signature)

    def timeout_certificate(self, round: int, highest: Sequence[int] = (0, 0, 0)) -> TimeoutCertificate:
        signed = (self.signed_timeout(round, by + 1, value) for by, value in enumerate(highest))
        return TimeoutCertificate(Round(round), tuple(signed))

    def proposal(
        self,
        round: int,
        certificate: Certificate | None = None,
        timeouts: TimeoutCertificate | None = None,
        height: int = 1,
        takes_height: bool = True,
        executed: ExecutedBlock = GENESIS_EXECUTED,
        transactions: tuple[bytes, ...] = (b"a transaction",),
        timestamp_ms: int = START_MS,
    ) -> Proposal:
        parent = certificate or self.genesis_certificate()
        proposer = self.leaders.leader(Round(round))
        inputs = BlockInputs(
            timestamp_ms, beneficiary(proposer), randomness(parent.proposal, Round(round), proposer), GAS_LIMIT
        )
        return Proposal(
            parent=parent.proposal,
            round=Round(round),
            proposer=proposer,
            certificate=parent,
            timeout_certificate=timeouts,
            height=Height(height),
            inputs=inputs if takes_height else None,
            executed=executed,
            transactions=transactions if takes_height else (),
        )

    def signed(self, proposal: Proposal) -> ProposalMessage:
        content = self.domain.proposal(proposal.round, proposal.id)
        return ProposalMessage(proposal, CheapSigner(proposal.proposer).sign(content))

    def propose(self, proposal: Proposal) -> list[Command]:
        return self.receive(self.signed(proposal), sender=proposal.proposer)


def sent(commands: Iterable[Command], kind: type[M]) -> list[M]:
    """The messages of that kind, once each however many they go to."""
    return [c.message for c in commands if isinstance(c, Send) and isinstance(c.message, kind)]


def questioned(commands: Iterable[Command]) -> list[int]:
    """Whom a replica that misses something asks for it."""
    return [peer for c in commands if isinstance(c, Send) and isinstance(c.message, FetchProposals) for peer in c.to]


def persisted(commands: Iterable[Command]) -> list[Persist]:
    return [c for c in commands if isinstance(c, Persist)]


def sends(commands: Sequence[Command]) -> list[tuple[tuple[int, ...], PeerMessage]]:
    """To whom what goes."""
    return [(c.to, c.message) for c in commands if isinstance(c, Send)]


def voted(commands: Iterable[Command]) -> list[Vote]:
    """The votes that were written down; the replica's own count it without a message."""
    return [c.safety.vote for c in persisted(commands) if c.safety is not None and c.safety.vote is not None]


def running_timers(world: LoneCore) -> set[Timer]:
    return {timer for timer in Timer if world.core._outbox.is_running(timer)}


def committed(commands: Iterable[Command]) -> list[Hash32]:
    return [placed.proposal.id for c in commands if isinstance(c, Commit) for placed in c.proposals]


def reasons(commands: Iterable[Command]) -> list[str]:
    return [type(c.error).__name__ for c in commands if isinstance(c, Report)]
