"""Faults that a user puts on the network between the validators: what they mean for a message from one to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chain.types import ValidatorIndex


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """What is in force. `groups` is a partition of all validators, empty when there is none; if `one_way`, only what
    the first group says to the others is lost. Delays and losses are of everything that a validator says and hears.
    """

    groups: tuple[tuple[ValidatorIndex, ...], ...] = ()
    one_way: bool = False
    delays_ms: dict[ValidatorIndex, int] = field(default_factory=dict)
    drops_percent: dict[ValidatorIndex, float] = field(default_factory=dict)

    def cuts(self, sender: ValidatorIndex, receiver: ValidatorIndex) -> bool:
        """Whether nothing passes from one to the other."""
        if not self.groups:
            return False
        said_by, heard_by = self._group_of(sender), self._group_of(receiver)
        return said_by != heard_by and (said_by == 0 or not self.one_way)

    def delay_ms(self, sender: ValidatorIndex, receiver: ValidatorIndex) -> int:
        """How long a message takes: it passes the slow link of either end."""
        return self.delays_ms.get(sender, 0) + self.delays_ms.get(receiver, 0)

    def passing_probability(self, sender: ValidatorIndex, receiver: ValidatorIndex) -> float:
        """How likely a message that is not cut arrives: it must survive the bad link of either end."""
        return _kept(self.drops_percent, sender) * _kept(self.drops_percent, receiver)

    def _group_of(self, validator: ValidatorIndex) -> int:
        return next(number for number, group in enumerate(self.groups) if validator in group)


WHOLE_NETWORK = NetworkFaults()


def _kept(drops_percent: Mapping[ValidatorIndex, float], validator: ValidatorIndex) -> float:
    return 1 - drops_percent.get(validator, 0.0) / 100
