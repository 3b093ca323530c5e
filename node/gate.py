"""`--fail-if 'speedup<1.5'`: a condition on what a report measured, for users' continuous integration. Pure."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from node.errors import NodeError

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
METRICS: Mapping[str, str] = {
    "speedup": "serial time over execution time",
    "transactions": "in the blocks, those left out too",
    "left_out": "transactions of the proposals that are not in the blocks",
    "attempts": "runs of transactions",
    "conflicts": "runs that lost",
    "conflict_rate": "conflicts for each transaction",
    "waits": "waits of one transaction for another",
    "held_up": "transactions that lost or waited",
    "held_up_rate": "their share of the transactions",
    "lost_ms": "spent on runs that did not count, and on waiting",
    "gas": "used",
    "execution_ms": "the execution of all the blocks",
    "serial_ms": "their serial execution, measured or estimated",
    "critical_path_ms": "the longest chain of real dependencies; of one block only",
    "critical_path_share": "its share of the serial time; of one block only",
}
SHARES = frozenset({"held_up_rate"})
"""These are never above 1: a bound of 20 was meant to be 20%, and would never be met."""
_CONDITION = re.compile(r"\s*([a-z_]+)\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)\s*(%?)\s*")


class BadCondition(NodeError):
    exit_code = 2

    def __init__(self, text: str, wrong: str) -> None:
        super().__init__(
            f"--fail-if {text!r}: {wrong}: write one like 'speedup<1.5' or 'conflict_rate>10%' with "
            f"{', '.join(OPERATORS)} and one of {', '.join(METRICS)}"
        )


class GateFailed(NodeError):
    """A condition to fail on holds."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a user does not want: `metric` compared with `bound`."""

    text: str
    metric: str
    comparison: str
    bound: float

    def failure(self, metrics: Mapping[str, float | None]) -> str | None:
        """Why it fails; None if all is well. What cannot be told fails too, for a gate must not pass unseen."""
        value = metrics[self.metric]
        if value is None:
            meaning = METRICS[self.metric]
            return f"{self.metric} ({meaning}) is not known here, so that {self.text!r} cannot be judged"
        if not OPERATORS[self.comparison](value, self.bound):
            return None
        apart = abs(value - self.bound)
        return f"{self.metric} is {value:g}, and to fail on is {self.text!r}" + (f": {apart:g} apart" if apart else "")


def condition(text: str) -> Condition:
    """The condition a user typed. Raises BadCondition."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise BadCondition(text, "not a comparison")
    metric, comparison, number, percent = found.groups()
    if metric not in METRICS:
        raise BadCondition(text, f"there is no {metric!r}")
    bound = float(number) / (100 if percent else 1)
    if metric in SHARES and bound > 1:
        raise BadCondition(text, f"{metric} is a share, at most 1 or 100%")
    return Condition(text.strip(), metric, comparison, bound)


def failures(conditions: Sequence[Condition], metrics: Mapping[str, float | None]) -> list[str]:
    return [words for each in conditions if (words := each.failure(metrics)) is not None]
