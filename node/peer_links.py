"""The links of a validator to the others, with the faults that a user has put on them."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chain.codec import encode_message
from chain.messages import Message
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ValidatorIndex

DELAYED_BYTES = 8 * 1024 * 1024
"""Messages on their slow way to one peer; beyond it the oldest goes and is counted, as in a full socket's queue."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """What this needs of an event loop."""

    def time(self) -> float:
        """Seconds since some moment."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer: ...


class PeerLink(Protocol):
    """What this needs of the socket to a peer (see node.queues.asking)."""

    def notify_encoded(self, payload: bytes) -> bool: ...

    @property
    def connected(self) -> bool: ...

    @property
    def queued_bytes(self) -> int: ...

    @property
    def dropped_frames(self) -> int: ...


class LinkFaults:
    """What happens to each message from `me` to `peer`. The same messages in the same order have the same fate."""

    def __init__(self, me: ValidatorIndex, peer: ValidatorIndex) -> None:
        self._me, self._peer = me, peer
        self._random = random.Random(f"{me} to {peer}")
        self.set(WHOLE_NETWORK)

    def set(self, faults: NetworkFaults) -> None:
        self.cut = faults.cuts(self._me, self._peer)
        self.delay_ms = faults.delay_ms(self._me, self._peer)
        self._passing_probability = faults.passing_probability(self._me, self._peer)

    @property
    def loses_some(self) -> bool:
        return self.cut or self._passing_probability < 1

    def loses_next(self) -> bool:
        """Whether the next message is lost."""
        return self.loses_some and (self.cut or self._random.random() >= self._passing_probability)


@dataclass(frozen=True, slots=True)
class _Delayed:
    payload: bytes
    sent_at: float


class SlowWay:
    """Messages that take `delay_ms` to be delivered, in their order. One timer runs while any is on its way."""

    def __init__(self, deliver: Callable[[bytes], object], clock: Clock) -> None:
        self._deliver = deliver
        self._clock = clock
        self._delay_ms = 0
        self._waiting: deque[_Delayed] = deque()
        self._timer: Timer | None = None
        self.size_bytes = 0
        self.dropped = 0

    def set_delay(self, delay_ms: int) -> None:
        """Of those on their way too."""
        self._delay_ms = delay_ms
        self._deliver_due()

    def send(self, payload: bytes) -> None:
        if not self._delay_ms:
            self._deliver(payload)
            return
        self._waiting.append(_Delayed(payload, self._clock.time()))
        self.size_bytes += len(payload)
        while self.size_bytes > DELAYED_BYTES:
            self.size_bytes -= len(self._waiting.popleft().payload)
            self.dropped += 1
        if self._timer is None:
            self._deliver_due()

    def lose_all(self) -> None:
        """What is on its way never arrives."""
        self._waiting.clear()
        self.size_bytes = 0
        self._stop_timer()

    def _deliver_due(self) -> None:
        self._stop_timer()
        latest = self._clock.time() - self._delay_ms / 1000
        while self._waiting and self._waiting[0].sent_at <= latest:
            delayed = self._waiting.popleft()
            self.size_bytes -= len(delayed.payload)
            self._deliver(delayed.payload)
        if self._waiting:
            self._timer = self._clock.call_at(self._waiting[0].sent_at + self._delay_ms / 1000, self._deliver_due)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Way:
    """The way to one peer: the socket, and what hampers it."""

    def __init__(self, me: ValidatorIndex, peer: ValidatorIndex, link: PeerLink, clock: Clock) -> None:
        self.link = link
        self.faults = LinkFaults(me, peer)
        self.slow = SlowWay(link.notify_encoded, clock)

    def send(self, payload: bytes) -> None:
        if not self.faults.loses_next():
            self.slow.send(payload)

    def set(self, faults: NetworkFaults) -> bool:
        """Whether messages may have been lost here, and are not lost any more."""
        lost = self.faults.loses_some
        self.faults.set(faults)
        if self.faults.cut:
            self.slow.lose_all()
        self.slow.set_delay(self.faults.delay_ms)
        return lost and not self.faults.loses_some


class PeerLinks:
    """The links to the other validators (implements consensus.process.Peers)."""

    def __init__(self, me: ValidatorIndex, clock: Clock) -> None:
        self._me = me
        self._clock = clock
        self._ways: dict[ValidatorIndex, _Way] = {}
        self._faults = WHOLE_NETWORK
        self._encoded: tuple[Message | None, bytes] = None, b""
        """What was sent last: mostly it goes to all peers."""

    def add(self, peer: ValidatorIndex, link: PeerLink) -> None:
        way = self._ways[peer] = _Way(self._me, peer, link, self._clock)
        way.set(self._faults)

    def set_faults(self, faults: NetworkFaults) -> list[ValidatorIndex]:
        """Has these in force from now on; the peers to whom messages were lost, and are not any more."""
        self._faults = faults
        return [peer for peer, way in self._ways.items() if way.set(faults)]

    def send(self, to: ValidatorIndex, message: Message) -> None:
        way = self._ways.get(to)
        if way is None:
            return
        if self._encoded[0] is not message:
            self._encoded = message, encode_message(message)
        way.send(self._encoded[1])

    @property
    def connected(self) -> int:
        return sum(way.link.connected for way in self._ways.values())

    @property
    def queued_bytes(self) -> int:
        return sum(way.link.queued_bytes + way.slow.size_bytes for way in self._ways.values())

    @property
    def dropped_frames(self) -> int:
        return sum(way.link.dropped_frames + way.slow.dropped for way in self._ways.values())
