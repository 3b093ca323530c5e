"""When a chain changes its rules: by block number up to the merge, by time since."""

from dataclasses import dataclass
from typing import Any

from chain.forks import Fork, fork_named
from chain.system_contracts import DEPOSIT_CONTRACT
from chain.types import Address


@dataclass(frozen=True, slots=True)
class ForkSchedule:
    """From which block number, and from which time in seconds, each fork is in force; both rising.

    Times count only once the merge is in force. The first fork is Frontier unless block 0 names another. `glaciers` are
    the forks that only put the difficulty bomb off: from which block, and by how many blocks. Prague finds deposits at
    `deposit_contract` (EIP-6110).
    """

    by_number: tuple[tuple[int, Fork], ...]
    by_time: tuple[tuple[int, Fork], ...] = ()
    glaciers: tuple[tuple[int, int], ...] = ()
    deposit_contract: Address = DEPOSIT_CONTRACT

    def at(self, number: int, timestamp: int) -> Fork:
        """The rules of the block with this number and time in seconds."""
        fork = Fork.FRONTIER
        for since, later in self.by_number:  # asked for every few transactions: `max` takes four times as long
            if since <= number and later > fork:
                fork = later
        if fork >= Fork.PARIS:
            for since, later in self.by_time:
                if since <= timestamp and later > fork:
                    fork = later
        return fork

    @property
    def newest(self) -> Fork:
        """The last one, be it in force already or not."""
        return max((fork for _, fork in (*self.by_number, *self.by_time)), default=Fork.FRONTIER)


def only(fork: Fork) -> ForkSchedule:
    """The schedule of a chain that has one fork from its start."""
    return ForkSchedule(((0, fork),))


def schedule_json(schedule: ForkSchedule) -> dict[str, Any]:
    """The schedule as JSON, forks by their labels."""
    return {
        "byNumber": [[since, fork.label] for since, fork in schedule.by_number],
        "byTime": [[since, fork.label] for since, fork in schedule.by_time],
        "glaciers": [list(glacier) for glacier in schedule.glaciers],
        "depositContract": "0x" + schedule.deposit_contract.hex(),
    }


def schedule_from_json(value: Any) -> ForkSchedule:
    """What `schedule_json` made. Raises UnknownFork, and KeyError, TypeError and ValueError for anything else."""
    by_number, by_time = (
        tuple([(int(since), fork_named(label)) for since, label in value[name]]) for name in ("byNumber", "byTime")
    )
    glaciers = tuple([(int(since), int(blocks)) for since, blocks in value["glaciers"]])
    deposits = Address(bytes.fromhex(value["depositContract"].removeprefix("0x")))
    return ForkSchedule(by_number, by_time, glaciers, deposits)
