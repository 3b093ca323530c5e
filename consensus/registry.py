"""The rule sets and leader schedules there are, by the names that genesis and the command line use.

A rule set stands here as its module and its class, and is imported when it is asked for, so that the command line can
offer the names without loading any of them.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from consensus.errors import UnknownLeaderSchedule, UnknownRuleSet
from consensus.leaders import LeaderSchedule, RoundRobin, Weighted

if TYPE_CHECKING:
    from consensus.rules import RuleSet

RULE_SETS: dict[str, tuple[str, str]] = {
    "hotstuff-2": ("consensus.hotstuff2", "HotStuff2"),
    "hotstuff-3": ("consensus.hotstuff3", "HotStuff3"),
}

LEADER_SCHEDULES: dict[str, Callable[[Sequence[int]], LeaderSchedule]] = {
    "weighted": Weighted,
    "round-robin": RoundRobin,
}


def rule_set(name: str) -> "RuleSet":
    """The rule set that genesis names. Raises UnknownRuleSet."""
    if name not in RULE_SETS:
        raise UnknownRuleSet(name, sorted(RULE_SETS))
    module, cls = RULE_SETS[name]
    rules: RuleSet = getattr(import_module(module), cls)()
    return rules


def leader_schedule(name: str, stakes: Sequence[int]) -> LeaderSchedule:
    """The schedule of that name over validators of these stakes. Raises UnknownLeaderSchedule."""
    if name not in LEADER_SCHEDULES:
        raise UnknownLeaderSchedule(name, sorted(LEADER_SCHEDULES))
    return LEADER_SCHEDULES[name](stakes)
