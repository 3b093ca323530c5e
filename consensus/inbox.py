"""What waits for a validator's next turn: its own business, and what the other validators sent, each in its own share.

A peer that floods fills only its own share, where its oldest message goes, because timeouts and catching up make that
good. Shares are served in turn, a few messages each, so that everyone else's message waits for at most those. Messages
wait as bytes: what is dropped costs neither decoding nor the check of a signature, and the bound on memory is exact.
"""

from collections import deque
from collections.abc import Iterable

from chain.types import ValidatorIndex
from consensus.replica import AdmitReceived, Input

SHARE_MESSAGES = 1024
SHARE_BYTES = 8 * 1024 * 1024
"""The most of one peer that waits here. One message of the largest size fits."""
MAX_OWN = 64
TURN_TRANSACTIONS = 500
"""No further admission once a turn has these: 10 milliseconds, for which votes and proposals wait."""
TURN_MESSAGES = 8
TURN_BYTES = 1024 * 1024
"""What one peer may have handled in one turn: at least one message, then no more than these."""


class _Share:
    """The messages of one peer, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def put(self, payload: bytes) -> int:
        """Adds one, and says how many older ones had to go."""
        self._waiting.append(payload)
        self._bytes += len(payload)
        dropped = 0
        while len(self._waiting) > SHARE_MESSAGES or self._bytes > SHARE_BYTES:
            self._next()
            dropped += 1
        return dropped

    def take_turn(self) -> list[bytes]:
        taken = [self._next()]
        size = len(taken[0])
        while self._waiting and len(taken) < TURN_MESSAGES and size + len(self._waiting[0]) <= TURN_BYTES:
            taken.append(self._next())
            size += len(taken[-1])
        return taken

    def _next(self) -> bytes:
        payload = self._waiting.popleft()
        self._bytes -= len(payload)
        return payload


class Inbox:
    def __init__(self, peers: Iterable[ValidatorIndex]) -> None:
        self._own: deque[Input] = deque()
        self._shares = {peer: _Share() for peer in peers}

    def __bool__(self) -> bool:
        return bool(self._own) or any(self._shares.values())

    @property
    def peer_bytes(self) -> int:
        """What waits of all peers together."""
        return sum(share.size_bytes for share in self._shares.values())

    def put(self, item: Input) -> None:
        """Own business: timers, admissions, results. Whoever brings these waits for an answer, which bounds them."""
        self._own.append(item)

    def put_message(self, sender: ValidatorIndex, payload: bytes) -> int:
        """A peer's encoded message. Returns how many older ones of the same peer it pushed out."""
        return self._shares[sender].put(payload)

    def take(self) -> tuple[list[Input], list[tuple[ValidatorIndex, bytes]]]:
        """What one turn handles: own business first, then each peer's, oldest first."""
        own: list[Input] = []
        transactions = 0
        while self._own and len(own) < MAX_OWN and transactions < TURN_TRANSACTIONS:
            own.append(self._own.popleft())
            if isinstance(own[-1], AdmitReceived):
                transactions += len(own[-1].admit.transactions)
        messages = [(peer, payload) for peer, share in self._shares.items() if share for payload in share.take_turn()]
        return own, messages

    def clear(self) -> None:
        self._own.clear()
        self._shares = {peer: _Share() for peer in self._shares}
