"""The HotStuff family's protocol as a pure state machine: events in, commands out.

Everything that decides what a validator signs must live here or in the values this file is built from: safety rules,
leader schedules, the pacemaker, the collectors. There is no clock (time comes with events), no disk (state comes in
as `Recovered` and goes out as `Persist`), no socket and no randomness, so a test can drive N of these through any
schedule and replay it from a seed.

One event is handled to its end: learn certificates, commit what they commit, vote, propose if it is this replica's
turn and there is work, then see which timers should run. The commands of one event begin with the durable write that
the rest depends on.

A round passes like this. Its leader, having entered it by a certificate or a timeout certificate, proposes if there
is work (`production.py`), else says nothing and the chain is quiet. Votes go to the leader of the next round, and a
moment later, if nothing came of them, to that of this round too, so that a leader that dies loses nothing. Either forms
the certificate. The next leader carries it in its proposal, or, having nothing to propose for a while, sends it to
everyone, so that all of them stop waiting in the same round on the same tip.
"""

from chain.proposals import Certificate, Proposal, TimeoutCertificate
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.authentication import Authenticator, genesis_certificate
from consensus.chain_state import ChainState
from consensus.commands import Command, Report
from consensus.errors import (
    Equivocation,
    ExecutionConflict,
    KnownProposal,
    LateProposal,
    OutOfWindow,
    Rejected,
    SecondHand,
    WrongLeader,
    WrongParent,
)
from consensus.events import (
    Event,
    MessageReceived,
    PayloadChanged,
    PeerConnected,
    PeerMessage,
    ResultReceived,
    Started,
    Timer,
    TimerFired,
)
from consensus.fetching import Fetching
from consensus.gathering import Gathering
from consensus.outbox import Outbox
from consensus.pacemaker import (
    ANNOUNCE_DELAY_MS,
    GATHER_QUIET_MS,
    SECOND_COUNTER_DELAY_MS,
    UNHURRIED_DELAY_MS,
    Pacemaker,
)
from consensus.production import Work, block_allowed, wanted
from consensus.proposal_checks import MAX_CLOCK_DIFFERENCE_MS, ChainRules, check_extends
from consensus.proposer import Proposer
from consensus.results import Agreement
from consensus.rules import CoreStatus, Seat
from consensus.safety import SafetyData, SafetyRules, initial_safety
from consensus.signatures import SigningDomain
from consensus.synchronizer import Synchronizer
from consensus.validators import ValidatorSet
from consensus.votes import TimeoutCollector, VoteCollector
from consensus.voting import Voting
from consensus.wire import FetchProposals, ProposalMessage, Proposals, SyncInfo, Timeout, Vote


