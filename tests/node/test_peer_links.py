"""The links between validators with faults on them, against a clock that the test turns."""

import heapq
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from chain.codec import decode_message, encode_message
from chain.messages import Message
from chain.messages.mempool import Evicted
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ZERO_HASH, ValidatorIndex
from node.peer_links import DELAYED_BYTES, LinkFaults, PeerLinks

ME, NEAR, FAR = (ValidatorIndex(index) for index in range(3))
CUT_OFF = NetworkFaults(groups=((ME, NEAR), (FAR,)))
SLOW = NetworkFaults(delays_ms={FAR: 100})


class HandTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class HandClock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, HandTimer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> HandTimer:
        timer = HandTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def pass_ms(self, milliseconds: float) -> None:
        until = self.now + milliseconds / 1000 + 1e-9
        while self._timers and self._timers[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                timer.callback()
        self.now = until

    @property
    def running(self) -> int:
        return sum(timer.callback is not None for _, _, timer in self._timers)


class Wire:
    """A link's socket, which holds what was sent."""

    connected = True
    queued_bytes = 5
    dropped_frames = 0

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def notify_encoded(self, payload: bytes) -> bool:
        self.sent.append(decode_message(payload))
        return True


class World:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.wires = {NEAR: Wire(), FAR: Wire()}
        self.links = PeerLinks(ME, self.clock)
        for peer, wire in self.wires.items():
            self.links.add(peer, wire)

    def send(self, *texts: str) -> None:
        for text in texts:
            for peer in self.wires:
                self.links.send(peer, Evicted(ZERO_HASH, text))

    def arrived(self, peer: ValidatorIndex) -> list[str]:
        return [message.reason for message in self.wires[peer].sent]


def test_a_whole_network_passes_everything_on_at_once() -> None:
    world = World()
    world.send("a", "b")
    assert world.arrived(NEAR) == world.arrived(FAR) == ["a", "b"]
    assert world.links.connected == 2
    assert world.clock.running == 0


def test_nothing_passes_a_cut_and_everything_else_does() -> None:
    world = World()
    assert world.links.set_faults(CUT_OFF) == []
    world.send("a")
    assert (world.arrived(NEAR), world.arrived(FAR)) == (["a"], [])


def test_the_end_of_a_cut_names_the_peers_that_can_be_reached_again() -> None:
    world = World()
    world.links.set_faults(CUT_OFF)
    assert world.links.set_faults(WHOLE_NETWORK) == [FAR]
    assert world.links.set_faults(WHOLE_NETWORK) == []
    world.send("a")
    assert world.arrived(FAR) == ["a"]


def test_the_end_of_losses_names_the_peers_that_may_have_missed_something() -> None:
    world = World()
    lossy = NetworkFaults(drops_percent={FAR: 10.0})
    assert world.links.set_faults(lossy) == []
    assert world.links.set_faults(replace(lossy, groups=CUT_OFF.groups)) == []
    assert world.links.set_faults(lossy) == []
    assert world.links.set_faults(SLOW) == [FAR]


def test_a_link_made_during_a_fault_has_it() -> None:
    world = World()
    world.links.set_faults(CUT_OFF)
    wire = world.wires[FAR] = Wire()
    world.links.add(FAR, wire)
    world.send("a")
    assert wire.sent == []


def test_a_slow_link_delivers_late_and_in_order() -> None:
    world = World()
    world.links.set_faults(SLOW)
    world.send("a")
    world.clock.pass_ms(60)
    world.send("b")
    assert (world.arrived(NEAR), world.arrived(FAR)) == (["a", "b"], [])
    world.clock.pass_ms(40)
    assert world.arrived(FAR) == ["a"]
    world.clock.pass_ms(60)
    assert world.arrived(FAR) == ["a", "b"]
    assert world.clock.running == 0, "no timer runs when nothing is on its way"


def test_what_is_on_its_way_counts_as_queued() -> None:
    world = World()
    world.links.set_faults(SLOW)
    world.links.send(FAR, Evicted(ZERO_HASH, "a"))
    size_bytes = len(encode_message(Evicted(ZERO_HASH, "a")))
    assert world.links.queued_bytes == 2 * Wire.queued_bytes + size_bytes
    world.clock.pass_ms(100)
    assert world.links.queued_bytes == 2 * Wire.queued_bytes


def test_a_link_that_is_fast_again_delivers_what_was_on_its_way_first() -> None:
    world = World()
    world.links.set_faults(SLOW)
    world.send("a")
    world.links.set_faults(WHOLE_NETWORK)
    world.send("b")
    assert world.arrived(FAR) == ["a", "b"]
    assert world.clock.running == 0


def test_a_cut_loses_what_was_on_its_slow_way() -> None:
    world = World()
    world.links.set_faults(SLOW)
    world.send("a")
    world.links.set_faults(CUT_OFF)
    world.clock.pass_ms(1000)
    world.links.set_faults(WHOLE_NETWORK)
    assert world.arrived(FAR) == []


def test_messages_on_their_slow_way_are_bounded_and_the_oldest_go() -> None:
    world = World()
    world.links.set_faults(SLOW)
    big = "x" * (DELAYED_BYTES // 4)
    world.send(*(f"{number}{big}" for number in range(6)))
    assert world.links.queued_bytes <= 2 * Wire.queued_bytes + DELAYED_BYTES
    world.clock.pass_ms(100)
    assert [text[0] for text in world.arrived(FAR)] == ["3", "4", "5"]
    assert world.links.dropped_frames == 3


def test_a_bad_link_loses_its_share_and_the_same_messages_each_time() -> None:
    def losses() -> list[bool]:
        faults = LinkFaults(ME, FAR)
        faults.set(NetworkFaults(drops_percent={FAR: 30.0}))
        return [faults.loses_next() for _ in range(10_000)]

    first = losses()
    assert 2_800 < sum(first) < 3_200
    assert losses() == first


def test_a_loss_of_all_loses_all() -> None:
    faults = LinkFaults(ME, FAR)
    faults.set(NetworkFaults(drops_percent={ME: 100.0}))
    assert all(faults.loses_next() for _ in range(1_000))
