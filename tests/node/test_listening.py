"""The socket between validators believes proven names only, and tells what it refuses and whose it was."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import pytest
import zmq

from chain.codec import decode_message, encode_message
from chain.messages.link import Done
from node.queues.asking import AskingSocket, identity_of
from node.queues.frames import Kind, head
from node.queues.listening import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, ListeningSocket, Sender

Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"
DEADLINE_S = 5.0
PROOF = b"proof"


class Ear:
    """Believes every name with the right proof; counts what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.refused: Counter[str] = Counter()
        self.checked = 0
        self.changed = asyncio.Event()

    def sender(self, name: str, life: bytes, proof: bytes) -> Sender:
        self.checked += 1
        return int(name.rpartition("-")[2]) if proof == PROOF else None

    def take(self, sender: int, payload: bytes) -> None:
        self.heard.append((sender, payload))
        self.changed.set()

    def refuse_malformed(self, sender: int) -> None:
        self._refuse(f"{sender} malformed")

    def refuse_oversized(self, sender: int, size: int) -> None:
        self._refuse(f"{sender} oversized {size}")

    def refuse_stranger(self, name: str) -> None:
        self._refuse(f"{name} stranger")

    def _refuse(self, what: str) -> None:
        self.refused[what] += 1
        self.changed.set()

    async def until(self, what: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not self.refused[what]:
                self.changed.clear()
                await self.changed.wait()

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.heard) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    context: Context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/q"


def raw_dealer(context: Context, endpoint: str, proof: bytes = PROOF) -> "zmq.Socket[bytes]":
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    dealer.set(zmq.IDENTITY, identity_of("validator-2", lambda _: proof))
    dealer.connect(endpoint)
    return dealer


async def test_messages_of_a_proven_link_arrive_in_order_and_its_name_is_checked_once(
    context: Context, endpoint: str
) -> None:
    ear, connected = Ear(), asyncio.Event()
    listening = ListeningSocket(context, endpoint, ear)
    link = AskingSocket(
        context, endpoint, "validator-2", lambda up: connected.set() if up else None, prove=lambda _: PROOF
    )
    await asyncio.wait_for(connected.wait(), DEADLINE_S)
    assert all(link.notify(Done()) for _ in range(300))
    await ear.hears(300)
    assert {sender for sender, _ in ear.heard} == {2}
    assert decode_message(ear.heard[0][1]) == Done()
    assert ear.checked == 1
    await link.close()
    await listening.close()


async def test_a_stranger_is_never_welcomed_and_what_it_sends_is_counted(context: Context, endpoint: str) -> None:
    ear = Ear()
    listening = ListeningSocket(context, endpoint, ear)
    stranger = AskingSocket(context, endpoint, "validator-2")
    liar = raw_dealer(context, endpoint, proof=b"forged")
    for _ in range(50):
        liar.send_multipart([head(Kind.NOTIFY), encode_message(Done())])
    async with asyncio.timeout(DEADLINE_S):
        while ear.refused["validator-2 stranger"] < 51:
            ear.changed.clear()
            await ear.changed.wait()
    assert not stranger.connected
    assert ear.heard == []
    assert ear.checked == 2, "a flood costs one check for each connection"
    liar.close()
    await stranger.close()
    await listening.close()


async def test_what_is_no_notice_is_counted_as_malformed(context: Context, endpoint: str) -> None:
    ear = Ear()
    listening = ListeningSocket(context, endpoint, ear)
    dealer = raw_dealer(context, endpoint)
    frames: list[list[bytes]] = [
        [b"x"],
        [b"", b"", b"", b""],
        [b"short", b"message"],
        [head(Kind.REQUEST), b"message"],
        [b"\xff" * 9, b"message"],
    ]
    for frame in frames:
        dealer.send_multipart(frame)
    dealer.send_multipart([head(Kind.NOTIFY), b"good"])
    await ear.hears(1)
    assert ear.refused == {"2 malformed": len(frames)}
    dealer.close()
    await listening.close()


async def test_an_oversized_message_is_counted_and_a_larger_frame_ends_only_its_connection(
    context: Context, endpoint: str
) -> None:
    ear = Ear()
    listening = ListeningSocket(context, endpoint, ear)
    rude, polite = raw_dealer(context, endpoint), raw_dealer(context, endpoint)
    rude.send_multipart([head(Kind.NOTIFY), bytes(MAX_MESSAGE_BYTES + 1)])
    await ear.until(f"2 oversized {MAX_MESSAGE_BYTES + 1}")
    rude.send_multipart([head(Kind.NOTIFY), bytes(MAX_FRAME_BYTES + 1)])
    polite.send_multipart([head(Kind.NOTIFY), bytes(MAX_MESSAGE_BYTES)])
    await ear.hears(1)
    assert [len(payload) for _, payload in ear.heard] == [MAX_MESSAGE_BYTES]
    rude.close()
    polite.close()
    await listening.close()
