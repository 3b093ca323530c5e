"""What one run of the simulation is made of, as plain values that a JSON file can hold.

A scenario says everything: the chain, how bad its network is, who lies and how, what breaks when, and the seed of all
that is left to chance (delays, losses, which bit flips). Two runs of one scenario at one commit are the same, byte for
byte. `drawing.py` makes a scenario from a number; failing ones are kept in `regressions/`.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

FORMAT = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chain:
    """What genesis fixes. Without `stakes` every validator has 1."""

    validators: int = 4
    stakes: tuple[int, ...] = ()
    max_lag: int = 3
    rules: str = "hotstuff-2"
    leaders: str = "weighted"


@dataclass(frozen=True, slots=True)
class Rates:
    """Chances per message, and the longest delays in microseconds. Whatever is delayed may be overtaken.

    `drops` says for a kind of message how often it is lost, instead of `drop`: losing votes and news of certificates,
    but few timeouts, hides certificates from most replicas, and that is what makes branches compete.
    """

    drop: float = 0.0
    drops: tuple[tuple[str, float], ...] = ()
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay_us: int = 500
    execution_us: int = 2_000


class Kind(StrEnum):
    """What can break."""

    KILL = "kill"
    """The process ends; its disk has all it wrote."""
    POWER_LOSS = "power loss"
    """It ends, and up to `amount` of the newest writes that were not synced are gone."""
    DISK_LOSS = "disk loss"
    """It ends, and its disk is empty: it forgets all that it signed, and counts among those that may lie."""
    CRASH_BEFORE_WRITE = "crash before a write"
    """It ends when it is about to make its `amount`-th write from now."""
    CRASH_AFTER_WRITE = "crash after a write"
    """It ends when that write is durable and nothing that depends on it was done."""
    CRASH_WHILE_SENDING = "crash while sending"
    """It ends after `amount` more messages, in the middle of what it has to say."""
    RESTART = "restart"
    PARTITION = "partition"
    """`nodes` and the others do not reach each other."""
    DEAF = "one-way partition"
    """`nodes` hear nothing of the others, who hear them."""
    HEAL = "heal"
    """All links are whole again."""
    PAUSE = "pause"
    """`nodes` do nothing; what arrives waits, timers fire late."""
    RESUME = "resume"
    CLOCK = "clock jump"
    """The clocks of `nodes` go wrong by `amount` milliseconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    at_us: int
    kind: Kind
    nodes: tuple[int, ...] = ()
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Liar:
    """A Byzantine replica: which one, and by what names of `byzantine.BEHAVIOURS` it behaves."""

    node: int
    behaviours: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`load` holds (microseconds, account): that account's next transaction reaches everyone about then.

    Faults happen until `until_us`; then all is repaired, except that liars go on lying.
    """

    seed: int
    chain: Chain
    rates: Rates
    until_us: int
    load: tuple[tuple[int, int], ...] = ()
    faults: tuple[Fault, ...] = ()
    liars: tuple[Liar, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def scenario_from_json(text: str) -> Scenario:
    plain = json.loads(text)
    if plain.pop("format", None) != FORMAT:
        raise ValueError(f"a scenario of format {FORMAT} is expected")
    return Scenario(
        seed=plain["seed"],
        chain=_made(Chain, plain["chain"]),
        rates=_made(Rates, plain["rates"]),
        until_us=plain["until_us"],
        load=_frozen(plain["load"]),
        faults=tuple(Fault(f["at_us"], Kind(f["kind"]), tuple(f["nodes"]), f["amount"]) for f in plain["faults"]),
        liars=tuple(_made(Liar, liar) for liar in plain["liars"]),
    )


def _made(cls: type[T], plain: dict[str, Any]) -> T:
    return cls(**{name: _frozen(value) for name, value in plain.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
