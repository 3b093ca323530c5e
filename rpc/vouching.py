"""Up to which of the blocks served here validators vouch for the very hash.

Only blocks of one executor are served. Validators tell by height and header hash what all of their executors agree on,
and what is verified. What they say of a block not served yet waits for it; what they say of another hash than the one
served never counts, so that a wrong executor's blocks become neither safe nor final.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal, TypeVar

from chain.types import Hash32, Height, ValidatorIndex

MAX_WAITING = 256
"""Of one validator; beyond it what it said first is forgotten, for what it says later vouches for that too."""
Number = TypeVar("Number", bound=int)
HashOf = Callable[[Height], Awaitable[Hash32 | None]]


class Vouching:
    """One stage of a block's life, as validators tell of it. `hash_of` gives the hash of a block that is served."""

    def __init__(self, stakes: Sequence[int], hash_of: HashOf) -> None:
        self._stakes = stakes
        self._hash_of = hash_of
        self._waiting: list[dict[Height, Hash32]] = [{} for _ in stakes]
        self._vouched = [Height(0)] * len(stakes)
        self.height = Height(0)
        """The newest block that validators with more than a third of the stake vouch for: one of them is honest."""

    async def said(self, validator: ValidatorIndex, height: Height, hash: Hash32, head: Height) -> None:
        """`head` is the newest block served."""
        if height <= self._vouched[validator]:
            return
        waiting = self._waiting[validator]
        waiting[height] = hash
        if len(waiting) > MAX_WAITING:
            del waiting[min(waiting)]
        await self._compare(validator, head)

    async def served(self, head: Height) -> None:
        """There is a new head to compare with what was said."""
        for validator in range(len(self._stakes)):
            await self._compare(ValidatorIndex(validator), head)

    async def _compare(self, validator: ValidatorIndex, head: Height) -> None:
        waiting = self._waiting[validator]
        ready = sorted((height for height in waiting if height <= head), reverse=True)
        said = [(height, waiting.pop(height)) for height in ready]
        for height, hash in said:  # the newest that fits vouches for all below it, its ancestors
            if await self._hash_of(height) == hash:
                self._vouched[validator] = max(self._vouched[validator], height)
                agreed = highest_agreed(zip(self._vouched, self._stakes, strict=True), sum(self._stakes))
                self.height = Height(max(self.height, agreed))
                return


def highest_agreed(said: Iterable[tuple[Number, int]], total_stake: int) -> Number | Literal[0]:
    """The greatest number that more than a third of the stake has reached, of (number, stake) pairs; 0 if none."""
    reached = 0
    for number, stake in sorted(said, reverse=True):
        reached += stake
        if 3 * reached > total_stake:
            return number
    return 0
