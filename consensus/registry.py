"""The rule sets and leader schedules there are, by the names that genesis and the command line use."""

from collections.abc import Callable, Sequence

from consensus.errors import UnknownLeaderSchedule, UnknownRuleSet
from consensus.hotstuff2 import HotStuff2
from consensus.hotstuff3 import HotStuff3
from consensus.leaders import LeaderSchedule, RoundRobin, Weighted
from consensus.rules import RuleSet

RULE_SETS: dict[str, Callable[[], RuleSet]] = {
    HotStuff2.name: HotStuff2,
    HotStuff3.name: HotStuff3,
}

LEADER_SCHEDULES: dict[str, Callable[[Sequence[int]], LeaderSchedule]] = {
    "round-robin": RoundRobin,
    "weighted": Weighted,
}


def rule_set(name: str) -> RuleSet:
    """The rule set that genesis names. Raises UnknownRuleSet."""
    if name not in RULE_SETS:
        raise UnknownRuleSet(name, sorted(RULE_SETS))
    return RULE_SETS[name]()


def leader_schedule(name: str, stakes: Sequence[int]) -> LeaderSchedule:
    """The schedule of that name over validators of these stakes. Raises UnknownLeaderSchedule."""
    if name not in LEADER_SCHEDULES:
        raise UnknownLeaderSchedule(name, sorted(LEADER_SCHEDULES))
    return LEADER_SCHEDULES[name](stakes)
