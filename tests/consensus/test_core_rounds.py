"""Proposing and falling silent, by one core against validators that the test plays."""

import pytest

from chain.keccak import keccak256
from chain.proposals import ExecutedBlock, Proposal
from chain.types import Height
from consensus.commands import SetTimer
from consensus.events import PayloadChanged, ResultReceived, Timer
from consensus.pacemaker import (
    BASE_TIMEOUT_MS,
    GATHER_MOST_MS,
    GATHER_MOST_MS_WITH_MANY,
    GATHER_QUIET_LOOKS_WITH_MANY,
    GATHER_QUIET_MS,
    MANY,
    UNHURRIED_DELAY_MS,
)
from consensus.settings import ConsensusSettings
from consensus.wire import ProposalMessage, SyncInfo
from tests.consensus.builders import START_MS
from tests.consensus.lone_core import LoneCore, committed, reasons, running_timers, sent

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


def test_who_is_behind_is_told_where_we_are() -> None:
    world = LoneCore(me=0)
    first = world.proposal(1)
    world.propose(first)
    world.receive(SyncInfo(world.certificate(first), None))
    assert sent(world.receive(world.timeout(1, by=3)), SyncInfo) == [SyncInfo(world.certificate(first), None)]


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


@pytest.mark.parametrize(("waiting", "most_ms"), [(MANY - 1, GATHER_MOST_MS), (MANY, GATHER_MOST_MS_WITH_MANY)])
def test_a_block_gathers_transactions_for_so_long_and_no_longer(waiting: int, most_ms: int) -> None:
    world = streaming_world()
    world.payload.waiting = (b"one",) * waiting
    looks = 0
    while not sent(world.commands, ProposalMessage):
        world.now_ms += GATHER_QUIET_MS
        world.handle(PayloadChanged())
        world.fire(Timer.GATHER)
        looks += 1
    assert looks * GATHER_QUIET_MS >= most_ms > (looks - 1) * GATHER_QUIET_MS


def test_with_many_transactions_a_block_waits_for_a_longer_pause() -> None:
    world = streaming_world()
    world.payload.waiting = (b"one",) * MANY
    world.handle(PayloadChanged())
    world.fire(Timer.GATHER)
    quiet_looks = 0
    while not sent(world.commands, ProposalMessage):
        world.fire(Timer.GATHER)
        quiet_looks += 1
    assert quiet_looks == GATHER_QUIET_LOOKS_WITH_MANY


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


def world_one_vote_short() -> tuple[LoneCore, Proposal]:
    """The next leader of the proposal, whose certificate needs one more vote."""
    world = LoneCore(me=3)
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    world.propose(second)
    world.receive(world.vote(second, 1))
    return world, second


def test_a_leader_that_falls_silent_first_tells_everyone_the_certificate_it_formed() -> None:
    world, second = world_one_vote_short()
    assert not sent(world.receive(world.vote(second, 2)), SyncInfo), "a proposal may soon carry it"
    assert running_timers(world) == {Timer.ANNOUNCE}
    assert sent(world.fire(Timer.ANNOUNCE), SyncInfo) == [SyncInfo(world.certificate(second, (1, 2, 3)), None)]
    assert running_timers(world) == set()


def test_a_certificate_that_a_proposal_carries_is_not_announced() -> None:
    world, second = world_one_vote_short()
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
