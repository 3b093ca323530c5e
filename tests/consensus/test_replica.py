"""A group of events: one durable write, then everything else in order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chain.keccak import keccak256
from chain.messages.mempool import Admit, Admitted, BlockResult, SenderState
from chain.operations import OperationsAdmitted
from chain.proposals import CommitProof, Proposal, decode_proposal
from chain.types import ZERO_HASH, ExecutorIndex, Gas, Hash32, Height, ValidatorIndex, Wei
from consensus.authentication import genesis_certificate
from consensus.errors import ConsensusError, WrongResult
from consensus.events import MessageReceived, PeerMessage, Started, Timer, TimerFired
from consensus.replica import AdmitReceived, BlockResultReceived, Replica
from consensus.safety import SafetyData
from consensus.settings import ConsensusSettings
from consensus.wire import FetchProposals, ProposalMessage, Proposals, SyncInfo, Vote
from tests.consensus.builders import (
    ETHER,
    GAS_LIMIT,
    START_MS,
    CheapSigner,
    CheapVerifier,
    CrashableDatabase,
    make_genesis,
    transfer,
)
from tests.consensus.lone_core import LoneCore


class Recorder(CrashableDatabase):
    """The database and the environment in one, so that their order can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.happened: list[object] = []
        self.given_up: list[tuple[Hash32, str]] = []
        self.tokens: dict[Timer, int] = {}

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = True) -> None:
        super().write(batch, sync)
        self.happened.append("synced" if sync else "written")

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        self.happened.append(message)

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None:
        self.tokens[timer] = token

    def cancel_timer(self, timer: Timer) -> None:
        return None

    def admitted(self, ticket: int, answer: Admitted | OperationsAdmitted) -> None:
        self.happened.append((ticket, answer))

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None:
        self.given_up += transactions

    def blocks_committed(self, proof: CommitProof | None) -> None:
        self.happened.append("committed")

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        self.happened.append(error)


def replica(me: int, validators: int = 4) -> tuple[Replica, Recorder]:
    recorder = Recorder()
    made = Replica(ValidatorIndex(me), make_genesis(validators), CheapSigner(me), CheapVerifier(), recorder, recorder)
    made.handle([Started()], START_MS)
    recorder.happened.clear()
    return made, recorder


def admit(*nonces: int, ticket: int = 1) -> AdmitReceived:
    transactions = tuple(transfer(0, nonce) for nonce in nonces)
    state = SenderState(transactions[0].sender, 0, Wei(ETHER))
    return AdmitReceived(Admit(transactions, (state,), Height(0)), ticket)


def test_a_group_of_events_is_one_synced_write_before_everything_it_sends() -> None:
    world = LoneCore()
    made, recorder = replica(me=0)
    first = world.proposal(1, transactions=(transfer(0, 0).raw,))
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False)
    group = [MessageReceived(p.proposer, world.signed(p)) for p in (first, second, third)]
    made.handle(group, START_MS)
    assert recorder.happened[0] == "synced"
    assert [thing for thing in recorder.happened if thing == "committed" or isinstance(thing, Vote)] == [
        *[world.vote(proposal, 0) for proposal in (first, second)],
        "committed",
    ], "the next leader waits for the votes; execution has the block from whoever could prove it"
    assert recorder.happened.count("synced") == 1
    assert made.store.recover(3, SafetyData).uncommitted == (second, third)


def test_an_admission_is_answered_once_stored_and_before_the_proposal_leaves() -> None:
    made, recorder = replica(me=1)
    made.handle([admit(0, ticket=7)], START_MS)
    written, synced, answer, *messages = recorder.happened
    assert (written, synced, answer) == ("written", "synced", (7, Admitted(())))
    proposals = [message for message in messages if isinstance(message, ProposalMessage)]
    assert len(proposals) == 3, "one for each of the others"


def test_many_admissions_of_a_group_go_into_one_proposal() -> None:
    made, recorder = replica(me=1)
    made.handle([admit(nonce, ticket=nonce) for nonce in range(5)], START_MS)
    (proposal,) = {m.proposal for m in recorder.happened if isinstance(m, ProposalMessage)}
    assert len(proposal.transactions) == 5


def test_a_leader_that_looks_for_more_transactions_sees_those_that_came_with_its_timer() -> None:
    """Where the processors are busy much comes in one group."""
    made, recorder = replica(me=0, validators=1)

    def proposed() -> int:
        return made.core.status().proposed

    made.handle([admit(0, 1)], START_MS)
    first, second = transfer(0, 0), transfer(0, 1)
    result = replace(
        block_result(1),
        gas_limit=GAS_LIMIT,
        included=(first.hash, second.hash),
        senders=(SenderState(first.sender, 2, Wei(ETHER)),),
    )
    made.handle([BlockResultReceived(result)], START_MS)
    made.handle([admit(2)], START_MS)
    made.handle([admit(3), TimerFired(Timer.GATHER, recorder.tokens[Timer.GATHER])], START_MS)
    assert proposed() == 1
    made.handle([TimerFired(Timer.GATHER, recorder.tokens[Timer.GATHER])], START_MS)
    assert proposed() == 2


def request(known: Hash32, depth: int, root: int) -> FetchProposals:
    """Of one that misses nothing this replica does not know."""
    return FetchProposals(known, depth, root, genesis_certificate(make_genesis().id()))


