"""The socket between validators believes proven names only, and tells what it refuses and whose it was."""

import asyncio
import contextlib
import socket as sockets
from collections import Counter
from pathlib import Path

import pytest

from chain.codec import decode_message, encode_message
from chain.messages.link import Done
from node.queues.asking import AskingSocket, identity_of
from node.queues.dialing import UNIX
from node.queues.frames import HEAD, Kind, frame
from node.queues.listening import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, ListeningSocket, Sender

DEADLINE_S = 60.0
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
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/q"


class Raw:
    """A connection that sends what it likes."""

    def __init__(self, endpoint: str, proof: bytes = PROOF) -> None:
        self._socket = sockets.socket(sockets.AF_UNIX)
        self._socket.connect(endpoint.removeprefix(UNIX))
        self._socket.sendall(frame(Kind.HELLO, 0, identity_of("validator-2", lambda _: proof)))

    async def send(self, data: bytes) -> None:
        """As far as it is taken."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._socket.sendall, data)

    def close(self) -> None:
        self._socket.close()


async def test_messages_of_a_proven_link_arrive_in_order_and_its_name_is_checked_once(endpoint: str) -> None:
    ear, connected = Ear(), asyncio.Event()
    listening = ListeningSocket(endpoint, ear)
    link = AskingSocket(endpoint, "validator-2", lambda up: connected.set() if up else None, prove=lambda _: PROOF)
    await asyncio.wait_for(connected.wait(), DEADLINE_S)
    assert all(link.notify(Done()) for _ in range(300))
    await ear.hears(300)
    assert {sender for sender, _ in ear.heard} == {2}
    assert decode_message(ear.heard[0][1]) == Done()
    assert ear.checked == 1
    await link.close()
    await listening.close()


async def test_a_stranger_is_never_welcomed_and_what_it_sends_is_counted(endpoint: str) -> None:
    ear = Ear()
    listening = ListeningSocket(endpoint, ear)
    stranger = AskingSocket(endpoint, "validator-2")
    liar = Raw(endpoint, proof=b"forged")
    for _ in range(50):
        await liar.send(frame(Kind.NOTIFY, 0, encode_message(Done())))
    async with asyncio.timeout(DEADLINE_S):
        while ear.refused["validator-2 stranger"] < 52:
            ear.changed.clear()
            await ear.changed.wait()
    assert not stranger.connected
    assert ear.heard == []
    assert ear.checked == 2, "a flood costs one check for each connection"
    liar.close()
    await stranger.close()
    await listening.close()


async def test_what_is_no_notice_is_counted_as_malformed(endpoint: str) -> None:
    ear = Ear()
    listening = ListeningSocket(endpoint, ear)
    raw = Raw(endpoint)
    frames = [
        frame(99, 0, b"x"),
        frame(Kind.HELLO, 0, identity_of("validator-2", lambda _: PROOF)),
        frame(Kind.REQUEST, 1, b"message"),
        frame(Kind.FOLLOW),
        frame(0xFF, 2**64 - 1, b"message"),
    ]
    for each in frames:
        await raw.send(each)
    await raw.send(frame(Kind.NOTIFY, 0, b"good"))
    await ear.hears(1)
    assert ear.refused == {"2 malformed": len(frames)}
    raw.close()
    await listening.close()


async def test_an_oversized_message_is_counted_and_a_larger_frame_ends_only_its_connection(endpoint: str) -> None:
    ear = Ear()
    listening = ListeningSocket(endpoint, ear)
    rude, polite = Raw(endpoint), Raw(endpoint)
    await rude.send(frame(Kind.NOTIFY, 0, bytes(MAX_MESSAGE_BYTES + 1)))
    await ear.until(f"2 oversized {MAX_MESSAGE_BYTES + 1}")
    await rude.send(HEAD.pack(MAX_FRAME_BYTES + 1, Kind.NOTIFY, 0) + bytes(100))
    await polite.send(frame(Kind.NOTIFY, 0, bytes(MAX_MESSAGE_BYTES)))
    await ear.hears(1)
    assert [len(payload) for _, payload in ear.heard] == [MAX_MESSAGE_BYTES]
    rude.close()
    polite.close()
    await listening.close()
