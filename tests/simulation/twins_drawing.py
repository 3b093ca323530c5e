"""Generates Twins scenarios systematically.

Every scenario has a number: written in the mixed radix of the choices of each round (leader, partition, and what else
there is) it is the scenario. A sample takes numbers a fixed stride apart, modulo all of them. The stride is their
golden section, so that each choice of each round comes up as often as any other, and pairs of them nearly so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd, prod

from consensus.registry import RULE_SETS
from tests.simulation.twins_scenario import Groups, TwinsScenario

REPLICAS = 4


@dataclass(frozen=True, slots=True)
class Family:
    """Scenarios of `rounds` rounds with so many twins.

    `hiding`: in some rounds one replica is heard by nobody, though it hears; so it alone knows what it certifies.
    `restarts`: at the beginning of some rounds one or two replicas lose power.
    """

    twins: int
    rounds: int
    hiding: bool = False
    restarts: bool = False

    def radices(self) -> list[int]:
        one_round = [REPLICAS, len(partitions(REPLICAS + self.twins))]
        one_round += [len(self._hidden())] * self.hiding + [len(self._restarted())] * self.restarts
        return one_round * self.rounds

    @property
    def size(self) -> int:
        """How many scenarios there are."""
        return prod(self.radices())

    def scenario(self, number: int, rules: str) -> TwinsScenario:
        digits = iter(_digits(number, self.radices()))
        leaders: dict[int, tuple[int, ...]] = {}
        groups: dict[int, Groups] = {}
        firewall: dict[int, dict[int, tuple[int, ...]]] = {}
        restarts: dict[int, tuple[int, ...]] = {}
        slots = REPLICAS + self.twins
        for round in range(1, self.rounds + 1):
            leader = next(digits)
            leaders[round] = (leader, leader + REPLICAS) if leader < self.twins else (leader,)
            groups[round] = partitions(slots)[next(digits)]
            hidden = self._hidden()[next(digits)] if self.hiding else None
            if hidden is not None:
                firewall[round] = {hidden: tuple(slot for slot in range(slots) if slot != hidden)}
            restarted = self._restarted()[next(digits)] if self.restarts else ()
            if restarted:
                restarts[round] = restarted
        return TwinsScenario(REPLICAS, self.twins, leaders, groups, firewall, restarts, rules=rules)

    def _hidden(self) -> tuple[int | None, ...]:
        return (None,) * REPLICAS + tuple(range(REPLICAS))

    def _restarted(self) -> tuple[tuple[int, ...], ...]:
        pairs = tuple((a, b) for a in range(REPLICAS) for b in range(a + 1, REPLICAS))
        return ((),) * len(pairs) + pairs


@dataclass(frozen=True, slots=True)
class Departure:
    """In some round replica 1, its leader, is cut off, just when it may have committed what none of the others knows to
    be committed. Replica 0, which lies about its highest certificate, then leads them now and then. Before that another
    one may be cut off. (Which is called 1 makes no difference: the others are alike.)
    """

    rounds: int

    def radices(self) -> list[int]:
        return [len(CUT_OFF_BEFORE), len(DEPARTURES)] + [REPLICAS - 1] * self.rounds

    @property
    def size(self) -> int:
        return prod(self.radices())

    def scenario(self, number: int, rules: str) -> TwinsScenario:
        before, departure, *choices = _digits(number, self.radices())
        leaders: dict[int, tuple[int, ...]] = {}
        groups: dict[int, Groups] = {}
        for round, choice in enumerate(choices, start=1):
            gone = round >= DEPARTURES[departure]
            groups[round] = _without(1 if gone else CUT_OFF_BEFORE[before])
            leaders[round] = ((0, 2, 3) if gone else (1, 2, 3))[choice : choice + 1]
        leaders[DEPARTURES[departure]] = (1,)
        return TwinsScenario(REPLICAS, 0, leaders, groups, liars={0: ("stale certificates",)}, rules=rules)


CUT_OFF_BEFORE = (None, 2, 3)
DEPARTURES = (3, 4, 5, 6)
WITH_TWIN = Family(twins=1, rounds=7)
HIDING = Family(twins=0, rounds=9, hiding=True)
RESTARTING = Family(twins=0, rounds=7, hiding=True, restarts=True)
DEPARTING = Departure(rounds=14)
FAMILIES: tuple[Family | Departure, ...] = (WITH_TWIN, HIDING, RESTARTING, DEPARTING)


def sample(family: Family | Departure, count: int, rules: str) -> Iterator[TwinsScenario]:
    return (_nth(family, number, rules) for number in range(count))


def numbered(number: int, rules: str | None = None) -> TwinsScenario:
    """The families take turns, and without `rules` the rule sets do."""
    turn, family = divmod(number, len(FAMILIES))
    if rules is None:
        turn, chosen = divmod(turn, len(RULE_SETS))
        rules = sorted(RULE_SETS)[chosen]
    return _nth(FAMILIES[family], turn, rules)


def _nth(family: Family | Departure, number: int, rules: str) -> TwinsScenario:
    stride = family.size * 618_033_988_749_895 // 10**15 | 1
    while gcd(stride, family.size) != 1:
        stride += 2
    return family.scenario(number * stride % family.size, rules)


@cache
def partitions(slots: int) -> tuple[Groups, ...]:
    """All ways to divide the slots into one or two groups, then as many with three; larger groups first.

    Ways into two come up three times: in them one side may have a quorum, without which a round is only long.
    """
    ways = [tuple(sorted(groups, key=lambda g: (-len(g), g))) for groups in _divisions(range(slots))]
    by_size = {size: sorted(way for way in ways if len(way) == size) for size in (1, 2, 3)}
    return (*by_size[1], *(by_size[2] * 3), *by_size[3])


def _without(alone: int | None) -> Groups:
    """All but one hear each other."""
    together = tuple(slot for slot in range(REPLICAS) if slot != alone)
    return (together,) if alone is None else (together, (alone,))


def _divisions(slots: Sequence[int]) -> Iterator[Groups]:
    if not slots:
        yield ()
        return
    first, rest = slots[0], slots[1:]
    for groups in _divisions(rest):
        for i, group in enumerate(groups):
            yield (*groups[:i], (first, *group), *groups[i + 1 :])
        if len(groups) < 3:
            yield (*groups, (first,))


def _digits(number: int, radices: Sequence[int]) -> list[int]:
    digits = []
    for radix in radices:
        number, digit = divmod(number, radix)
        digits.append(digit)
    return digits
