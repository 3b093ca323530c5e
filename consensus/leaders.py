"""Whose turn it is to propose."""

from collections.abc import Sequence
from math import gcd
from typing import Protocol

from chain.types import Round, ValidatorIndex
from consensus.errors import StakesTooFine

MAX_TURNS = 10_000
"""A bound on how long a weighted cycle may be: it is kept in memory."""


class LeaderSchedule(Protocol):
    """Every replica must get the same leader for the same round."""

    def leader(self, round: Round) -> ValidatorIndex: ...


class RoundRobin:
    """One after the other, whatever their stake."""

    def __init__(self, stakes: Sequence[int]) -> None:
        self._validators = len(stakes)

    def leader(self, round: Round) -> ValidatorIndex:
        return ValidatorIndex(round % self._validators)


class Weighted:
    """Turns in proportion to stake, each validator's as evenly spread as they go; equal stakes take plain turns.

    The cycle is that of smooth weighted round-robin (nginx, 2012): every turn all gain their stake, the richest leads
    and pays the total. Then it repeats, so a round's leader is one look-up. Raises StakesTooFine.
    """

    def __init__(self, stakes: Sequence[int]) -> None:
        turns = turns_of(stakes)
        if turns > MAX_TURNS:
            raise StakesTooFine(turns, MAX_TURNS)
        gain = [stake * turns // sum(stakes) for stake in stakes]
        credit = [0] * len(stakes)
        self._cycle: list[ValidatorIndex] = []
        for _ in range(turns):
            credit = [have + more for have, more in zip(credit, gain, strict=True)]
            richest = max(range(len(credit)), key=credit.__getitem__)
            credit[richest] -= turns
            self._cycle.append(ValidatorIndex(richest))

    def leader(self, round: Round) -> ValidatorIndex:
        return self._cycle[round % len(self._cycle)]


def turns_of(stakes: Sequence[int]) -> int:
    """How many turns a weighted cycle takes: the sum of the stakes without their common divisor."""
    return sum(stakes) // gcd(*stakes)
