"""Whose turn it is to propose."""

from typing import Protocol

from chain.types import Round, ValidatorIndex


class LeaderSchedule(Protocol):
    """Every replica must get the same leader for the same round."""

    def leader(self, round: Round) -> ValidatorIndex: ...


class RoundRobin:
    """One after the other, whatever their stake."""

    def __init__(self, validators: int) -> None:
        self._validators = validators

    def leader(self, round: Round) -> ValidatorIndex:
        return ValidatorIndex(round % self._validators)
