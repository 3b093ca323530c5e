"""How far each block is that is not verified yet, as this validator sees it, for those who watch.

Told of every command once it is durable. It costs a few entries in memory while nobody watches.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from chain.messages.watching import BlockStage, StageReached
from chain.proposals import Proposal
from chain.types import Hash32, Height
from consensus.commands import Certified, Command, Commit, Persist
from consensus.store import ValidatorStore

MAX_UNTOLD = 4096
"""Changes that nobody has asked for yet; the process asks after every turn."""
MAX_REPEATED = 4096
"""Verified blocks told again to a watcher that has missed them."""


@dataclass(slots=True)
class _Live:
    """A proposal that makes a block, and when it reached each stage."""

    proposal: Proposal
    at_ms: dict[BlockStage, int] = field(default_factory=dict)

    def reached(self, stage: BlockStage) -> StageReached:
        proposal = self.proposal
        return StageReached(proposal.height, proposal.id, proposal.round, proposal.proposer, stage, self.at_ms[stage])


class BlockStages:
    """What was before this life of the validator has no better time than its block's own."""

    def __init__(self, store: ValidatorStore, verified: Height, uncommitted: tuple[Proposal, ...]) -> None:
        self._store = store
        self._verified = verified
        self._live: dict[Hash32, _Live] = {}
        self._untold: deque[StageReached] = deque(maxlen=MAX_UNTOLD)
        self._newest_certified: Hash32 | None = None
        """Its certificate may come before it."""
        for proposal in self._committed_after(verified):
            self._reach(proposal, BlockStage.COMMITTED, _time_of(proposal))
        for proposal in uncommitted:
            self._accepted(proposal, _time_of(proposal))
        self._untold.clear()

    def carried_out(self, command: Command, now_ms: int) -> None:
        match command:
            case Persist():
                for proposal in command.accepted:
                    self._accepted(proposal, now_ms)
                for id in command.abandoned:
                    self._abandon(id, now_ms)
            case Certified(certificate):
                self._newest_certified = certificate.proposal
                self._certified(certificate.proposal, now_ms)
            case Commit(placed):
                for one in placed:
                    self._committed(one.proposal, now_ms)

    def take_changes(self) -> tuple[StageReached, ...]:
        """What changed since the last call, in order."""
        changes = tuple(self._untold)
        self._untold.clear()
        return changes

    def after(self, height: Height) -> tuple[StageReached, ...]:
        """All that the blocks after that one have reached, verified ones in one step."""
        told: list[StageReached] = []
        first = max(height, self._verified - MAX_REPEATED)
        for proposal in self._committed_after(Height(first)):
            if proposal.height > self._verified:
                break
            told.append(_Live(proposal, {BlockStage.VERIFIED: _time_of(proposal)}).reached(BlockStage.VERIFIED))
        for live in self._live.values():
            if live.proposal.height > height:
                told += [live.reached(stage) for stage in live.at_ms]
        return tuple(told)

    def _accepted(self, proposal: Proposal, now_ms: int) -> None:
        self._certified(proposal.certificate.proposal, now_ms)
        if proposal.takes_height and proposal.height > self._verified:
            self._reach(proposal, BlockStage.PROPOSED, now_ms)
            if proposal.id == self._newest_certified:
                self._certified(proposal.id, now_ms)

    def _certified(self, id: Hash32, now_ms: int) -> None:
        live = self._live.get(id)
        if live is not None:
            self._reach(live.proposal, BlockStage.CERTIFIED, now_ms)

    def _committed(self, proposal: Proposal, now_ms: int) -> None:
        if proposal.takes_height and proposal.height > self._verified:
            self._reach(proposal, BlockStage.COMMITTED, now_ms)
        verified = proposal.executed.height
        for live in [live for live in self._live.values() if live.proposal.height <= verified]:
            if BlockStage.COMMITTED in live.at_ms:
                self._reach(live.proposal, BlockStage.VERIFIED, now_ms)
            del self._live[live.proposal.id]
        self._verified = max(self._verified, verified)

    def _abandon(self, id: Hash32, now_ms: int) -> None:
        live = self._live.get(id)
        if live is not None:
            self._reach(live.proposal, BlockStage.ABANDONED, now_ms)
            del self._live[id]

    def _reach(self, proposal: Proposal, stage: BlockStage, now_ms: int) -> None:
        """Once: a stage is not reached again, nor one before it."""
        live = self._live.setdefault(proposal.id, _Live(proposal))
        if all(stage > earlier for earlier in live.at_ms):
            live.at_ms[stage] = now_ms
            self._untold.append(live.reached(stage))

    def _committed_after(self, height: Height) -> Iterator[Proposal]:
        while (id := self._store.id_of_block(Height(height + 1))) is not None:
            height = Height(height + 1)
            yield self._store.proposal(id)


def _time_of(proposal: Proposal) -> int:
    """What a block of an earlier life of this validator says of its own time."""
    return 0 if proposal.inputs is None else proposal.inputs.timestamp_ms
