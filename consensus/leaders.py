"""Whose turn it is to propose."""

from collections.abc import Sequence
from math import gcd
from typing import Protocol

from chain.types import Round, ValidatorIndex


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
    and pays the total. After as many turns as the stakes, without their common divisor, sum up to, it repeats.
    """

    def __init__(self, stakes: Sequence[int]) -> None:
        divisor = gcd(*stakes)
        weights = [stake // divisor for stake in stakes]
        total = sum(weights)
        credit = [0] * len(weights)
        cycle = []
        for _ in range(total):
            credit = [have + gain for have, gain in zip(credit, weights, strict=True)]
            richest = max(range(len(credit)), key=credit.__getitem__)
            credit[richest] -= total
            cycle.append(ValidatorIndex(richest))
        self._cycle = cycle

    def leader(self, round: Round) -> ValidatorIndex:
        return self._cycle[round % len(self._cycle)]
