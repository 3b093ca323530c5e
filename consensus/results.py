"""What execution made of committed blocks, as far as this validator was told."""

from enum import Enum, auto

from chain.proposals import ExecutedBlock
from chain.types import Hash32, Height
from consensus.tree import GENESIS_EXECUTED

MAX_RESULTS = 256


class Agreement(Enum):
    """How a result that a proposal carries compares with ours."""

    SAME = auto()
    UNKNOWN = auto()
    CONFLICT = auto()


class ExecutionResults:
    """The newest results by height."""

    def __init__(self, known: tuple[ExecutedBlock, ...] = ()) -> None:
        self._hashes: dict[Height, Hash32] = {GENESIS_EXECUTED.height: GENESIS_EXECUTED.header_hash}
        self._newest = GENESIS_EXECUTED.height
        for executed in known:
            self.add(executed)

    @property
    def height(self) -> Height:
        """The newest block with a result."""
        return self._newest

    def add(self, executed: ExecutedBlock) -> Agreement:
        """SAME when it was known, UNKNOWN when it is news, CONFLICT when another hash was known; that one is kept."""
        agreement = self.compare(executed)
        if agreement is Agreement.UNKNOWN:
            self._hashes[executed.height] = executed.header_hash
            self._newest = max(self._newest, executed.height)
            if len(self._hashes) > MAX_RESULTS:
                del self._hashes[min(self._hashes)]
        return agreement

    def compare(self, executed: ExecutedBlock) -> Agreement:
        known = self._hashes.get(executed.height)
        if known is None:
            return Agreement.UNKNOWN
        return Agreement.SAME if known == executed.header_hash else Agreement.CONFLICT

    def hash_of(self, height: Height) -> Hash32:
        """The hash of a block that has a result."""
        return self._hashes[height]

    def newest_up_to(self, height: Height) -> ExecutedBlock | None:
        """The newest result of a height not above `height`."""
        found = height if height in self._hashes else max((n for n in self._hashes if n <= height), default=None)
        return None if found is None else ExecutedBlock(found, self._hashes[found])

    def all(self) -> tuple[ExecutedBlock, ...]:
        return tuple(ExecutedBlock(n, self._hashes[n]) for n in sorted(self._hashes) if n > 0)
