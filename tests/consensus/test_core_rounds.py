"""Timeouts, proposing and falling silent, by one core against validators that the test plays."""

from chain.keccak import keccak256
from chain.proposals import ExecutedBlock
from chain.types import Height
from consensus.commands import SetTimer
from consensus.events import PayloadChanged, ResultReceived, Timer
from consensus.pacemaker import (
    BASE_TIMEOUT_MS,
    GATHER_MOST_MS,
    GATHER_QUIET_MS,
    SUSPECTED_TIMEOUT_MS,
    UNHURRIED_DELAY_MS,
)
from consensus.settings import ConsensusSettings
from consensus.wire import ProposalMessage, SyncInfo, Timeout, Vote
from tests.consensus.builders import START_MS
from tests.consensus.lone_core import LoneCore, committed, persisted, reasons, running_timers, sent, voted

RESULT = ExecutedBlock(Height(1), keccak256(b"header 1"))


def test_without_work_nothing_is_said_and_no_timer_runs() -> None:
    world = LoneCore(me=1)
    assert world.handle(PayloadChanged()) == []


def test_a_leader_with_work_proposes_at_once() -> None:
    world = LoneCore(me=1)
    world.payload.waiting = (b"a transaction",)
    (message,) = sent(world.handle(PayloadChanged()), ProposalMessage)
    assert message.proposal.transactions == (b"a transaction",)
    assert message.proposal.round == 1
    assert message.proposal.height == 1


def test_a_leader_proposes_once_in_a_round() -> None:
    world = LoneCore(me=1)
    world.payload.waiting = (b"a transaction",)
    world.handle(PayloadChanged())
    assert not sent(world.handle(PayloadChanged()), ProposalMessage)


def test_work_elsewhere_starts_a_timer_so_that_a_dead_leader_is_passed_over() -> None:
    world = LoneCore(me=0)
    world.payload.waiting = (b"a transaction",)
    (timer,) = world.handle(PayloadChanged())
    assert timer == SetTimer(Timer.ROUND, 1, BASE_TIMEOUT_MS)
    world.payload.waiting = ()
    world.handle(PayloadChanged())
    assert running_timers(world) == set()


def test_a_timeout_is_durable_before_it_leaves_and_ends_voting_in_the_round() -> None:
    world = LoneCore(me=0)
    world.payload.waiting = (b"a transaction",)
    world.handle(PayloadChanged())
    commands = world.fire(Timer.ROUND)
    (write,) = persisted(commands)
    assert write.synced
    assert write.safety is not None
    assert write.safety.last_voted_round == 1
    (timeout,) = sent(commands, Timeout)
    assert timeout.timeout == world.signed_timeout(1, by=0, highest=0)
    assert not sent(world.propose(world.proposal(1)), Vote)


def test_a_timeout_carries_the_highest_certificate_never_below_the_lock() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    world.propose(world.proposal(2, world.certificate(first), takes_height=False))
    (timeout,) = sent(world.fire(Timer.ROUND), Timeout)
    assert timeout.round == 2
    assert timeout.certificate == world.certificate(first)
    assert timeout.timeout.highest_certificate_round == 1


def test_one_timeout_makes_nobody_join_and_more_than_a_third_does() -> None:
    world = LoneCore(me=0)
    assert not sent(world.receive(world.timeout(1, by=2)), Timeout)
    assert not sent(world.receive(world.timeout(1, by=2)), Timeout), "a duplicate counts once"
    assert sent(world.receive(world.timeout(1, by=3)), Timeout)


def test_a_quorum_of_timeouts_ends_the_round_and_the_next_leader_shows_them() -> None:
    world = LoneCore(me=2)
    world.payload.waiting = (b"a transaction",)
    world.receive(world.timeout(1, by=1))
    commands = world.receive(world.timeout(1, by=3))
    (message,) = sent(commands, ProposalMessage)
    certificate = message.proposal.timeout_certificate
    assert certificate is not None
    assert certificate.round == 1
    assert [timeout.validator for timeout in certificate.timeouts] == [1, 2, 3]
    assert certificate.highest_certificate_round == 0


def test_a_proposal_below_the_highest_certificate_of_its_timeouts_gets_no_vote() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    stale = world.proposal(3, None, world.timeout_certificate(2, (0, 1, 0)))
    assert not sent(world.propose(stale), Vote)
    fresh = LoneCore(me=0)
    fresh.propose(first)
    current = world.proposal(3, world.certificate(first), world.timeout_certificate(2, (0, 1, 0)), takes_height=False)
    assert voted(fresh.propose(current)) == [fresh.vote(current, 0)]


