"""Makes a scenario from a number: which chain, how bad a network, who lies, what breaks when.

Short and dense: about a second of simulated time in which something is always broken. Drawn once, a scenario is plain
values; nothing here is asked again while it runs.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from chain.types import Round
from consensus.leaders import LeaderSchedule
from consensus.registry import LEADER_SCHEDULES, RULE_SETS, leader_schedule
from tests.simulation.byzantine import BEHAVIOURS
from tests.simulation.scenario import Chain, Fault, Kind, Liar, Rates, Scenario

SENDERS = 4
UNTIL_US = 1_200_000
SIZES = (4, 4, 4, 4, 4, 1, 2, 3, 5, 6, 7, 7)
UNEQUAL = (40, 30, 20, 10)
PHASES = {"hotstuff-2": 2, "hotstuff-3": 3}
"""How many consecutive rounds with proposals a commit takes."""

NETWORKS = (
    Rates(delay_us=1_000),
    Rates(delay_us=3_000, drop=0.02, duplicate=0.02),
    Rates(delay_us=30_000, drop=0.1, duplicate=0.1),
    Rates(delay_us=3_000, corrupt=0.05, duplicate=0.05),
    Rates(delay_us=250_000, duplicate=0.05),
    Rates(delay_us=2_000, drops=(("ProposalMessage", 0.15), ("Vote", 0.45), ("SyncInfo", 1.0), ("Timeout", 0.2))),
    Rates(delay_us=5_000, drops=(("ProposalMessage", 0.3), ("SyncInfo", 0.8), ("Timeout", 0.1)), duplicate=0.1),
)

ENDS = {
    Kind.KILL: Kind.RESTART,
    Kind.POWER_LOSS: Kind.RESTART,
    Kind.CRASH_BEFORE_WRITE: Kind.RESTART,
    Kind.CRASH_AFTER_WRITE: Kind.RESTART,
    Kind.CRASH_WHILE_SENDING: Kind.RESTART,
    Kind.PARTITION: Kind.HEAL,
    Kind.DEAF: Kind.HEAL,
    Kind.PAUSE: Kind.RESUME,
    Kind.CLOCK: Kind.CLOCK,
}
"""What ends each fault. Ending a clock jump is a jump by 0."""

LARGEST_AMOUNT = {
    Kind.POWER_LOSS: 20,
    Kind.CRASH_BEFORE_WRITE: 6,
    Kind.CRASH_AFTER_WRITE: 6,
    Kind.CRASH_WHILE_SENDING: 4,
}


def draw(seed: int, rules: str | None = None) -> Scenario:
    """The scenario of that number, under that rule set or, without one, under each in turn.

    Where nobody lies a validator may lose its disk, once or a few times, if it has less than a third of the stake.
    """
    scenario = _without_lost_disks(seed, rules)
    chance = random.Random(~seed)
    stakes = stakes_of(scenario.chain)
    small = [node for node, stake in enumerate(stakes) if 3 * stake < sum(stakes)]
    if scenario.liars or not small or chance.random() < 0.6:
        return scenario
    losses = _lost_disks(chance, chance.choice(small))
    return replace(scenario, faults=tuple(sorted((*scenario.faults, *losses), key=lambda fault: fault.at_us)))


def _lost_disks(chance: random.Random, node: int) -> list[Fault]:
    times = sorted(chance.randrange(UNTIL_US) for _ in range(chance.randrange(1, 4)))
    ends = [Fault(at + chance.randrange(1, UNTIL_US // 4), Kind.RESTART, (node,)) for at in times]
    return [*(Fault(at, Kind.DISK_LOSS, (node,)) for at in times), *ends]


def _without_lost_disks(seed: int, rules: str | None) -> Scenario:
    chance = random.Random(seed)
    chosen = rules or sorted(RULE_SETS)[seed % len(RULE_SETS)]
    chain = _chain(chance, chosen)
    return Scenario(
        seed=seed,
        chain=chain,
        rates=chance.choice(NETWORKS),
        until_us=UNTIL_US,
        load=_load(chance, chance.randrange(3, 12)),
        faults=_faults(chance, chain.validators, chance.randrange(2, 8)),
        liars=_liars(chance, chain),
    )


def stakes_of(chain: Chain) -> Sequence[int]:
    return chain.stakes or (1,) * chain.validators


def _chain(chance: random.Random, rules: str) -> Chain:
    validators = chance.choice(SIZES)
    stakes: tuple[int, ...] = ()
    if chance.random() < 0.4:
        stakes = UNEQUAL if validators == 4 else tuple(chance.randrange(1, 11) for _ in range(validators))
    leaders = chance.choice(sorted(LEADER_SCHEDULES))
    return Chain(validators, stakes, max_lag=chance.randrange(1, 4), rules=rules, leaders=leaders)


def _load(chance: random.Random, transactions: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        sorted((chance.randrange(UNTIL_US), chance.randrange(SENDERS)) for _ in range(transactions)),
    )


def _faults(chance: random.Random, validators: int, count: int) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for _ in range(count):
        kind = chance.choice(list(ENDS))
        at = chance.randrange(UNTIL_US)
        lasting = chance.randrange(UNTIL_US // 2)
        size = validators if chance.random() < 0.1 else chance.randrange(1, max(2, (validators + 1) // 2 + 1))
        nodes = tuple(sorted(chance.sample(range(validators), size)))
        end = Fault(at + lasting, ENDS[kind], () if ENDS[kind] is Kind.HEAL else nodes)
        faults += [Fault(at, kind, nodes, _amount(chance, kind)), end]
    return tuple(sorted(faults, key=lambda fault: fault.at_us))


def _amount(chance: random.Random, kind: Kind) -> int:
    if kind is Kind.CLOCK:
        return chance.choice((-5_000, -900, 900, 5_000))
    return chance.randrange(LARGEST_AMOUNT.get(kind, 0) + 1)


def _liars(chance: random.Random, chain: Chain) -> tuple[Liar, ...]:
    """In half of all scenarios as many as the protocol allows: less than a third of the stake, and so placed that now
    and then as many honest leaders follow each other as a commit takes. Without that no chained protocol goes on.
    """
    if chance.random() < 0.5:
        return ()
    stakes = stakes_of(chain)
    order = list(range(chain.validators))
    chance.shuffle(order)
    schedule = leader_schedule(chain.leaders, stakes)
    liars: list[int] = []
    for node in order:
        more = [*liars, node]
        if 3 * sum(stakes[liar] for liar in more) < sum(stakes) and _goes_on(chain, schedule, more):
            liars = more
    return tuple(Liar(node, _behaviours(chance)) for node in sorted(liars))


def _goes_on(chain: Chain, leaders: LeaderSchedule, liars: Sequence[int]) -> bool:
    cycle = range(1, 2 * sum(stakes_of(chain)) + 1)
    honest = "".join("-" if leaders.leader(Round(round)) in liars else "h" for round in cycle)
    return "h" * PHASES[chain.rules] in honest


def _behaviours(chance: random.Random) -> tuple[str, ...]:
    names = sorted(BEHAVIOURS)
    return tuple(sorted(chance.sample(names, chance.randrange(1, 4))))
