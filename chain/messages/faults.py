"""Faults on purpose: rpc tells the validators which network faults are in force, and the supervisor whom to stop."""

from dataclasses import dataclass
from enum import IntEnum

from chain.codec import message
from chain.network_faults import NetworkFaults


@message(120)
@dataclass(frozen=True, slots=True)
class SetNetworkFaults:
    """rpc → validator: from now on these, in place of those before. Answer: Done.

    `revision` grows with each change, so that a message that comes late undoes nothing. Also what the file holds from
    which a process that starts again learns what is in force.
    """

    revision: int
    faults: NetworkFaults


NO_ROOM = "no room"
"""The state of a process that could not write and waits for room on the disk."""


class ProcessAction(IntEnum):
    """What to do with a process of the chain."""

    KILL = 1
    PAUSE = 2
    RESUME = 3
    RESTART = 4


@message(121)
@dataclass(frozen=True, slots=True)
class ControlProcess:
    """rpc → supervisor: a process's name and what to do with it. Answer: Done once it is under way, or Failed."""

    name: str
    action: ProcessAction


@message(123)
@dataclass(frozen=True, slots=True)
class GivePlace:
    """rpc → supervisor: end this chain, and start the one that was made to take its place. Answer: Done."""


@message(129)
@dataclass(frozen=True, slots=True)
class Equivocate:
    """rpc → validator: sign two different proposals in your next `turns` turns as leader. Answer: Done."""

    turns: int
