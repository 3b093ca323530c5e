"""What peers send to a validator process is bounded, counted, and never stops it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from chain.codec import encode_message
from chain.messages.link import Done
from chain.messages.mempool import FollowCommits
from chain.proposals import Certificate, SignedVote
from chain.types import Hash32, Round, ValidatorIndex
from consensus.process import ValidatorProcess
from consensus.wire import SyncInfo, Vote
from tests.consensus.builders import CrashableDatabase, transfer
from tests.consensus.processes import KEYS, Follower, LoopbackPeers, admit, genesis_of, result_of


async def turns_end(process: ValidatorProcess) -> None:
    for _ in range(100_000):
        if process._turn is None:
            return
        await asyncio.sleep(0)
    raise AssertionError("the inbox does not empty")


async def test_bad_messages_are_dropped_and_counted_by_peer_and_reason(
    chain: Callable[[int], list[ValidatorProcess]], caplog: pytest.LogCaptureFixture
) -> None:
    (process, *_) = chain(4)

    def bad(peer: int) -> dict[str, bytes]:
        vote = Vote(Round(1), Hash32(b"p" * 32), ValidatorIndex(peer), bytes(64))
        nobodys = Certificate(Hash32(b"p" * 32), Round(1), (SignedVote(ValidatorIndex(9), bytes(64)),))
        return {
            "MalformedMessage": b"\xc1",
            "NotAPeerMessage": encode_message(Done()),
            "WrongSignature": encode_message(vote),
            "OutOfWindow": encode_message(replace(vote, round=Round(10**6))),
            "SecondHand": encode_message(replace(vote, validator=ValidatorIndex(1))),
            "UnknownValidator": encode_message(SyncInfo(nobodys, None)),
        }

    for peer in (2, 3):
        for payload in bad(peer).values():
            for _ in range(20):
                process.receive(ValidatorIndex(peer), payload)
    await turns_end(process)
    assert process.rejections() == {(peer, reason): 20 for peer in (2, 3) for reason in bad(peer)}
    assert len(caplog.messages) == 2 * 2 * len(bad(2)), "the first and the tenth are logged"
    told = {(r.peer, r.reason): r.times for r in process.status().rejections}
    assert told == process.rejections()


async def test_a_flood_of_one_peer_is_bounded_and_the_chain_goes_on_meanwhile(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    processes = chain(4)
    commits = Follower()
    await processes[0].answer(FollowCommits(genesis_of(4).id()), commits)
    garbage = encode_message(Vote(Round(1), Hash32(b"p" * 32), ValidatorIndex(3), bytes(64)))
    for nonce in range(5):
        for process in processes[:3]:
            for _ in range(3_000):
                process.receive(ValidatorIndex(3), garbage)
        transaction = transfer(0, nonce)
        for process in processes:
            await process.answer(admit(transaction), commits)
        committed = await commits.next()
        assert committed.height == nonce + 1
        for process in processes:
            await process.answer(result_of(committed, transaction), commits)
    assert processes[0].rejections()[(3, "Flooded")] > 1_000
    assert processes[0].status().dropped_frames == processes[0].rejections()[(3, "Flooded")]


async def test_no_bytes_from_a_peer_stop_a_validator(chain: Callable[[int], list[ValidatorProcess]]) -> None:
    """Messages as they were said on a chain of two, with bytes changed, cut and put in, from one seed."""
    seed = 7
    random = Random(seed)
    said: list[bytes] = []
    processes = chain(2)
    peers = processes[1]._peers
    deliver = peers.send

    def overheard(to: ValidatorIndex, message: Any) -> None:
        said.append(encode_message(message))
        deliver(to, message)

    peers.send = overheard  # type: ignore[method-assign]
    commits = Follower()
    await processes[0].answer(FollowCommits(genesis_of(2).id()), commits)
    for process in processes:
        await process.answer(admit(transfer(0, 0)), commits)
    await commits.next()
    victim = ValidatorProcess(ValidatorIndex(0), genesis_of(2), KEYS[0], CrashableDatabase(), LoopbackPeers(0, []))
    victim.start()
    for _ in range(3_000):
        payload = bytearray(random.choice(said))
        for _ in range(random.randint(0, 3)):
            at = random.randrange(len(payload))
            payload[at : at + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
        victim.receive(ValidatorIndex(1), bytes(payload))
        await asyncio.sleep(0)
    await turns_end(victim)
    assert not victim._closed, f"seed {seed}"
    assert victim.rejections(), f"seed {seed}"
    await victim.close()
