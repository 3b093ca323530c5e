"""When a chain changes its rules: by block number up to the merge, by time since."""

from dataclasses import dataclass

from chain.forks import Fork
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
        fork = max((fork for since, fork in self.by_number if since <= number), default=Fork.FRONTIER)
        if fork < Fork.PARIS:
            return fork
        return max((fork, *(later for since, later in self.by_time if since <= timestamp)))

    @property
    def newest(self) -> Fork:
        """The last one, be it in force already or not."""
        return max((fork for _, fork in (*self.by_number, *self.by_time)), default=Fork.FRONTIER)


def only(fork: Fork) -> ForkSchedule:
    """The schedule of a chain that has one fork from its start."""
    return ForkSchedule(((0, fork),))
