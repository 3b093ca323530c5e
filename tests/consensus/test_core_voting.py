"""Voting, locking and committing, by one core against validators that the test plays."""

import pytest

from chain.keccak import keccak256
from chain.proposals import ExecutedBlock, encode_proposal
from chain.types import Hash32, Height, ValidatorIndex
from consensus.catchup import FETCH_TIMEOUT_MS
from consensus.commands import Send, SetTimer
from consensus.events import MessageReceived, PeerConnected, ResultReceived, Started, Timer
from consensus.recovered import Recovered
from consensus.wire import FetchProposals, ProposalMessage, Proposals, SyncInfo, Vote
from tests.consensus.builders import START_MS, CheapVerifier
from tests.consensus.lone_core import (
    LoneCore,
    committed,
    persisted,
    questioned,
    reasons,
    running_timers,
    sends,
    sent,
    voted,
)

RESULT = ExecutedBlock(Height(1), keccak256(b"header 1"))
OTHER_RESULT = ExecutedBlock(Height(1), keccak256(b"another header 1"))


def test_a_vote_is_durable_with_its_proposal_before_it_leaves() -> None:
    world = LoneCore()
    proposal = world.proposal(1)
    commands = world.propose(proposal)
    (write,) = persisted(commands)
    assert commands[0] is write
    assert write.synced
    assert write.accepted == (proposal,)
    assert write.safety is not None
    assert write.safety.last_voted_round == 1
    (vote,) = sent(commands, Vote)
    assert write.safety.vote == vote
    assert vote == world.vote(proposal, 0)


def test_a_replica_does_not_check_its_own_vote_in_a_certificate_nor_another_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, checked = LoneCore(), []
    verify = CheapVerifier.verify

    def counted(verifier: CheapVerifier, validator: ValidatorIndex, content: bytes, signature: bytes) -> bool:
        checked.append(validator)
        return verify(verifier, validator, content, signature)

    monkeypatch.setattr(CheapVerifier, "verify", counted)
    first = world.proposal(1)
    world.propose(first)
    assert checked == [1]
    second = world.proposal(2, world.certificate(first, voters=(0, 1, 2)), height=2)
    assert sent(world.propose(second), Vote)
    assert checked == [1, 2, 1, 2], "the proposal, and the votes of others"
    world.propose(second)
    assert checked == [1, 2, 1, 2], "the proposal, and the votes of others"


def test_votes_go_to_the_next_leader_and_to_this_one_when_nothing_came_of_them() -> None:
    world = LoneCore()
    proposal = world.proposal(1)
    assert sends(world.propose(proposal)) == [((2,), world.vote(proposal, 0))]
    assert sends(world.fire(Timer.SECOND_COUNTER)) == [((1,), world.vote(proposal, 0))]
    assert Timer.SECOND_COUNTER not in running_timers(world), "once is enough"


def test_a_vote_that_led_to_a_certificate_is_not_sent_again() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.propose(first)
    assert Timer.SECOND_COUNTER in running_timers(world)
    world.receive(SyncInfo(world.certificate(first), None))
    assert Timer.SECOND_COUNTER not in running_timers(world)


def test_votes_go_to_both_leaders_at_once_while_the_next_one_seems_to_be_gone() -> None:
    world = LoneCore()
    world.receive(SyncInfo(world.genesis_certificate(), world.timeout_certificate(2)))
    for round in (3, 4, 5):
        world.receive(SyncInfo(world.genesis_certificate(), world.timeout_certificate(round)))
    proposal = world.proposal(6, None, world.timeout_certificate(5))
    (_, vote) = sends(world.propose(proposal))[-1]
    assert sends(world.commands)[-1][0] == (3, 2)
    assert vote == world.vote(proposal, 0)
    assert Timer.SECOND_COUNTER not in running_timers(world)


def test_a_replica_never_votes_twice_in_one_round() -> None:
    world = LoneCore()
    world.propose(world.proposal(1))
    commands = world.propose(world.proposal(1, transactions=(b"another transaction",)))
    assert not sent(commands, Vote)
    assert reasons(commands) == ["Equivocation"]


def test_the_same_proposal_again_gets_the_same_vote_again() -> None:
    world = LoneCore()
    proposal = world.proposal(1)
    first = sent(world.propose(proposal), Vote)
    assert sent(world.propose(proposal), Vote) == first


