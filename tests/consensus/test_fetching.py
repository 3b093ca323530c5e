"""Catching up: what an answer may hold, and who is asked next."""

from chain.proposals import Proposal, encode_proposal
from chain.types import Hash32, ValidatorIndex
from consensus.commands import Command, Report, ServeProposals, SetTimer
from consensus.events import PeerConnected, Started, Timer
from consensus.fetching import MAX_FETCHED_PROPOSALS
from consensus.recovered import Recovered, new_chain
from consensus.wire import FetchProposals, Proposals, SyncInfo
from tests.consensus.lone_core import LoneCore, committed, persisted, questioned, reasons, sent


def branch(world: LoneCore, length: int) -> list[Proposal]:
    proposals = [world.proposal(1)]
    for round in range(2, length + 1):
        proposals.append(world.proposal(round, world.certificate(proposals[-1]), takes_height=False))
    return proposals


def behind(length: int) -> tuple[LoneCore, list[Proposal]]:
    """Validator 0 hears from validator 3 of a certificate, and of nothing before it."""
    world = LoneCore()
    proposals = branch(world, length)
    commands = world.receive(SyncInfo(world.certificate(proposals[-1]), None), sender=3)
    assert sent(commands, FetchProposals) == [FetchProposals(world.genesis_id, 0, 0, world.certificate(proposals[-1]))]
    return world, proposals


def answer(world: LoneCore, proposals: list[Proposal]) -> Proposals:
    return Proposals(tuple(map(encode_proposal, proposals)), world.certificate(proposals[-1]))


def asked(commands: list[Command]) -> list[Hash32]:
    return [request.known for request in sent(commands, FetchProposals)]


def test_certified_proposals_are_taken_in_and_what_they_commit_is_committed() -> None:
    world, proposals = behind(4)
    commands = world.receive(answer(world, proposals), sender=3)
    assert committed(commands) == [p.id for p in proposals[:3]]
    assert asked(commands) == []


def test_a_full_batch_is_followed_by_the_next_from_the_same_peer() -> None:
    world, proposals = behind(MAX_FETCHED_PROPOSALS + 4)
    commands = world.receive(answer(world, proposals[:MAX_FETCHED_PROPOSALS]), sender=3)
    assert asked(commands) == [proposals[MAX_FETCHED_PROPOSALS - 1].id]
    assert questioned(commands) == [3]
    commands = world.receive(answer(world, proposals[MAX_FETCHED_PROPOSALS:]), sender=3)
    assert asked(commands) == []
    assert world.core.status().round == MAX_FETCHED_PROPOSALS + 5


def test_one_that_gives_little_at_a_time_is_left_for_the_others_in_turn() -> None:
    """Else it could keep a replica behind for ever, one proposal for each wait."""
    world, proposals = behind(8)
    peers = [3]
    for proposal in proposals[:3]:
        peers += questioned(world.receive(answer(world, [proposal]), sender=peers[-1]))
    assert len(peers) == 4
    assert set(peers) == {1, 2, 3}
    commands = world.receive(answer(world, proposals[3:]), sender=peers[-1])
    assert asked(commands) == []
    assert world.core.status().round == 9


def test_a_peer_that_connects_again_and_again_does_not_put_off_the_others_turn() -> None:
    world, _ = behind(4)
    for _ in range(5):
        commands = world.handle(PeerConnected(ValidatorIndex(3)))
        assert questioned(commands) == [3], "what was asked over the old link is lost"
        assert not [c for c in commands if isinstance(c, SetTimer) and c.timer is Timer.FETCH]
    assert questioned(world.fire(Timer.FETCH)) != [3]


def test_a_peer_that_repeats_itself_is_left_for_another_at_once() -> None:
    """Else it could keep a replica from catching up for ever, at the speed of the network."""
    world, proposals = behind(6)
    (second,) = questioned(world.receive(answer(world, proposals[:2]), sender=3))
    commands = world.receive(answer(world, proposals[:2]), sender=second)
    assert asked(commands) == [proposals[1].id]
    (third,) = questioned(commands)
    assert third not in (second, 3)
    world.receive(answer(world, proposals[2:]), sender=third)
    assert reasons(world.commands) == []
    assert world.core.status().round == 7


def test_those_who_answer_nothing_are_asked_in_turn_once_and_then_the_timer_runs_its_course() -> None:
    """Else two liars could send a question to and fro at the speed of the network, for ever."""
    world, _ = behind(4)
    peers = [3]
    while following := questioned(world.receive(Proposals((), None), sender=peers[-1])):
        peers += following
    assert sorted(peers) == [1, 2, 3]
    assert len(questioned(world.fire(Timer.FETCH))) == 1


