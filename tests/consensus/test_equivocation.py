"""A validator that lies on request: what it tells whom, what the others make of it, and that it keeps nothing of it."""

import pytest

from chain.messages.mempool import Admit, SenderState
from chain.proposals import Proposal
from chain.types import Height, ValidatorIndex, Wei
from consensus.commands import Send
from consensus.equivocation import Equivocator
from consensus.errors import CannotEquivocate, Equivocation
from consensus.events import MessageReceived, PeerMessage, Started
from consensus.replica import AdmitReceived, Replica
from consensus.safety import SafetyData
from consensus.wire import ProposalMessage, Vote
from tests.consensus.builders import ETHER, START_MS, CheapSigner, CheapVerifier, make_genesis, transfer
from tests.consensus.lone_core import LoneCore
from tests.consensus.test_replica import Recorder

LIAR = ValidatorIndex(1)
"""It leads round 1."""
OTHERS = tuple(ValidatorIndex(i) for i in (0, 2, 3))


class AddressedRecorder(Recorder):
    """Knows also who was told what."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[ValidatorIndex, list[PeerMessage]] = {}

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        self.told.setdefault(to, []).append(message)

    def proposal_to(self, peer: ValidatorIndex) -> Proposal:
        (proposal,) = [m.proposal for m in self.told[peer] if isinstance(m, ProposalMessage)]
        return proposal


def replica(me: ValidatorIndex) -> tuple[Replica, AddressedRecorder]:
    recorder = AddressedRecorder()
    made = Replica(me, make_genesis(4), CheapSigner(me), CheapVerifier(), recorder, recorder)
    made.handle([Started()], START_MS)
    return made, recorder


def admit() -> AdmitReceived:
    transaction = transfer(0, 0)
    return AdmitReceived(Admit((transaction,), (SenderState(transaction.sender, 0, Wei(ETHER)),), Height(0)), 1)


def lie() -> tuple[Replica, AddressedRecorder]:
    """The liar, having led round 1."""
    liar, recorder = replica(LIAR)
    liar.equivocator.begin(1)
    liar.handle([admit()], START_MS)
    return liar, recorder


def test_without_a_request_everyone_is_told_the_same() -> None:
    honest, recorder = replica(LIAR)
    honest.handle([admit()], START_MS)
    assert len({recorder.proposal_to(peer).id for peer in OTHERS}) == 1


def test_each_half_is_told_another_proposal_and_everyone_both_votes() -> None:
    _, recorder = lie()
    first, same, twin = (recorder.proposal_to(peer) for peer in OTHERS)
    assert first == same
    assert (twin.round, twin.parent, twin.transactions) == (first.round, first.parent, first.transactions)
    assert twin.id != first.id
    for peer in OTHERS:
        votes = [m.proposal for m in recorder.told[peer] if isinstance(m, Vote)]
        assert votes == [first.id, twin.id]


def test_the_others_take_either_proposal_and_report_whoever_signed_both() -> None:
    _, recorder = lie()
    for peer in OTHERS:
        other, _ = replica(peer)
        for message in recorder.told[peer]:
            other.handle([MessageReceived(LIAR, message)], START_MS)
        assert other.rejections.of(LIAR, Equivocation.__name__) == 1
        safety = other.store.recover(3, SafetyData).safety
        assert safety is not None
        assert safety.vote.proposal == recorder.proposal_to(peer).id, "it votes for the proposal that it got"


def test_the_liar_s_store_holds_only_the_first_proposal_and_the_vote_for_it() -> None:
    liar, recorder = lie()
    first = recorder.proposal_to(OTHERS[0])
    kept = liar.store.recover(3, SafetyData)
    assert kept.uncommitted == (first,)
    assert kept.safety is not None
    assert kept.safety.vote.proposal == first.id
    assert kept.safety.last_voted_round == first.round, "in no round up to the lie will it sign anything again"


def test_it_is_honest_again_after_as_many_turns_as_were_asked_for() -> None:
    world = LoneCore()
    equivocator = Equivocator(LIAR, world.genesis, CheapSigner(LIAR))
    equivocator.begin(2)
    said = Send(OTHERS, world.signed(world.proposal(1)))
    honestly = [(peer, said.message) for peer in OTHERS]
    for _ in range(2):
        assert list(equivocator.addressed(said)) != honestly
    assert list(equivocator.addressed(said)) == honestly


def test_a_turn_without_a_block_is_doubled_by_an_empty_block_that_the_others_could_take() -> None:
    world = LoneCore()
    first = world.proposal(1, transactions=(transfer(0, 0).raw,))
    empty = world.proposal(2, world.certificate(first), takes_height=False)
    liar = ValidatorIndex(2)
    equivocator = Equivocator(liar, world.genesis, CheapSigner(liar))
    equivocator.begin(1)
    others = (ValidatorIndex(0), ValidatorIndex(1), ValidatorIndex(3))
    equivocator.now_ms = START_MS + 5
    said = equivocator.addressed(Send(others, world.signed(empty)))
    told = {peer: message for peer, message in said if isinstance(message, ProposalMessage)}
    assert told[others[0]].proposal == told[others[1]].proposal == empty
    twin = told[others[2]].proposal
    assert twin.takes_height
    assert twin.transactions == ()
    taker, _ = replica(ValidatorIndex(3))
    for message in (world.signed(first), told[others[2]]):
        taker.handle([MessageReceived(message.proposal.proposer, message)], START_MS + 10)
    assert taker.rejections.as_dict() == {}
    assert taker.core.status().proposed == twin.height


def test_with_two_validators_there_is_nobody_to_tell_something_else() -> None:
    genesis = make_genesis(2)
    with pytest.raises(CannotEquivocate, match="takes 3 validators, this chain has 2"):
        Equivocator(LIAR, genesis, CheapSigner(LIAR)).begin(1)
