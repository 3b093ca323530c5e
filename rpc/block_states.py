"""How far each block is, from what the validators say and what execution did. Plain values in and out.

A block passes `proposed`, `certified`, `committed`, `executed` and `verified`, each once and in this order, or it ends
`abandoned` before it is committed. One validator's word is enough for proposed. For what only a quorum can make true,
more than a third of the stake must say so: at least one of them is honest. News may come in any order, late, twice or
from some validators only; a state that was not heard of itself is passed when a later one is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chain.messages.watching import BlockStage, StageReached
from chain.types import BlockNumber, Gas, Hash32, Height, Round, ValidatorIndex
from rpc.bounded_cache import BoundedCache

MAX_LIVE = 4_096
"""Blocks between proposed and verified. Validators hold 512 proposals at most; what one makes up beyond is ignored."""
MAX_ABANDONED = 1_024
"""Abandoned proposals that are remembered, so that a validator that hears of it late does not bring them back."""
PROPOSED, EXECUTED, ABANDONED = "proposed", "executed", "abandoned"
STATES = (PROPOSED, "certified", "committed", EXECUTED, "verified")
STAGES = {
    "proposed": BlockStage.PROPOSED,
    "certified": BlockStage.CERTIFIED,
    "committed": BlockStage.COMMITTED,
    "verified": BlockStage.VERIFIED,
}


@dataclass(frozen=True, slots=True)
class Executed:
    """What execution made of a height, and when rpc heard of it: its newest block and how many `blocks` it made.

    An operation that makes none leaves the newest block as it was, which is told again.
    """

    number: BlockNumber
    hash: Hash32
    transactions: int
    gas_used: Gas
    at_ms: int
    blocks: int = 1


@dataclass(frozen=True, slots=True)
class StateChange:
    """A block has reached `state`. `executed` is there from the state of that name on."""

    number: BlockNumber
    state: str
    proposal: Hash32
    round: Round
    proposer: ValidatorIndex
    at_ms: int
    proposed_at_ms: int
    executed: Executed | None


@dataclass(slots=True)
class _Block:
    first: StageReached
    sayers: dict[BlockStage, set[ValidatorIndex]] = field(default_factory=dict)
    said_at_ms: dict[BlockStage, int] = field(default_factory=dict)
    changes: list[StateChange] = field(default_factory=list)

    @property
    def next(self) -> str | None:
        """The state that it has not passed yet."""
        return STATES[len(self.changes)] if len(self.changes) < len(STATES) else None

    @property
    def committed(self) -> bool:
        return len(self.changes) > STATES.index("committed")

    def said(self, validator: ValidatorIndex, reached: StageReached) -> None:
        stages = [reached.stage] if reached.stage is BlockStage.ABANDONED else range(1, reached.stage + 1)
        for stage in map(BlockStage, stages):
            self.sayers.setdefault(stage, set()).add(validator)
            self.said_at_ms.setdefault(stage, reached.at_ms)


class BlockStates:
    """Begins after height `finished`: of those up to it nothing is told any more.

    `expected` gives the number of the block that a height is going to make.
    """

    def __init__(self, stakes: Sequence[int], finished: Height, expected: Callable[[Height], BlockNumber]) -> None:
        self._stakes = stakes
        self._finished = finished
        self._expected = expected
        self._live: dict[Hash32, _Block] = {}
        self._executed: dict[Height, Executed] = {}
        self._abandoned: BoundedCache[Hash32, bool] = BoundedCache(MAX_ABANDONED)

    @property
    def finished(self) -> Height:
        """The newest height that has passed all states."""
        return self._finished

    def told(self, validator: ValidatorIndex, reached: StageReached) -> list[StateChange]:
        """A validator's word. Returns what becomes known by it, in order."""
        if reached.height <= self._finished or self._abandoned.get(reached.proposal):
            return []
        block = self._live.get(reached.proposal)
        if block is None:
            if len(self._live) >= MAX_LIVE:
                return []
            block = self._live[reached.proposal] = _Block(reached)
        block.said(validator, reached)
        return self._progress(block)

    def executed(self, height: Height, executed: Executed) -> list[StateChange]:
        """A block was executed and can be read."""
        if height <= self._finished:
            return []
        self._executed[height] = executed
        return [change for block in self._at(height) for change in self._progress(block)]

    def missing(self) -> list[Height]:
        """The committed heights of which no result is known here."""
        blocks = [block for block in self._live.values() if block.committed]
        return sorted(b.first.height for b in blocks if b.first.height not in self._executed)

    def so_far(self) -> list[StateChange]:
        """All that the blocks in flight have passed, for one who begins to listen."""
        blocks = sorted(self._live.values(), key=lambda block: (block.first.height, block.first.round))
        return [change for block in blocks for change in block.changes]

    def _progress(self, block: _Block) -> list[StateChange]:
        if block.first.proposal not in self._live:
            return []
        before = len(block.changes)
        while (state := block.next) is not None and self._has_reached(block, state):
            block.changes.append(self._change(block, state))
        changes = block.changes[before:]
        height = block.first.height
        if block.committed:
            for other in self._at(height):
                if other is not block:
                    changes += self._abandon(other)
        elif self._agreed(block, BlockStage.ABANDONED) or any(other.committed for other in self._at(height)):
            changes += self._abandon(block)
        if block.next is None:
            changes += self._finish(block)
        return changes

    def _has_reached(self, block: _Block, state: str) -> bool:
        if state == PROPOSED:
            return True
        if state == EXECUTED:
            return block.first.height in self._executed
        if state == "verified" and block.first.height != self._finished + 1:
            return False
        return self._agreed(block, STAGES[state])

    def _agreed(self, block: _Block, stage: BlockStage) -> bool:
        stake = sum(self._stakes[validator] for validator in block.sayers.get(stage, ()))
        return 3 * stake > sum(self._stakes)

    def _finish(self, block: _Block) -> list[StateChange]:
        """The next block may have waited for this one: they are verified in the order of the chain."""
        height = block.first.height
        del self._live[block.first.proposal]
        self._executed.pop(height, None)
        self._finished = height
        return [change for after in self._at(Height(height + 1)) for change in self._progress(after)]

    def _abandon(self, block: _Block) -> list[StateChange]:
        del self._live[block.first.proposal]
        self._abandoned.put(block.first.proposal, True)
        return [self._change(block, ABANDONED)]

    def _change(self, block: _Block, state: str) -> StateChange:
        """Times never go back along a block's life, whichever clocks they come from."""
        first, earlier = block.first, block.changes[-1].at_ms if block.changes else 0
        executed = self._executed.get(first.height) if state in STATES[3:] else None
        number = self._expected(first.height) if executed is None else executed.number
        at_ms = max(self._said_at_ms(block, state), earlier)
        proposed_at_ms = block.changes[0].at_ms if block.changes else at_ms
        return StateChange(number, state, first.proposal, first.round, first.proposer, at_ms, proposed_at_ms, executed)

    def _said_at_ms(self, block: _Block, state: str) -> int:
        if state == EXECUTED:
            return self._executed[block.first.height].at_ms
        stage = BlockStage.ABANDONED if state == ABANDONED else STAGES[state]
        return block.said_at_ms.get(stage, 0)

    def _at(self, height: Height) -> list[_Block]:
        return [block for block in self._live.values() if block.first.height == height]
