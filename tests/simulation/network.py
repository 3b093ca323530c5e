"""The links between replicas: late, lossy, repeating, corrupting, and cut."""

import random
from collections import Counter
from collections.abc import Iterable

from chain.codec import MessageError, decode_message, encode_message
from consensus.events import PeerMessage
from tests.simulation.scenario import Rates

SHORTEST_DELAY_US = 20


class Network:
    """Slots are processes: two of them may share one validator's identity."""

    def __init__(self, rates: Rates, chance: random.Random, counts: Counter[str]) -> None:
        self._chance = chance
        self._counts = counts
        self._cut: set[tuple[int, int]] = set()
        self.change(rates)

    def change(self, rates: Rates) -> None:
        self.rates = rates
        self._drops = dict(rates.drops)

    def delay_us(self) -> int:
        return SHORTEST_DELAY_US + int(self._chance.random() * self.rates.delay_us)

    def copies(self, message: PeerMessage) -> list[PeerMessage]:
        """What of a message arrives: nothing, itself, itself twice, or something else."""
        rates, chance = self.rates, self._chance.random
        arriving = [message]
        if chance() < self._drops.get(type(message).__name__, rates.drop):
            self._counts["messages lost"] += 1
            arriving.pop()
        if chance() < rates.duplicate:
            self._counts["messages repeated"] += 1
            arriving.append(message)
        if rates.corrupt and chance() < rates.corrupt:
            self._counts["messages corrupted"] += 1
            arriving = [other for one in arriving if (other := self._corrupted(one)) is not None]
        return arriving

    def reaches(self, sender: int, to: int) -> bool:
        return (sender, to) not in self._cut

    def connected(self, a: int, b: int) -> bool:
        """Whether a link comes up: both must hear each other."""
        return self.reaches(a, b) and self.reaches(b, a)

    def cut(self, senders: Iterable[int], receivers: Iterable[int]) -> None:
        """From now on these receivers hear nothing of these senders."""
        hearing = list(receivers)
        self._cut.update((sender, to) for sender in senders for to in hearing)

    def mend(self) -> None:
        self._cut.clear()

    def _corrupted(self, message: PeerMessage) -> PeerMessage | None:
        """One to three bits of its encoding flip. None if that is no message any more."""
        encoded = bytearray(encode_message(message))
        for _ in range(self._chance.randrange(1, 4)):
            encoded[self._chance.randrange(len(encoded))] ^= 1 << self._chance.randrange(8)
        try:
            return decode_message(bytes(encoded))
        except MessageError:
            self._counts["corrupted beyond decoding"] += 1
            return None
