"""Rounds that are given up: timeouts, their certificates, and how long a round is waited for."""

from dataclasses import replace

from chain.keccak import keccak256
from chain.proposals import ExecutedBlock
from chain.types import Height
from consensus.commands import SetTimer
from consensus.events import PayloadChanged, ResultReceived, Started, Timer
from consensus.pacemaker import GATHER_MOST_MS_WITH_MANY, MANY, SUSPECTED_TIMEOUT_MS
from consensus.recovered import new_chain
from consensus.wire import ProposalMessage, SyncInfo, Timeout, Vote
from tests.consensus.lone_core import LoneCore, persisted, reasons, sent, voted


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


def test_a_leader_that_others_may_suspect_gathers_nothing_and_is_no_suspect_once_it_has_proposed() -> None:
    """They give it less time than a leader gathers for where many transactions keep coming."""
    assert SUSPECTED_TIMEOUT_MS < GATHER_MOST_MS_WITH_MANY
    world = LoneCore(me=3)
    first = world.proposal(1, transactions=(b"one", b"another"))
    world.propose(first)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(second)
    parent, timeouts = world.certificate(second), world.timeout_certificate(3, (2, 2, 2))
    for round in (4, 5, 6):
        proposal = world.proposal(round, parent, timeouts if round == 4 else None, takes_height=False)
        world.propose(proposal)
        parent = world.certificate(proposal)
    assert world.core.status().suspected == (3,)
    world.handle(ResultReceived(ExecutedBlock(Height(1), keccak256(b"header 1"))))
    world.payload.waiting = (b"a transaction",) * MANY
    (message,) = sent(world.receive(SyncInfo(parent, None)), ProposalMessage)
    assert message.proposal.takes_height
    assert world.core.status().suspected == ()
    assert [c.delay_ms for c in world.commands if isinstance(c, SetTimer) and c.timer is Timer.ROUND][-1] == 200


def test_a_leader_that_comes_back_gathers_nothing_before_it_has_proposed() -> None:
    before = LoneCore(me=3)
    first = before.proposal(1, transactions=(b"one", b"another"))
    second = before.proposal(2, before.certificate(first), takes_height=False)
    for proposal in (first, second):
        before.propose(proposal)
    safety = [write.safety for write in persisted(before.commands) if write.safety is not None][-1]
    new = new_chain(before.genesis)
    world = LoneCore(me=3, recovered=replace(new, safety=safety, uncommitted=(first, second)))
    world.handle(Started())
    world.handle(ResultReceived(ExecutedBlock(Height(1), keccak256(b"header 1"))))
    world.payload.waiting = (b"a transaction",) * MANY
    (message,) = sent(world.receive(SyncInfo(before.certificate(second), None)), ProposalMessage)
    assert message.proposal.takes_height
