"""What a run covered, in plain words."""

from collections import Counter
from collections.abc import Iterator

from tests.simulation.campaign import Tally

HAPPENED = {
    "events": "events",
    "messages": "messages between replicas",
    "messages lost": "of them lost",
    "messages repeated": "repeated",
    "messages out of order": "arriving before an earlier one",
    "messages corrupted": "corrupted",
    "messages between partitions": "kept back by a Twins partition",
    "proposals": "different proposals",
    "rivals of another proposal": "of them competing with another one on the same parent",
    "proposals committed": "proposals committed",
    "timer fired: round": "rounds given up by a replica whose patience ended",
    "restarts": "restarts of a replica",
    "liars that fell over": "liars that fell over their own lies",
}
GROUPS = {"fault: ": "What broke", "lie: ": "Lies told", "refused: ": "Messages refused, by reason"}


def lines(tally: Tally, seconds: float) -> Iterator[str]:
    broken = f"{len(tally.failures):,} BROKE A PROMISE" if tally.failures else "none broke a promise"
    simulated_s = tally.simulated_us / 1e6
    plural = "s" * (tally.scenarios != 1)
    yield f"{tally.scenarios:,} scenario{plural} in {seconds:,.0f} s, {simulated_s:,.0f} s of simulated time: {broken}"
    yield from _table("What happened", {text: tally.counts[name] for name, text in HAPPENED.items()})
    for prefix, title in GROUPS.items():
        named = {
            name.removeprefix(prefix): tally.counts[name] for name in sorted(tally.counts) if name.startswith(prefix)
        }
        yield from _table(title, named)
    yield from _shares("Rounds from one commit to the next", tally.rounds_between_commits)
    yield from _shares("Rounds from the repair to the next commit", tally.rounds_to_recover)


def _table(title: str, counts: dict[str, int]) -> Iterator[str]:
    if any(counts.values()):
        yield f"\n{title}"
        yield from (f"  {count:>15,}  {name}" for name, count in counts.items() if count)


def _shares(title: str, counts: Counter[int]) -> Iterator[str]:
    total = counts.total()
    if total:
        yield f"\n{title}"
        yield from (f"  {rounds:>15}  {counts[rounds] / total:.3%}" for rounds in sorted(counts))
