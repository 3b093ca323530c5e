"""What is printed at the end: what became of the calls, and what to look at next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.report import counted, key_of
from node.traffic.run import Outcome
from rpc.naming.values import shortened


@dataclass(frozen=True, slots=True)
class Summary:
    """`reasons` says why calls reverted, of those that were looked into; `report` is what the report says of them."""

    contract: str
    name: str | None
    function: str
    outcome: Outcome
    reasons: Mapping[str, int]
    report: Sequence[str]

    @property
    def range(self) -> tuple[int, int] | None:
        """The first and the last block that has one of the calls."""
        blocks = self.outcome.blocks
        return (min(blocks), max(blocks)) if blocks else None

    @property
    def per_second(self) -> float:
        return self.outcome.included / self.outcome.seconds if self.outcome.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "contract": self.contract,
            "name": self.name,
            "function": self.function,
            "sent": outcome.sent,
            "included": outcome.included,
            "reverted": outcome.reverted,
            "revertReasons": dict(self.reasons),
            "refused": dict(outcome.refused),
            "firstBlock": self.range[0] if self.range else None,
            "lastBlock": self.range[1] if self.range else None,
            "blocks": len(outcome.blocks),
            "seconds": round(outcome.seconds, 3),
            "transactionsPerSecond": round(self.per_second, 1),
            "stopped": outcome.stopped,
        }

    @property
    def _reverted(self) -> str:
        known, all = sum(self.reasons.values()), self.outcome.reverted
        return "reverted" if known == all else f"reverted ({known:,} of {all:,} looked into)"

    def lines(self, url_options: str) -> list[str]:
        outcome = self.outcome
        refused = sum(outcome.refused.values())
        shown = f"{self.name} {self.contract}" if self.name else self.contract
        lines = [
            f"{shown}  {self.function}",
            f"sent {outcome.sent:,}   included {outcome.included:,}   reverted {outcome.reverted:,}   "
            f"refused {refused:,}" + ("   (stopped)" if outcome.stopped else ""),
        ]
        lines += _reasons(self._reverted, self.reasons) + _reasons("refused", outcome.refused)
        if self.range is not None:
            first, last = self.range
            speed = f"{outcome.seconds:.2f} s   {self.per_second:,.0f} tx/s"
            lines.append(f"blocks {first}..{last} ({len(outcome.blocks)})   {speed}")
            lines += self.report
            lines.append(f"next: tandem report --range {first}..{last}{url_options}")
        return lines


def _reasons(what: str, reasons: Mapping[str, int], most: int = 5) -> list[str]:
    by_count = sorted(reasons.items(), key=lambda each: -each[1])
    lines = [f"  {what}, {count:,}: {reason}" for reason, count in by_count[:most]]
    return [*lines, f"  and {len(by_count) - most} more reasons"] if len(by_count) > most else lines


def report_lines(spots: Mapping[str, Any]) -> list[str]:
    """What tandem_getHotspots says of the blocks, in a line, and its first advice."""
    if spots["speedup"] is None:
        return []
    hot = spots["hotspots"]
    hottest = f", most over {key_of(hot[0])}" if hot else ""
    speed = f"{spots['speedup']:.2f} times as fast as serially ({spots['serialTime']})"
    lost = f"{spots['conflicts']:,} of {spots['attempts']:,} runs lost by conflicts, {counted(spots['waits'], 'wait')}"
    line = f"{speed}, {lost}{hottest}"
    return [shortened(each) for each in (line, *spots["advice"][:1])]