def test_a_forged_timeout_certificate_is_refused_even_if_it_is_of_the_round_before() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    honest = world.timeout_certificate(2, (1, 1, 1))
    world.receive(SyncInfo(world.certificate(first), honest))
    forged = type(honest)(honest.round, (*honest.timeouts[:2], world.signed_timeout(2, by=1, highest=0)))
    proposal = world.proposal(3, world.certificate(first), forged, takes_height=False)
    assert reasons(world.propose(proposal)) == ["InvalidCertificate"]


def test_a_timeout_certificate_with_an_invented_claim_does_not_cost_the_next_leader_its_turn() -> None:
    """A liar that is quick enough puts its own timeout, and a claim that nobody can meet, with those of two others."""
    world = LoneCore(me=3)
    first = world.proposal(1)
    world.propose(first)
    known = world.certificate(first)
    world.receive(SyncInfo(known, world.timeout_certificate(3, (1, 1, 1))))
    world.receive(SyncInfo(known, world.timeout_certificate(5, (1, 1, 1))))
    world.payload.waiting = (b"a transaction",)
    poisoned = world.timeout_certificate(6, (5, 1, 1))
    liars_own = Timeout(poisoned.round, known, poisoned, world.signed_timeout(6, by=1, highest=1))
    liars_proposal = world.proposal(9, known, world.timeout_certificate(8, (7, 1, 1)), takes_height=False)
    for message in (SyncInfo(known, poisoned), liars_own, world.signed(liars_proposal)):
        assert reasons(world.receive(message)) == ["InvalidCertificate"]
    assert world.core.status().round == 6
    (proposed,) = sent(world.receive(SyncInfo(known, world.timeout_certificate(6, (1, 1, 1)))), ProposalMessage)
    assert proposed.proposal.round == 7


def test_a_timeout_certificate_without_the_certificate_its_signers_had_is_refused() -> None:
    """Else whoever passes it on alone keeps the next leader from proposing."""
    world = LoneCore(me=3)
    first = world.proposal(1)
    world.propose(first)
    ended = world.timeout_certificate(2, (0, 1, 0))
    assert reasons(world.receive(SyncInfo(world.genesis_certificate(), ended))) == ["InvalidCertificate"]
    assert reasons(world.receive(SyncInfo(world.certificate(first), ended))) == []
    assert world.core.status().round == 3


def test_a_timeout_that_signs_another_round_than_its_certificate_is_refused() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    lie = Timeout(
        world.timeout(2, by=1).round, world.certificate(first), None, world.signed_timeout(2, by=1, highest=0)
    )
    assert reasons(world.receive(lie)) == ["InvalidCertificate"]


def test_who_is_behind_is_told_where_we_are() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    world.receive(SyncInfo(world.certificate(first), None))
    assert sent(world.receive(world.timeout(1, by=3)), SyncInfo) == [SyncInfo(world.certificate(first), None)]


def test_the_wait_grows_with_each_round_in_a_row_that_times_out() -> None:
    world = LoneCore(me=0)
    world.payload.waiting = (b"a transaction",)
    world.handle(PayloadChanged())
    waits = []
    for round in (1, 2, 3):
        waits.append([c.delay_ms for c in world.commands if isinstance(c, SetTimer)][-1])
        world.receive(world.timeout(round, by=2))
        world.receive(world.timeout(round, by=3))
    assert waits == [200, 300, 450]


def test_the_wait_falls_back_with_a_commit_and_not_with_a_certificate() -> None:
    world = LoneCore(me=0)
    world.payload.waiting = (b"a transaction",)
    for round in (1, 2):
        for voter in (1, 2, 3):
            world.receive(world.timeout(round, by=voter))

    def newest_wait() -> int:
        return [c.delay_ms for c in world.commands if isinstance(c, SetTimer) and c.timer is Timer.ROUND][-1]

    assert newest_wait() == 450
    first = world.proposal(3, None, world.timeout_certificate(2), transactions=())
    world.propose(first)
    second = world.proposal(4, world.certificate(first), takes_height=False)
    world.propose(second)
    assert newest_wait() == 450
    world.propose(world.proposal(5, world.certificate(second), takes_height=False))
    assert world.core.status().committed == 1
    assert newest_wait() == 200


def test_votes_that_complete_a_certificate_make_the_next_leader_go_on() -> None:
    world = LoneCore(me=2)
    first = world.proposal(1)
    world.propose(first)
    assert not sent(world.receive(world.vote(first, 1)), ProposalMessage)
    assert not sent(world.receive(world.vote(first, 1)), ProposalMessage), "a duplicate counts once"
    (message,) = sent(world.receive(world.vote(first, 3)), ProposalMessage)
    assert message.proposal.certificate == world.certificate(first)
    assert not message.proposal.takes_height, "the block before is not executed, but must be committed"


def test_a_validator_that_votes_for_two_proposals_is_reported_and_counts_once() -> None:
    world = LoneCore(me=2)
    first = world.proposal(1)
    other = world.proposal(1, transactions=(b"another",))
    world.propose(first)
    world.receive(world.vote(other, 3))
    assert reasons(world.receive(world.vote(first, 3))) == ["Equivocation"]


