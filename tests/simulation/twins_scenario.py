"""Twins scenarios (Bano et al., "Twins: BFT Systems Made Robust", 2020) and the files they come in.

A twin is a second process with the same key as another: together they are a Byzantine replica, made of honest parts.
A scenario says, round by round, who leads and who hears whom. With n replicas, slot n + i is the twin of replica i.
The files are those of the twins-simulator of the Fast-HotStuff authors; `rules`, `round_restarts` and `liars` are ours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TwinsScenario:
    """Who leads a round (as slots), which slots hear each other in it, and who is not heard by whom on top of that.

    In a round without partitions everyone hears everyone. `restarts`: who loses power, and with it what was not
    synced, when the first replica enters that round. `liars`: the names of how a replica lies (`byzantine.BEHAVIOURS`).
    """

    replicas: int
    twins: int
    leaders: Mapping[int, tuple[int, ...]]
    partitions: Mapping[int, Groups]
    firewall: Mapping[int, Mapping[int, tuple[int, ...]]] = field(default_factory=dict)
    restarts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    liars: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    rules: str = "hotstuff-2"

    @property
    def last_round(self) -> int:
        return max([*self.leaders, *self.partitions, *self.firewall, *self.restarts])

    def leader(self, round: int) -> int:
        """The replica that leads; afterwards they take turns."""
        slots = self.leaders.get(round)
        return (slots[0] if slots else round) % self.replicas

    def passes(self, round: int, sender: int, to: int) -> bool:
        groups = self.partitions.get(round)
        if groups is not None and not any(sender in group and to in group for group in groups):
            return False
        return to not in self.firewall.get(round, {}).get(sender, ())


def scenarios_from_json(text: str, rules: str | None = None) -> list[TwinsScenario]:
    """Those of a file, under `rules` where the file names none."""
    plain = json.loads(text)
    return [
        TwinsScenario(
            replicas=plain["num_of_nodes"],
            twins=plain["num_of_twins"],
            leaders=_by_number(one["round_leaders"]),
            partitions=_by_number(one["round_partitions"]),
            firewall={int(r): _by_number(cut) for r, cut in one.get("firewall", {}).items()},
            restarts=_by_number(one.get("round_restarts", {})),
            liars=_by_number(one.get("liars", {})),
            rules=rules or one.get("rules", "hotstuff-2"),
        )
        for one in plain["scenarios"]
    ]


def read_twins(path: Path, rules: str | None = None) -> list[TwinsScenario]:
    return scenarios_from_json(path.read_text(), rules)


def to_json(scenario: TwinsScenario) -> str:
    one: dict[str, Any] = {
        "rules": scenario.rules,
        "round_leaders": _named(scenario.leaders),
        "round_partitions": _named(scenario.partitions),
        "firewall": {str(r): _named(cut) for r, cut in scenario.firewall.items()},
        "round_restarts": _named(scenario.restarts),
        "liars": _named(scenario.liars),
    }
    plain = {"num_of_nodes": scenario.replicas, "num_of_twins": scenario.twins, "scenarios": [one]}
    return json.dumps(plain, indent=1) + "\n"


def _by_number(plain: Mapping[str, Any]) -> dict[int, Any]:
    return {int(height): _frozen(value) for height, value in plain.items()}


def _named(by_number: Mapping[int, Any]) -> dict[str, Any]:
    return {str(height): value for height, value in by_number.items()}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
