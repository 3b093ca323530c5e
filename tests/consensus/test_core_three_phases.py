"""The core under the three-phase rules: what differs from two phases."""

from chain.proposals import Certificate, Proposal
from consensus.commands import Command
from consensus.events import Started
from consensus.recovered import Recovered
from consensus.safety import SafetyData
from consensus.wire import ProposalMessage, Vote
from tests.consensus.lone_core import LoneCore, committed, persisted, sent


def three_phases(me: int = 0, validators: int = 4, recovered: Recovered | None = None) -> LoneCore:
    return LoneCore(me, validators, rules="hotstuff-3", recovered=recovered)


def grow(world: LoneCore, rounds: int) -> tuple[list[Proposal], list[list[Command]]]:
    """Proposals of consecutive rounds from 1 on, all received, and what the replica did at each."""
    proposals: list[Proposal] = []
    commands: list[list[Command]] = []
    for round in range(1, rounds + 1):
        certificate = world.certificate(proposals[-1]) if proposals else None
        proposals.append(world.proposal(round, certificate, takes_height=round == 1))
        commands.append(world.propose(proposals[-1]))
    return proposals, commands


def safety(commands: list[Command]) -> SafetyData:
    (write,) = persisted(commands)
    assert isinstance(write.safety, SafetyData)
    return write.safety


def test_the_third_certificate_commits() -> None:
    proposals, commands = grow(three_phases(), 5)
    assert [committed(some) for some in commands] == [[], [], [], [proposals[0].id], [proposals[1].id]]


def test_two_certificates_commit_nothing_when_a_round_is_missing_before_the_third() -> None:
    world = three_phases()
    proposals, _ = grow(world, 2)
    certificate = world.certificate(proposals[-1])
    fourth = world.proposal(4, certificate, world.timeout_certificate(3, (2, 2, 2)), takes_height=False)
    fifth = world.proposal(5, world.certificate(fourth), takes_height=False)
    assert committed(world.propose(fourth) + world.propose(fifth)) == []


def test_the_lock_that_is_written_with_a_vote_is_the_certificate_two_links_back() -> None:
    world = three_phases()
    proposals, commands = grow(world, 3)
    assert safety(commands[0]).lock == safety(commands[1]).lock == world.genesis_certificate()
    assert safety(commands[2]).lock == world.certificate(proposals[0])


def locked_out(world: LoneCore, certificate: Certificate) -> Proposal:
    """A proposal of round 5 on that certificate, with timeouts whose signers say they knew nothing newer."""
    return world.proposal(5, certificate, world.timeout_certificate(4, (0, 0, 0)), takes_height=False)


def test_no_vote_below_the_lock_whatever_a_timeout_certificate_says() -> None:
    world = three_phases()
    grow(world, 3)
    assert sent(world.propose(locked_out(world, world.genesis_certificate())), Vote) == []


def test_a_vote_on_the_locks_own_certificate() -> None:
    world = three_phases()
    proposals, _ = grow(world, 3)
    proposal = locked_out(world, world.certificate(proposals[0]))
    assert sent(world.propose(proposal), Vote) == [world.vote(proposal, 0)]


def test_the_lock_binds_after_a_restart() -> None:
    world = three_phases()
    proposals, commands = grow(world, 3)
    recovered = Recovered(safety(commands[2]), world.core._state.tree.root, (), tuple(proposals), ())
    again = three_phases(recovered=recovered)
    again.handle(Started())
    assert sent(again.propose(locked_out(again, world.genesis_certificate())), Vote) == []


def test_two_phase_votes_and_three_phase_votes_are_not_each_others() -> None:
    """The name of the rule set is signed."""
    two, three = LoneCore(), three_phases()
    assert two.vote(two.proposal(1), 1).signature != three.vote(two.proposal(1), 1).signature


def test_a_lone_validator_goes_on_until_its_block_is_committed_and_then_is_silent() -> None:
    world = three_phases(validators=1)
    world.payload.waiting = (b"a transaction",)
    commands = world.handle(Started())
    assert len(committed(commands)) == 1
    assert sent(commands, ProposalMessage) == []
    assert world.core.status().round == 4