def committed_world(me: int, transactions: tuple[bytes, ...] = (b"a transaction",)) -> LoneCore:
    """Block 1 is proposed in round 1 and committed by the certificate of round 2."""
    world = LoneCore(me=me)
    first = world.proposal(1, transactions=transactions)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    world.propose(second)
    world.receive(SyncInfo(world.certificate(second), None))
    assert committed(world.commands) == [first.id]
    return world


def test_when_the_block_is_committed_the_leader_is_silent_until_its_result_comes() -> None:
    world = committed_world(me=3)
    assert not sent(world.commands, ProposalMessage)
    assert running_timers(world) == set()
    assert not sent(world.handle(ResultReceived(RESULT)), ProposalMessage), "a block that comes soon could carry it"
    (message,) = sent(world.fire(Timer.UNHURRIED), ProposalMessage)
    assert message.proposal.executed == RESULT
    assert not message.proposal.takes_height


def test_a_block_that_comes_soon_carries_the_result() -> None:
    world = committed_world(me=3)
    world.handle(ResultReceived(RESULT))
    world.payload.waiting = (b"a transaction",)
    (message,) = sent(world.handle(PayloadChanged()), ProposalMessage)
    assert message.proposal.executed == RESULT
    assert message.proposal.takes_height
    assert Timer.UNHURRIED not in running_timers(world)


def streaming_world() -> LoneCore:
    """The block before had two transactions, its result is known, and more have come."""
    world = committed_world(me=3, transactions=(b"one", b"another"))
    world.handle(ResultReceived(RESULT))
    world.payload.waiting = (b"a third",)
    assert not sent(world.handle(PayloadChanged()), ProposalMessage)
    return world


def test_where_transactions_keep_coming_a_block_leaves_when_none_has_come_for_a_moment() -> None:
    world = streaming_world()
    assert Timer.GATHER in running_timers(world)
    world.handle(PayloadChanged())
    assert not sent(world.fire(Timer.GATHER), ProposalMessage), "one came since it began"
    (message,) = sent(world.fire(Timer.GATHER), ProposalMessage)
    assert message.proposal.takes_height
    assert message.proposal.executed == RESULT
    assert Timer.GATHER not in running_timers(world)


def test_a_block_gathers_transactions_for_so_long_and_no_longer() -> None:
    world = streaming_world()
    looks = 0
    while not sent(world.commands, ProposalMessage):
        world.now_ms += GATHER_QUIET_MS
        world.handle(PayloadChanged())
        world.fire(Timer.GATHER)
        looks += 1
    assert looks * GATHER_QUIET_MS >= GATHER_MOST_MS > (looks - 1) * GATHER_QUIET_MS


def test_a_block_that_gathers_leaves_at_once_when_it_is_full() -> None:
    world = streaming_world()
    world.payload.full = True
    assert sent(world.handle(PayloadChanged()), ProposalMessage)
    assert Timer.GATHER not in running_timers(world)


def test_who_does_not_lead_gathers_nothing_and_waits_for_the_leader() -> None:
    world = committed_world(me=0, transactions=(b"one", b"another"))
    world.handle(ResultReceived(RESULT))
    world.payload.waiting = (b"a third",)
    world.handle(PayloadChanged())
    assert running_timers(world) == {Timer.ROUND}


def test_a_leader_that_falls_silent_first_tells_everyone_the_certificate_it_formed() -> None:
    world = LoneCore(me=3)
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    world.propose(second)
    world.receive(world.vote(second, 1))
    assert not sent(world.receive(world.vote(second, 2)), SyncInfo), "a proposal may soon carry it"
    assert running_timers(world) == {Timer.ANNOUNCE}
    assert sent(world.fire(Timer.ANNOUNCE), SyncInfo) == [SyncInfo(world.certificate(second, (1, 2, 3)), None)]
    assert running_timers(world) == set()


def test_a_certificate_that_a_proposal_carries_is_not_announced() -> None:
    world = LoneCore(me=3)
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    world.propose(second)
    world.receive(world.vote(second, 1))
    world.receive(world.vote(second, 2))
    world.payload.waiting = (b"a transaction that fills a block",)
    world.payload.full = True
    (message,) = sent(world.handle(PayloadChanged()), ProposalMessage)
    assert message.proposal.certificate == world.certificate(second, (1, 2, 3))
    assert Timer.ANNOUNCE not in running_timers(world)


def test_waiting_transactions_wait_for_the_result_unless_they_fill_a_block() -> None:
    world = committed_world(me=3)
    world.payload.waiting = (b"a transaction",)
    assert world.handle(PayloadChanged()) == []
    world.payload.full = True
    (message,) = sent(world.handle(PayloadChanged()), ProposalMessage)
    assert message.proposal.height == 2
    assert world.payload.followed[:1] != [], "the block before it is in flight"