def test_a_restarted_replica_gives_the_stored_vote_and_no_other() -> None:
    world = LoneCore()
    proposal = world.proposal(1)
    (write,) = persisted(world.propose(proposal))
    assert write.safety is not None
    fresh = Recovered(write.safety, world.core._state.tree.root, (), write.accepted, ())
    again = LoneCore(recovered=fresh)
    again.handle(Started())
    assert sent(again.propose(world.proposal(1, transactions=(b"another",))), Vote) == []
    assert sent(again.propose(proposal), Vote) == [world.vote(proposal, 0)]


def test_after_giving_up_a_round_there_is_no_vote_in_it() -> None:
    world = LoneCore()
    world.receive(world.timeout(1, by=2))
    world.receive(world.timeout(1, by=3))  # more than a third: this replica joins
    assert not sent(world.propose(world.proposal(1)), Vote)


def test_a_certified_child_of_the_next_round_commits_and_marks_everything_below() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    assert committed(world.propose(second)) == []
    third = world.proposal(3, world.certificate(second), takes_height=False)
    assert committed(world.propose(third)) == [first.id]


def test_a_gap_between_rounds_commits_nothing_until_two_follow_each_other() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.propose(first)
    second = world.proposal(3, world.certificate(first), world.timeout_certificate(2, (1, 1, 1)), takes_height=False)
    world.propose(second)
    third = world.proposal(4, world.certificate(second), takes_height=False)
    assert committed(world.propose(third)) == []
    world.receive(SyncInfo(world.certificate(third), None))
    assert committed(world.commands) == [first.id, second.id]


def test_a_certificate_alone_commits_too() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(first)
    world.propose(second)
    assert committed(world.receive(SyncInfo(world.certificate(second), None))) == [first.id]


def test_the_vote_waits_for_the_result_that_the_proposal_carries() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False, executed=RESULT)
    world.propose(first)
    world.propose(second)
    assert world.vote(third, 0) not in voted(world.propose(third))
    assert voted(world.handle(ResultReceived(RESULT))) == [world.vote(third, 0)]


def test_another_result_than_ours_is_refused_and_reported() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False, executed=OTHER_RESULT)
    world.propose(first)
    world.propose(second)
    world.handle(ResultReceived(RESULT))
    commands = world.propose(third)
    assert not sent(commands, Vote)
    assert reasons(commands) == ["ExecutionConflict"]


def test_two_results_for_one_block_are_reported() -> None:
    world = LoneCore()
    world.handle(ResultReceived(RESULT))
    assert reasons(world.handle(ResultReceived(OTHER_RESULT))) == ["ExecutionConflict"]


def test_a_proposal_with_an_unknown_parent_makes_the_replica_fetch_it_and_then_vote() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    commands = world.propose(second)
    assert not sent(commands, Vote)
    assert sent(commands, FetchProposals) == [FetchProposals(world.genesis_id, 0, 0, world.certificate(first))]
    commands = world.propose(first)
    assert sent(commands, Vote) == [world.vote(second, 0)]


def test_a_peer_whose_answers_lead_nowhere_is_not_asked_again_before_another_was() -> None:
    """Else one liar could keep a replica asking, at the speed of the network, for ever."""
    world = LoneCore()
    first = world.proposal(1)
    world.propose(first)
    missing = world.proposal(5, world.certificate(first), height=2)
    world.receive(SyncInfo(world.certificate(missing), None), sender=3)
    assert len(sent(world.commands, FetchProposals)) == 1
    known = Proposals((encode_proposal(first),), world.certificate(first))
    (second,) = [c for c in world.receive(known, sender=3) if isinstance(c, Send)]
    assert second.to != (ValidatorIndex(3),), "it may have led part of the way"
    (third,) = [c for c in world.receive(known, sender=second.to[0]) if isinstance(c, Send)]
    assert third.to not in (second.to, (ValidatorIndex(3),))
    assert questioned(world.receive(known, sender=third.to[0])) == [3]
    assert questioned(world.receive(known, sender=3)) == [], "all were asked since it led anywhere"
    assert len(sent(world.fire(Timer.FETCH), FetchProposals)) == 1


def test_a_peer_that_connects_is_asked_at_once_for_what_nobody_answered() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.receive(SyncInfo(world.certificate(first), None), sender=3)
    for _ in range(4):
        world.fire(Timer.FETCH)
    commands = world.handle(PeerConnected(ValidatorIndex(2)))
    assert questioned(commands) == [2]
    assert [c.delay_ms for c in commands if isinstance(c, SetTimer) and c.timer is Timer.FETCH] == [FETCH_TIMEOUT_MS]
    assert not sent(world.handle(PeerConnected(ValidatorIndex(1))), FetchProposals), "one question is under way"
    assert len(sent(world.handle(PeerConnected(ValidatorIndex(2))), FetchProposals)) == 1, "its link broke again"