def served(made: Replica, recorder: Recorder, request: FetchProposals) -> Proposals:
    recorder.happened.clear()
    made.handle([MessageReceived(ValidatorIndex(3), request)], START_MS)
    (answer,) = [message for message in recorder.happened if isinstance(message, Proposals)]
    return answer


def test_a_peer_that_asks_again_and_again_in_one_group_is_answered_once() -> None:
    world = LoneCore()
    made, recorder = replica(me=0)
    first = world.proposal(1, transactions=(transfer(0, 0).raw,))
    made.handle([MessageReceived(first.proposer, world.signed(first))], START_MS)
    made.handle([MessageReceived(ValidatorIndex(1), SyncInfo(world.certificate(first), None))], START_MS)
    recorder.happened.clear()
    asked = [request(make_genesis().id(), 0, 0)] * 4 + [request(first.id, 1, 0)]
    group = [MessageReceived(ValidatorIndex(peer), request) for request in asked for peer in (2, 3)]
    made.handle(group, START_MS)
    answers = [message for message in recorder.happened if isinstance(message, Proposals)]
    assert answers == [Proposals((), None)] * 2, "one for each peer, to what it asked last"
    assert [made.late.of(ValidatorIndex(peer), "RepeatedQuestion") for peer in (2, 3)] == [4, 4]
    assert made.rejections.as_dict() == {}


def test_the_chain_is_served_from_the_depth_that_both_have() -> None:
    world = LoneCore()
    made, recorder = replica(me=0)
    first = world.proposal(1, transactions=(transfer(0, 0).raw,))
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False)
    for proposal in (first, second, third):
        made.handle([MessageReceived(proposal.proposer, world.signed(proposal))], START_MS)
    genesis_id = make_genesis().id()
    everything = served(made, recorder, request(genesis_id, 0, 0))
    assert [decode_proposal(encoded) for encoded in everything.proposals] == [first, second]
    assert everything.certificate == world.certificate(second)
    rest = served(made, recorder, request(first.id, 1, 0))
    assert [decode_proposal(encoded) for encoded in rest.proposals] == [second]
    other_branch = served(made, recorder, request(Hash32(b"x" * 32), 2, 1))
    assert other_branch == rest
    nonsense = served(made, recorder, request(Hash32(b"x" * 32), 10**9, -5))
    assert nonsense == everything
    assert served(made, recorder, request(second.id, 2, 1)) == Proposals((), None)


def asked(proposal: Proposal, depth: int, root: int = 0, by: int = 3) -> MessageReceived:
    return MessageReceived(ValidatorIndex(by), request(proposal.id, depth, root))


def test_what_is_committed_between_asking_and_answering_does_not_get_a_certificate_of_another_proposal() -> None:
    world = LoneCore()
    made, recorder = replica(me=0)
    branch = [world.proposal(1, transactions=(transfer(0, 0).raw,))]
    for round in range(2, 7):
        branch.append(world.proposal(round, world.certificate(branch[-1]), takes_height=False))
    received = [MessageReceived(p.proposer, world.signed(p)) for p in branch]
    made.handle(received[:3], START_MS)
    recorder.happened.clear()
    made.handle([asked(branch[0], 1), *received[3:]], START_MS)
    (answer,) = [message for message in recorder.happened if isinstance(message, Proposals)]
    assert [decode_proposal(encoded) for encoded in answer.proposals] == [branch[1]]
    assert answer.certificate == world.certificate(branch[1])


def block_result(height: int, branch: bytes = b"") -> BlockResult:
    header_hash = keccak256(b"%d" % height + branch)
    return BlockResult(Height(height), ZERO_HASH, header_hash, Gas(1), Wei(7), (), (), ())


def replica_of_three_executors(recorder: Recorder) -> Replica:
    me, settings = ValidatorIndex(0), ConsensusSettings(executors=3)
    return Replica(me, make_genesis(), CheapSigner(me), CheapVerifier(), recorder, recorder, settings)


def test_a_result_is_known_when_the_executors_agree_and_a_wrong_one_is_named_for_ever() -> None:
    recorder = Recorder()
    made = replica_of_three_executors(recorder)
    right, wrong = block_result(1), block_result(1, b"wrong")
    made.handle([BlockResultReceived(wrong, ExecutorIndex(1)), BlockResultReceived(right)], START_MS)
    assert made.core.status().executed == made.store.newest_result == 0
    made.handle([BlockResultReceived(right, ExecutorIndex(2))], START_MS)
    assert (made.core.status().executed, made.core.status().executed_hash) == (1, right.header_hash)
    again = replica_of_three_executors(recorder)
    assert [found.executor for found in again.executors.news().wrong] == [1]
    assert again.executors.newest == again.store.newest_result == 1


def test_a_lone_executor_that_says_another_hash_than_before_is_reported() -> None:
    made, recorder = replica(me=0)
    made.handle([BlockResultReceived(block_result(1)), BlockResultReceived(block_result(1, b"other"))], START_MS)
    (reported,) = [thing for thing in recorder.happened if isinstance(thing, WrongResult)]
    assert str(reported).startswith(
        "executor 0 computed a wrong block at height 1: 0x" + block_result(1, b"other").header_hash.hex()
    )
    assert made.rejections.as_dict() == {(-1, "WrongResult"): 1}
    assert made.core.status().executed_hash == block_result(1).header_hash