def test_a_leader_that_learns_from_a_timeout_that_others_see_work_helps_the_round_along() -> None:
    world = LoneCore(me=1)
    assert sent(world.receive(world.timeout(1, by=3)), ProposalMessage) == [], "who gives up may lie: no hurry"
    (message,) = sent(world.fire(Timer.UNHURRIED), ProposalMessage)
    assert not message.proposal.takes_height


def test_a_liar_that_gives_every_round_up_costs_an_idle_chain_a_bounded_number_of_rounds_a_second() -> None:
    """Each round that an honest validator leads for it takes the time that it may wait."""
    world = LoneCore(me=1)
    for round in range(1, 40, 4):
        commands = world.receive(world.timeout(round, by=3))
        assert sent(commands, ProposalMessage) == []
        assert SetTimer(Timer.UNHURRIED, (round + 3) // 4, UNHURRIED_DELAY_MS) in commands
        world.receive(SyncInfo(world.genesis_certificate(), world.timeout_certificate(round + 3)))


def test_a_block_interval_makes_empty_blocks_when_due() -> None:
    world = LoneCore(me=1, settings=ConsensusSettings(block_interval_ms=400))
    (timer,) = world.handle(PayloadChanged())
    assert timer == SetTimer(Timer.BLOCK_INTERVAL, 1, 400)
    world.now_ms = START_MS + 400
    (message,) = sent(world.fire(Timer.BLOCK_INTERVAL), ProposalMessage)
    assert message.proposal.takes_height
    assert message.proposal.transactions == ()


def test_a_block_interval_is_measured_by_its_timer_when_the_clock_went_back_by_an_hour() -> None:
    world = LoneCore(me=1, settings=ConsensusSettings(block_interval_ms=400))
    world.now_ms = START_MS - 3_600_000
    (timer,) = world.handle(PayloadChanged())
    assert timer == SetTimer(Timer.BLOCK_INTERVAL, 1, 400)
    world.now_ms += 400
    (message,) = sent(world.fire(Timer.BLOCK_INTERVAL), ProposalMessage)
    assert message.proposal.takes_height
    assert message.proposal.inputs is not None
    assert message.proposal.inputs.timestamp_ms == START_MS


def test_an_interval_that_a_timer_measured_for_the_block_before_is_measured_anew() -> None:
    world = LoneCore(me=2, settings=ConsensusSettings(block_interval_ms=400))
    world.handle(PayloadChanged())
    world.now_ms = START_MS + 300
    first = world.proposal(1, timestamp_ms=world.now_ms)
    world.propose(first)
    world.receive(SyncInfo(world.certificate(first), None))
    world.now_ms = START_MS + 400
    commands = world.fire(Timer.BLOCK_INTERVAL)
    assert not [m for m in sent(commands, ProposalMessage) if m.proposal.takes_height]
    assert SetTimer(Timer.BLOCK_INTERVAL, 2, 300) in commands


def test_an_interval_that_an_operation_shortened_counts_at_once() -> None:
    world = LoneCore(me=1, settings=ConsensusSettings(block_interval_ms=3_600_000))
    world.handle(PayloadChanged())
    world.payload.interval = 400
    assert world.handle(PayloadChanged()) == [SetTimer(Timer.BLOCK_INTERVAL, 2, 400)]
    assert world.handle(PayloadChanged()) == []


def test_a_suspected_leader_gets_a_short_wait_only_right_after_a_certificate() -> None:
    world = LoneCore(me=0)
    world.payload.waiting = (b"a transaction",)
    world.receive(world.timeout(1, by=2))
    world.receive(world.timeout(1, by=3))  # round 1 is over; its leader, validator 1, never proposed
    parent = world.genesis_certificate()
    timeouts = world.timeout_certificate(1)
    for round in (2, 3, 4):
        proposal = world.proposal(round, parent, timeouts if round == 2 else None, height=0, takes_height=False)
        world.propose(proposal)
        parent = world.certificate(proposal)
    world.receive(SyncInfo(parent, None))
    assert world.core.status().round == 5
    assert [c.delay_ms for c in world.commands if isinstance(c, SetTimer)][-1] == SUSPECTED_TIMEOUT_MS


def test_a_lone_validator_certifies_itself_and_goes_on_until_all_is_verified() -> None:
    world = LoneCore(me=0, validators=1)
    world.payload.waiting = (b"a transaction",)
    commands = world.handle(PayloadChanged())
    world.payload.waiting = ()
    assert len(committed(commands)) == 1
    world.handle(ResultReceived(RESULT))
    assert world.core.status().verified == 0
    world.fire(Timer.UNHURRIED)
    assert world.core.status().verified == 1
    assert running_timers(world) == set()
