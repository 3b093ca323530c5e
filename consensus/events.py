"""What happens to a replica. Time comes with each event, as the second argument of `handle`."""

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import TypeAlias

from chain.messages import Message
from chain.proposals import ExecutedBlock
from chain.types import ValidatorIndex

PeerMessage: TypeAlias = Message
"""One of the rule set's messages (`consensus.rules.RuleSet.messages`)."""


class Timer(IntEnum):
    """What a replica may wait for."""

    ROUND = auto()
    BLOCK_INTERVAL = auto()
    FETCH = auto()
    UNHURRIED = auto()
    """A leader waits for a block that could carry the newest result, or for a reason to believe who gave up."""
    GATHER = auto()
    """A leader looks whether transactions still come that the next block could hold."""
    SECOND_COUNTER = auto()
    """A vote has led to nothing yet: the next leader may be gone."""
    ANNOUNCE = auto()
    """A leader that completed a certificate waits for a proposal that would carry it."""


@dataclass(frozen=True, slots=True)
class Started:
    """The replica's state is loaded; it may act."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """From the peer at the other end of a link; who signed what is checked inside."""

    sender: ValidatorIndex
    message: PeerMessage


@dataclass(frozen=True, slots=True)
class PeerConnected:
    peer: ValidatorIndex


@dataclass(frozen=True, slots=True)
class TimerFired:
    """`token` is that of the SetTimer; one that was replaced or cancelled meanwhile is ignored."""

    timer: Timer
    token: int


@dataclass(frozen=True, slots=True)
class PayloadChanged:
    """The mempool took or lost transactions."""


@dataclass(frozen=True, slots=True)
class ResultReceived:
    """Execution finished a block. The mempool has heard of it already."""

    executed: ExecutedBlock


Event: TypeAlias = Started | MessageReceived | PeerConnected | TimerFired | PayloadChanged | ResultReceived