def test_a_peer_that_connects_is_asked_when_the_last_answer_led_nowhere() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.receive(SyncInfo(world.certificate(first), None), sender=3)
    for peer in (3, 1, 2):
        commands = world.receive(Proposals((), None), sender=peer)
    assert not sent(commands, FetchProposals), "all were asked"
    commands = world.handle(PeerConnected(ValidatorIndex(2)))
    assert questioned(commands) == [2]


def test_an_answer_that_comes_when_nothing_is_missing_any_more_is_no_offence() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(second)
    world.propose(first)
    answer = Proposals((encode_proposal(first),), world.certificate(first))
    assert reasons(world.handle(MessageReceived(second.proposer, answer))) == []
    assert reasons(world.handle(MessageReceived(second.proposer, answer))) == ["UnexpectedProposals"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"height": 2}, "WrongHeight"),
        ({"timestamp_ms": START_MS - 1}, "WrongTimestamp"),
        ({"timestamp_ms": START_MS + 2_001}, "WrongTimestamp"),
        ({"executed": RESULT}, "ExecutedWentBack"),
    ],
)
def test_a_proposal_that_breaks_a_rule_gets_no_vote(change: dict[str, object], reason: str) -> None:
    world = LoneCore()
    commands = world.propose(world.proposal(1, **change))  # type: ignore[arg-type]
    assert not sent(commands, Vote)
    assert reasons(commands) == [reason]


def test_a_clock_that_went_back_does_not_refuse_what_has_its_parents_time() -> None:
    world = LoneCore()
    world.now_ms = START_MS - 3_600_000
    parents_time = world.genesis.timestamp * 1000
    assert parents_time > world.now_ms + 2_000
    assert reasons(world.propose(world.proposal(1, timestamp_ms=parents_time))) == []


def test_a_timestamp_two_seconds_ahead_is_still_taken() -> None:
    world = LoneCore()
    assert sent(world.propose(world.proposal(1, timestamp_ms=START_MS + 2_000)), Vote)


def test_more_blocks_than_the_lag_allows_are_refused() -> None:
    world = LoneCore()
    parent = world.genesis_certificate()
    for round in (1, 2, 3):
        proposal = world.proposal(round, parent, height=round)
        assert voted(world.propose(proposal)), round
        parent = world.certificate(proposal)
    world.payload.waiting = ()
    commands = world.receive(world.signed(world.proposal(5, parent, world.timeout_certificate(4, (3, 3, 3)), height=4)))
    assert reasons(commands) == ["LagTooLong"]


def test_a_proposal_by_someone_else_than_the_leader_is_refused() -> None:
    world = LoneCore()
    proposal = world.proposal(1)
    forged = ProposalMessage(proposal, world.signed(world.proposal(2)).signature)
    assert reasons(world.receive(forged)) == ["WrongSignature"]


def test_a_proposal_of_a_round_that_nothing_justifies_is_not_even_kept() -> None:
    world = LoneCore()
    commands = world.propose(world.proposal(9))
    assert reasons(commands) == ["OutOfWindow"]
    assert not persisted(commands)


def test_a_certificate_with_a_vote_twice_or_too_little_stake_is_refused() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.propose(first)
    for voters in ((1, 2), (1, 2, 2), (1, 1, 1)):
        commands = world.propose(world.proposal(2, world.certificate(first, voters), takes_height=False))
        assert reasons(commands) == ["InvalidCertificate"], voters


def test_stake_decides_not_heads() -> None:
    world = LoneCore(stakes=(1, 1, 1, 5))
    first = world.proposal(1)
    world.propose(first)
    few = world.proposal(2, world.certificate(first, (0, 1, 2)), takes_height=False)
    assert reasons(world.propose(few)) == ["InvalidCertificate"]
    enough = world.proposal(2, world.certificate(first, (2, 3)), takes_height=False)
    assert sent(world.propose(enough), Vote)


def test_a_peer_that_connects_hears_where_we_stand() -> None:
    world = LoneCore()
    first = world.proposal(1)
    world.propose(first)
    world.receive(SyncInfo(world.certificate(first), None))
    (info,) = sent(world.handle(PeerConnected(ValidatorIndex(2))), SyncInfo)
    assert info.certificate == world.certificate(first)


def test_a_vote_of_a_huge_round_is_refused() -> None:
    world = LoneCore()
    vote = Vote(2**64, Hash32(bytes(32)), ValidatorIndex(1), b"")  # type: ignore[arg-type]
    assert reasons(world.receive(vote)) == ["OutOfWindow"]
