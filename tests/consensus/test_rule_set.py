"""A rule set with messages and a safety record of its own runs in the store, the replica and the process there are."""

import asyncio
from typing import Any

import pytest

from chain.codec import encode_message
from chain.messages.mempool import Admit, SenderState
from chain.proposals import CommitProof
from chain.types import Hash32, Height, Round, ValidatorIndex, Wei
from consensus.errors import ConsensusError
from consensus.events import MessageReceived, PeerMessage, Started, Timer
from consensus.process import ValidatorProcess
from consensus.registry import RULE_SETS, rule_set
from consensus.replica import AdmitReceived, Replica
from consensus.signatures import Ed25519Signer
from consensus.wire import Vote
from tests.consensus.authority import ProofOfAuthority, Sealed, Sealing
from tests.consensus.builders import (
    ETHER,
    START_MS,
    CheapSigner,
    CheapVerifier,
    CrashableDatabase,
    make_genesis,
    transfer,
)

GENESIS = make_genesis(2, rules="authority")


class Recorder:
    """What the replica wants of the world."""

    def __init__(self) -> None:
        self.sent: list[PeerMessage] = []
        self.reported: list[ConsensusError] = []

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        self.sent.append(message)

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None:
        raise AssertionError("an authority waits for nothing")

    def cancel_timer(self, timer: Timer) -> None:
        raise AssertionError("an authority waits for nothing")

    def admitted(self, ticket: int, answer: object) -> None: ...

    def evicted(self, transactions: object) -> None: ...

    def blocks_committed(self, proof: CommitProof | None) -> None: ...

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        self.reported.append(error)


def started(me: int, database: CrashableDatabase) -> tuple[Replica, Recorder]:
    index, recorder = ValidatorIndex(me), Recorder()
    signer, verifier = CheapSigner(me), CheapVerifier()
    replica = Replica(index, GENESIS, signer, verifier, database, recorder, rules=ProofOfAuthority())
    replica.handle([Started()], START_MS)
    return replica, recorder


def admit(nonce: int) -> AdmitReceived:
    transaction = transfer(0, nonce)
    state = SenderState(transaction.sender, 0, Wei(ETHER))
    return AdmitReceived(Admit((transaction,), (state,), Height(0)), 1)


def test_its_own_messages_carry_the_chain_and_its_own_record_survives_a_restart() -> None:
    disks = CrashableDatabase(), CrashableDatabase()
    authority, said = started(0, disks[0])
    follower, _ = started(1, disks[1])
    authority.handle([admit(0)], START_MS)
    (sealed,) = said.sent
    assert isinstance(sealed, Sealed)
    follower.handle([MessageReceived(ValidatorIndex(0), sealed)], START_MS)
    assert authority.store.id_at_depth(1) == follower.store.id_at_depth(1) == sealed.proposal.id

    again, said = started(0, disks[0])
    assert again.store.recover(3, Sealing).safety == Sealing(Round(1))
    again.handle([admit(1)], START_MS)
    (second,) = said.sent
    assert (second.proposal.round, second.proposal.parent) == (2, sealed.proposal.id)
    follower.handle([MessageReceived(ValidatorIndex(0), second)], START_MS)
    assert follower.store.committed_depth == 2


def test_what_it_refuses_is_counted_like_any_other_refusal() -> None:
    authority, said = started(0, CrashableDatabase())
    follower, reported = started(1, CrashableDatabase())
    authority.handle([admit(0)], START_MS)
    forged = Sealed(said.sent[0].proposal, bytes(64))
    follower.handle([MessageReceived(ValidatorIndex(0), forged)], START_MS)
    assert follower.rejections.as_dict() == {(0, "WrongSignature"): 1}
    assert [type(error).__name__ for error in reported.reported] == ["WrongSignature"]


class NoPeers:
    connected = queued_bytes = dropped_frames = 0

    def send(self, to: ValidatorIndex, message: Any) -> None: ...


async def test_the_process_lets_in_the_messages_of_its_rule_set_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RULE_SETS, "authority", ("tests.consensus.authority", "ProofOfAuthority"))
    assert rule_set("authority").name == "authority"
    authority, said = started(0, CrashableDatabase())
    authority.handle([admit(0)], START_MS)
    keys = [bytes((i + 1,)) * 32 for i in range(2)]
    genesis = make_genesis(2, rules="authority", public_keys=tuple(Ed25519Signer(key).public_key for key in keys))
    process = ValidatorProcess(ValidatorIndex(1), genesis, keys[1], CrashableDatabase(), NoPeers())
    vote = Vote(Round(1), Hash32(b"p" * 32), ValidatorIndex(0), bytes(64))
    process.receive(ValidatorIndex(0), encode_message(vote))
    process.receive(ValidatorIndex(0), encode_message(said.sent[0]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert process.rejections() == {(0, "NotAPeerMessage"): 1, (0, "WrongSignature"): 1}
    await process.close()