class Core:
    """One validator under one rule set of the family."""

    def __init__(self, seat: Seat, rules: SafetyRules) -> None:
        me, genesis, payload, recovered = seat.me, seat.genesis, seat.payload, seat.recovered
        self.me = me
        validators = ValidatorSet(genesis.validators)
        genesis_id = genesis.id()
        first = genesis_certificate(genesis_id)
        signer, domain = seat.signer, SigningDomain(genesis_id, genesis.rules)
        authenticator = Authenticator(validators, domain, seat.verifier, first)
        outbox = Outbox()
        safety: SafetyData = initial_safety(first) if recovered.safety is None else recovered.safety
        pacemaker = Pacemaker(seat.leaders, validators, safety.next_round)
        state = ChainState(recovered, safety, rules, pacemaker, payload, outbox)
        votes, timeouts = VoteCollector(validators), TimeoutCollector(validators)
        self._others = validators.others(me)
        self._chain_rules = ChainRules(genesis.gas_limit, genesis.max_lag, validators)
        self._signer, self._domain, self._authenticator = signer, domain, authenticator
        self._payload, self._settings = payload, seat.settings
        self._outbox, self._pacemaker, self._state = outbox, pacemaker, state
        self._voting = Voting(me, state, rules, signer, domain, authenticator, votes, outbox)
        self._synchronizer = Synchronizer(me, self._others, state, signer, domain, authenticator, timeouts, outbox)
        self._fetching = Fetching(me, state, authenticator, self._chain_rules, outbox)
        self._proposer = Proposer(me, self._chain_rules, payload)
        self._now_ms = 0
        self._waited_in: Round | None = None
        self._gathering = Gathering()
        self._has_been_away = recovered.safety is not None
        """Until it proposes again."""
        self._unannounced: Certificate | None = None
        self._interval_runs_for: Hash32 | None = None
        self._interval_passed_for: Hash32 | None = None
        self._interval_ends_ms = 0
        """When its timer fires: an operation may have shortened the interval since."""
        self._proposed = max((p.height for p in recovered.uncommitted), default=recovered.root.height)

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """Everything that follows from `event`. `now_ms` is the time since 1970; it never runs backwards."""
        self._now_ms = self._pacemaker.now_ms = max(self._now_ms, now_ms)
        sender = event.sender if isinstance(event, MessageReceived) else None
        try:
            self._dispatch(event)
        except Rejected as error:
            self._outbox.add(Report(sender, error))
        self._settle(sender)
        return self._outbox.flush()

    def status(self) -> CoreStatus:
        state = self._state
        root, tip = state.tree.root, state.tip
        certified = max(root.height, Height(0) if tip is None else tip.height)
        return CoreStatus(
            round=state.round,
            leader=self._pacemaker.leader,
            proposed=max(self._proposed, certified),
            certified=certified,
            committed=root.height,
            executed=state.newest_result,
            executed_hash=state.results.hash_of(state.newest_result),
            verified=root.executed.height,
            verified_hash=root.executed.header_hash,
            timeouts=state.rounds_timed_out,
            suspected=self._pacemaker.suspected,
        )

    def _dispatch(self, event: Event) -> None:
        match event:
            case MessageReceived(sender, message):
                self._receive(sender, message)
            case TimerFired(timer, token):
                if self._outbox.fired(timer, token):
                    self._on_timer(timer)
            case ResultReceived(executed):
                if self._state.results.compare(executed) is Agreement.CONFLICT:
                    ours = self._state.results.hash_of(executed.height)
                    raise ExecutionConflict(executed.height, executed.header_hash, ours)
                self._state.learn_result(executed)
                self._voting.vote_if_safe()
            case PeerConnected(peer):
                self._greet(peer)
            case Started():
                self._state.tell_highest()
                self._state.learn_certificate(self._state.safety.highest)
                self._voting.vote_if_safe()
            case PayloadChanged():
                self._gathering.more_came()

    def _receive(self, sender: ValidatorIndex, message: PeerMessage) -> None:
        signer = _signer_of(message)
        if signer is not None and signer != sender:
            raise SecondHand(type(message).__name__, signer, sender)
        match message:
            case ProposalMessage():
                self._on_proposal(message)
            case Vote():
                self._voting.take_vote(message)
            case Timeout():
                self._synchronizer.take_timeout(sender, message)
            case SyncInfo():
                self._synchronizer.take_news(message)
            case FetchProposals():
                self._synchronizer.learn(message.missing, None)
                self._fetching.serve(sender, message)
            case Proposals():
                self._fetching.take(sender, message)

    # Proposals of others

    def _on_proposal(self, message: ProposalMessage) -> None:
        proposal, state = message.proposal, self._state
        if proposal.round <= state.tree.root.round:
            raise LateProposal(proposal.round, state.tree.root.round)
        if proposal.id in state.tree:
            self._voting.repeat(proposal)
            raise KnownProposal(proposal.round)
        leader = self._pacemaker.leader_of(proposal.round)
        if proposal.proposer != leader:
            raise WrongLeader(proposal.proposer, leader, proposal.round)
        self._authenticator.check_proposal(message)
        if proposal.parent != proposal.certificate.proposal:
            raise WrongParent(f"a proposal of round {proposal.round} with another proposal's certificate")
        self._synchronizer.learn(proposal.certificate, proposal.timeout_certificate)
        self._pacemaker.heard_from(leader)
        if proposal.round > state.round:
            raise OutOfWindow(proposal.round, state.round)
        if proposal.parent not in state.tree:
            self._fetching.keep(message)
            return
        self._accept(proposal)

    def _accept(self, proposal: Proposal) -> None:
        state = self._state
        parent = state.tree.get(proposal.parent)
        if parent is None or proposal.round <= state.tree.root.round or proposal.id in state.tree:
            return
        if state.tree.proposed_in(proposal.round) is not None:
            raise Equivocation("proposal", proposal.proposer, proposal.round)
        check_extends(proposal, parent, self._chain_rules, self._now_ms + MAX_CLOCK_DIFFERENCE_MS)
        if proposal.takes_height:
            self._payload.check(proposal, self._chain_rules.gas_limit)
        self._insert(proposal)
        self._voting.vote_if_safe()

    def _insert(self, proposal: Proposal) -> None:
        self._state.insert(proposal)
        self._proposed = max(self._proposed, proposal.height)

    def _greet(self, peer: ValidatorIndex) -> None:
        """A peer connected: tell it where we stand and what of this round it may have missed."""
        self._synchronizer.tell(peer)
        self._fetching.peer_connected(peer)
        proposal = self._state.this_round.proposal
        if proposal is not None and proposal.proposer == self.me:
            self._outbox.send((peer,), self._signed(proposal))
        self._voting.tell(peer)

    # What follows from any event

    def _settle(self, sender: ValidatorIndex | None) -> None:
        self._fetching.begin_if_missing(sender)
        orphan = self._fetching.finish_if_complete()
        if orphan is not None:
            try:
                self._accept(orphan.proposal)
            except Rejected as error:
                self._outbox.add(Report(orphan.proposal.proposer, error))
        while self._propose():
            pass
        self._announce()
        self._set_timers()

    def _propose(self) -> bool:
        """Proposes if it is this replica's turn, it may, and there is work. A lone validator certifies at once."""
        state, tip, round = self._state, self._state.tip, self._state.round
        if tip is None or self._pacemaker.leader != self.me or state.safety.last_voted_round >= round:
            return False
        timeouts = self._justification()
        work = self._work()
        if work is Work.NOTHING or (timeouts is None and state.safety.highest.round != round - 1):
            return False
        if work is Work.UNHURRIED and self._waited_in != round:
            return False
        if work is Work.GATHERING and not (self._gathering.is_over(round) or self._may_be_suspected):
            return False
        proposal = self._proposer.make(work, round, state, timeouts, self._now_ms)
        self._has_been_away = False
        self._pacemaker.heard_from(self.me)
        self._voting.formed()
        self._outbox.send(self._others, self._signed(proposal))
        self._insert(proposal)
        self._voting.vote(proposal)
        return True

    @property
    def _may_be_suspected(self) -> bool:
        """Whether the others may wait for this leader for less time than it would gather transactions."""
        return self._has_been_away or self._pacemaker.suspects(self.me)

    def _justification(self) -> TimeoutCertificate | None:
        """The timeout certificate that a proposal of this round needs, if we have it and may build on it."""
        safety, round = self._state.safety, self._state.round
        timeouts = safety.timeout_certificate
        if timeouts is None or safety.highest.round == round - 1 or timeouts.round != round - 1:
            return None
        return timeouts if safety.highest.round >= timeouts.highest_certificate_round else None

    def _signed(self, proposal: Proposal) -> ProposalMessage:
        return ProposalMessage(proposal, self._signer.sign(self._domain.proposal(proposal.round, proposal.id)))

    def _work(self) -> Work:
        """What this replica would have the leader propose. A peer that gives the round up sees work that we do not."""
        self._state.follow_branch()
        tip = self._state.tip
        if tip is None:
            return Work.NOTHING
        view = self._state.view(tip, due=self._due_in_ms() == 0)
        work = wanted(view, self._payload.pending(), self._chain_rules.max_lag)
        if work is Work.NOTHING and self._synchronizer.someone_gave_up:
            return Work.UNHURRIED
        return work

    def _announce(self) -> None:
        """A certificate formed here that no proposal of ours carries: before silence everyone must have it, and when
        the next leader seems dead nobody else would send it.
        """
        formed = self._voting.formed()
        if formed is not None:
            self._unannounced = formed
        if not self._is_newest(self._unannounced):
            self._unannounced = None
        elif self._pacemaker.leader != self.me:
            self._tell_certificate()

    def _is_newest(self, certificate: Certificate | None) -> bool:
        """Whether the current round began with it, and has no proposal yet."""
        state = self._state
        began = certificate is not None and certificate == state.safety.highest and state.round == certificate.round + 1
        return began and state.this_round.proposal is None

    def _tell_certificate(self) -> None:
        if self._unannounced is not None:
            self._outbox.send(self._others, SyncInfo(self._unannounced, None))
            self._unannounced = None

    # Timers

    def _on_timer(self, timer: Timer) -> None:
        match timer:
            case Timer.ROUND:
                self._state.this_round.attempts += 1
                self._synchronizer.give_up()
            case Timer.FETCH:
                self._fetching.ask_another()
            case Timer.BLOCK_INTERVAL:
                self._interval_passed_for = self._interval_runs_for
            case Timer.UNHURRIED:
                self._waited_in = self._state.round
            case Timer.GATHER:
                self._gathering.looked(self._state.round, self._now_ms, self._payload.pending().transactions)
            case Timer.SECOND_COUNTER:
                self._voting.tell_second_counter()
            case Timer.ANNOUNCE:
                self._tell_certificate()

    def _set_timers(self) -> None:
        """The round timer runs only while something is expected of the round."""
        this_round, work = self._state.this_round, self._work()
        expected = this_round.proposal is not None or this_round.gave_up or work is not Work.NOTHING
        if not expected:
            self._outbox.stop_timer(Timer.ROUND)
        elif not self._outbox.is_running(Timer.ROUND):
            self._outbox.start_timer(Timer.ROUND, self._pacemaker.begin_wait(this_round.attempts))
        leads = self._pacemaker.leader == self.me and this_round.proposal is None
        self._run_timer(Timer.UNHURRIED, UNHURRIED_DELAY_MS, leads and work is Work.UNHURRIED)
        if leads and work is Work.GATHERING:
            self._gathering.goes_on(this_round.number, self._now_ms)
        self._run_timer(Timer.GATHER, GATHER_QUIET_MS, leads and work is Work.GATHERING)
        self._run_timer(Timer.SECOND_COUNTER, SECOND_COUNTER_DELAY_MS, self._voting.may_be_lost)
        self._run_timer(Timer.ANNOUNCE, ANNOUNCE_DELAY_MS, self._unannounced is not None and bool(self._others))
        due_in_ms = self._due_in_ms()
        if not due_in_ms:
            self._outbox.stop_timer(Timer.BLOCK_INTERVAL)
        elif not self._outbox.is_running(Timer.BLOCK_INTERVAL) or self._now_ms + due_in_ms < self._interval_ends_ms:
            self._outbox.start_timer(Timer.BLOCK_INTERVAL, due_in_ms)
            self._interval_ends_ms = self._now_ms + due_in_ms
            self._interval_runs_for = self._state.safety.highest.proposal  # the tip

    def _run_timer(self, timer: Timer, delay_ms: int, wanted: bool) -> None:
        if not wanted:
            self._outbox.stop_timer(timer)
        elif not self._outbox.is_running(timer):
            self._outbox.start_timer(timer, delay_ms)

    def _due_in_ms(self) -> int | None:
        """Until the block interval has passed since the newest block; None without one, or while none is allowed.

        Never longer than the interval: the clock may have gone back, so that the newest block's time is far ahead.
        """
        interval, tip = self._payload.interval_ms(self._settings.block_interval_ms), self._state.tip
        if interval is None or tip is None:
            return None
        if not block_allowed(self._state.view(tip, due=False), self._chain_rules.max_lag):
            return None
        if tip.id == self._interval_passed_for:
            return 0
        return min(interval, max(0, tip.timestamp_ms + interval - self._now_ms))


def _signer_of(message: PeerMessage) -> ValidatorIndex | None:
    """Who says it. None for what proves itself, whoever sends it."""
    match message:
        case ProposalMessage():
            return message.proposal.proposer
        case Vote():
            return message.validator
        case Timeout():
            return message.timeout.validator
        case _:
            return None