def test_who_lies_in_its_answer_is_refused_and_the_next_asked_at_once() -> None:
    world, proposals = behind(4)
    forged = Proposals((encode_proposal(proposals[0]),), world.certificate(proposals[1]))
    commands = world.receive(forged, sender=3)
    assert reasons(commands) == ["InvalidCertificate"]
    (following,) = questioned(commands)
    assert following != 3
    assert committed(world.receive(answer(world, proposals), sender=following)) == [p.id for p in proposals[:3]]


def test_who_has_what_is_asked_for_learns_from_the_question_that_it_is_certified() -> None:
    """It voted, and the votes were counted elsewhere: without that it would have nothing to offer."""
    world = LoneCore()
    first, second = branch(world, 2)
    world.propose(first)
    world.propose(second)
    certificate = world.certificate(second)
    commands = world.receive(FetchProposals(world.genesis_id, 0, 0, certificate), sender=3)
    (served,) = [c for c in commands if isinstance(c, ServeProposals)]
    assert served.certificate == certificate
    assert (committed(commands), [placed.proposal for placed in served.uncommitted]) == ([first.id], [second])


def test_what_is_missing_on_another_branch_than_the_newest_is_served() -> None:
    world = LoneCore(rules="hotstuff-3")
    first = world.proposal(1)
    world.propose(first)
    aside = world.proposal(2, world.certificate(first), takes_height=False)
    world.propose(aside)
    timeouts = world.timeout_certificate(2, highest=(1, 1, 1))
    newest = world.proposal(3, world.certificate(first), timeouts, takes_height=False)
    world.propose(newest)
    world.receive(SyncInfo(world.certificate(newest), None))
    wanted = world.certificate(aside)
    commands = world.receive(FetchProposals(world.genesis_id, 0, 0, wanted), sender=3)
    (served,) = [c for c in commands if isinstance(c, ServeProposals)]
    assert [placed.proposal for placed in served.uncommitted] == [first, aside]
    assert served.certificate == wanted


def test_a_question_with_a_forged_certificate_is_refused() -> None:
    world = LoneCore()
    forged = world.certificate(world.proposal(1), voters=(1, 2))
    commands = world.receive(FetchProposals(world.genesis_id, 0, 0, forged), sender=3)
    assert reasons(commands) == ["InvalidCertificate"]
    assert not [c for c in commands if isinstance(c, ServeProposals)]


def test_an_answer_that_led_nowhere_does_not_spoil_the_next_one_of_the_same_peer() -> None:
    """Asked twice because its link came back, the peer answers twice: before it had what is missing, and after."""
    world, proposals = behind(4)
    assert asked(world.handle(PeerConnected(ValidatorIndex(3)))) == [world.genesis_id]
    world.receive(Proposals((), None), sender=3)
    commands = world.receive(answer(world, proposals), sender=3)
    assert committed(commands) == [p.id for p in proposals[:3]]


def test_an_answer_counts_though_another_peer_was_asked_since() -> None:
    """Over a link slower than the wait for an answer."""
    world, proposals = behind(4)
    (other,) = questioned(world.fire(Timer.FETCH))
    assert other != 3
    commands = world.receive(answer(world, proposals), sender=3)
    assert committed(commands) == [p.id for p in proposals[:3]]
    assert reasons(world.receive(answer(world, proposals), sender=other)) == []


def test_a_proposal_without_the_certificate_of_its_own_is_refused() -> None:
    world, proposals = behind(4)
    forged = Proposals((encode_proposal(proposals[0]),), world.certificate(proposals[1]))
    commands = world.receive(forged, sender=3)
    assert reasons(commands) == ["InvalidCertificate"]
    assert committed(world.commands) == []


def test_a_certificate_of_too_few_is_refused() -> None:
    world, proposals = behind(4)
    forged = Proposals((encode_proposal(proposals[0]),), world.certificate(proposals[0], voters=(1, 2)))
    assert reasons(world.receive(forged, sender=3)) == ["InvalidCertificate"]


def test_an_answer_with_too_many_proposals_is_refused_before_any_is_decoded() -> None:
    world, _ = behind(4)
    oversized = Proposals((b"nonsense",) * (MAX_FETCHED_PROPOSALS + 1), None)
    (report,) = [c for c in world.receive(oversized, sender=3) if isinstance(c, Report)]
    assert str(report.error) == "257 proposals where 256 are the most"


def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    world, proposals = behind(4)
    assert reasons(world.receive(answer(world, proposals), sender=2)) == ["UnexpectedProposals"]


def test_a_proposal_kept_over_a_restart_that_leads_nowhere_is_deleted() -> None:
    world = LoneCore()
    first, second = branch(world, 2)
    fresh = new_chain(world.genesis)
    recovered = Recovered(fresh.safety, fresh.root, (), (second,), ())
    again = LoneCore(recovered=recovered)
    (write,) = persisted(again.handle(Started()))
    assert write.abandoned == (second.id,)
    whole = LoneCore(recovered=Recovered(fresh.safety, fresh.root, (), (first, second), ()))
    assert [write.abandoned for write in persisted(whole.handle(Started()))] == [()]
