"""What must be true whatever happens, looked at every time an honest replica has done something.

Liars are not watched: nothing is promised of them.
"""

from collections import Counter
from collections.abc import Callable

from chain.proposals import ExecutedBlock, Proposal
from chain.types import BlockNumber, Hash32, ValidatorIndex
from consensus.core import Core
from consensus.errors import ConsensusError
from consensus.safety import SafetyData
from consensus.signatures import Statement
from consensus.tree import GENESIS_EXECUTED

STATEMENT_AT, ROUND_AT, CONTENT_AT = 32, 33, 41
"""Where a signed content has its parts, after the 32 bytes that name the chain (`consensus.signatures`)."""

EXPECTED_REJECTIONS = frozenset(("AlreadyCounted", "OutOfWindow", "UnexpectedProposals", "WrongTimestamp"))
"""What honest replicas may refuse of each other: what is too far ahead, what was asked for twice, and the time of
another whose clock is wrong."""


class Violation(AssertionError):
    """A promise of the protocol is broken."""


class Oracles:
    def __init__(self, executed: Callable[[BlockNumber], ExecutedBlock | None]) -> None:
        self._executed = executed
        self.chain: dict[int, Hash32] = {}
        self.blocks: dict[BlockNumber, Proposal] = {}
        self.rounds_between_commits: Counter[int] = Counter()
        self._newest: Proposal | None = None
        self._votes: dict[tuple[ValidatorIndex, int], bytes] = {}
        self._proposals: dict[tuple[ValidatorIndex, int], bytes] = {}
        self._timeouts: set[tuple[ValidatorIndex, int]] = set()

    def signed(self, validator: ValidatorIndex, content: bytes) -> None:
        """An honest replica signed this, and what the signature depends on is durable."""
        round, what = int.from_bytes(content[ROUND_AT:CONTENT_AT], "big"), content[CONTENT_AT:]
        match content[STATEMENT_AT]:
            case Statement.VOTE:
                self._voted(validator, round, what)
            case Statement.TIMEOUT:
                self._timeouts.add((validator, round))
            case Statement.PROPOSAL:
                if self._proposals.setdefault((validator, round), what) != what:
                    raise Violation(f"validator {validator} proposed twice in round {round}")

    def _voted(self, validator: ValidatorIndex, round: int, proposal: bytes) -> None:
        voted = self._votes.setdefault((validator, round), proposal)
        if voted != proposal:
            raise Violation(f"validator {validator} voted twice in round {round}")
        if (validator, round) in self._timeouts:
            raise Violation(f"validator {validator} voted in round {round}, which it had given up")

    def committed(self, height: int, id: Hash32, proposal: Callable[[], Proposal]) -> bool:
        """An honest replica committed that there. True if it is the first one to."""
        agreed = self.chain.get(height)
        if agreed is not None:
            if agreed != id:
                raise Violation(f"two proposals are committed at height {height}")
            return False
        self.chain[height] = id
        self._extends(proposal())
        return True

    def _extends(self, proposal: Proposal) -> None:
        before = self._newest
        known = GENESIS_EXECUTED if before is None else before.executed
        if proposal.executed.number < known.number:
            raise Violation(f"a committed proposal carries result {proposal.executed.number} after {known.number}")
        if proposal.executed.number > 0 and self._executed(proposal.executed.number) != proposal.executed:
            raise Violation(f"a wrong result of block {proposal.executed.number} is committed")
        if before is not None and proposal.parent != before.id:
            raise Violation(f"the proposal of round {proposal.round} does not follow the one committed before it")
        if before is not None:
            self.rounds_between_commits[proposal.round - before.round] += 1
        if proposal.makes_block:
            if proposal.number in self.blocks:
                raise Violation(f"two committed proposals make block {proposal.number}")
            self.blocks[proposal.number] = proposal
        self._newest = proposal

    def kept(self, validator: ValidatorIndex, height: int, id_at_height: Callable[[int], Hash32 | None]) -> None:
        """A replica came back with a committed chain of that height."""
        for known in range(1, height + 1):
            if self.chain.get(known, id_at_height(known)) != id_at_height(known):
                raise Violation(f"validator {validator} came back with another proposal at height {known}")

    def rejected(self, by: ValidatorIndex, peer: ValidatorIndex, error: ConsensusError) -> None:
        """An honest replica refused what another honest one said, over a network that changes nothing."""
        if type(error).__name__ not in EXPECTED_REJECTIONS:
            raise Violation(f"validator {by} refused what {peer} said, and both are honest: {error!r}")


def safety_of(core: object) -> SafetyData:
    """What a replica of the HotStuff family remembers at this moment."""
    assert isinstance(core, Core)
    return core._state.safety


def check_safety(validator: ValidatorIndex, safety: SafetyData) -> None:
    if safety.highest.round < safety.lock.round:
        raise Violation(
            f"validator {validator} is locked on round {safety.lock.round}, but its highest certificate is of "
            f"round {safety.highest.round}"
        )
