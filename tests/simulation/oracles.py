"""What must be true whatever happens, looked at every time an honest replica has done something.

Liars are not watched: nothing is promised of them.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from chain.proposals import Certificate, ExecutedBlock, Proposal
from chain.types import Hash32, Height, ValidatorIndex
from consensus.core import Core
from consensus.errors import ConsensusError
from consensus.safety import SafetyData
from consensus.signatures import Statement
from consensus.tree import GENESIS_EXECUTED

STATEMENT_AT, ROUND_AT, CONTENT_AT = 32, 33, 41
"""Where a signed content has its parts, after the 32 bytes that name the chain (`consensus.signatures`)."""

EXPECTED_REJECTIONS = frozenset(("OutOfWindow", "UnexpectedProposals", "WrongTimestamp"))
"""What honest replicas may refuse of each other: what is too far ahead, what was asked for twice, and the time of
another whose clock is wrong."""


class Violation(AssertionError):
    """A promise of the protocol is broken."""


class Oracles:
    def __init__(self, stakes: Sequence[int], executed: Callable[[Height], ExecutedBlock | None]) -> None:
        self._stakes = stakes
        self._executed = executed
        self.chain: dict[int, Hash32] = {}
        self.blocks: dict[Height, Proposal] = {}
        self.rounds_between_commits: Counter[int] = Counter()
        self._newest: Proposal | None = None
        self._votes: dict[tuple[ValidatorIndex, int], bytes] = {}
        self._proposals: dict[tuple[ValidatorIndex, int], bytes] = {}
        self._timeouts: set[tuple[ValidatorIndex, int]] = set()
        self._built_on: dict[bytes, int] = {}
        self._voted_for: dict[ValidatorIndex, list[bytes]] = {}
        self._certificates: dict[int, Certificate] = {}
        self.forgetful: set[ValidatorIndex] = set()
        """Those that lost their disks, of which nothing is promised for what they signed before."""

    def forgets(self, validator: ValidatorIndex) -> None:
        """All that it signed. From here on it must not contradict itself again."""
        self.forgetful.add(validator)
        self._votes = {key: what for key, what in self._votes.items() if key[0] != validator}
        self._proposals = {key: what for key, what in self._proposals.items() if key[0] != validator}
        self._timeouts = {key for key in self._timeouts if key[0] != validator}
        self._voted_for.pop(validator, None)

    def proposed(self, proposal: Proposal) -> None:
        """Somebody said so."""
        self._built_on[proposal.id] = proposal.certificate.round

    def signed(self, validator: ValidatorIndex, content: bytes) -> None:
        """An honest replica signed this, and what the signature depends on is durable."""
        round, what = int.from_bytes(content[ROUND_AT:CONTENT_AT], "big"), content[CONTENT_AT:]
        match content[STATEMENT_AT]:
            case Statement.VOTE:
                self._voted(validator, round, what)
            case Statement.TIMEOUT:
                self._gave_up(validator, round, int.from_bytes(what, "big"))
            case Statement.PROPOSAL:
                if self._proposals.setdefault((validator, round), what) != what:
                    raise Violation(f"validator {validator} proposed twice in round {round}")

    def _voted(self, validator: ValidatorIndex, round: int, proposal: bytes) -> None:
        voted = self._votes.setdefault((validator, round), proposal)
        if voted != proposal:
            raise Violation(f"validator {validator} voted twice in round {round}")
        if (validator, round) in self._timeouts:
            raise Violation(f"validator {validator} voted in round {round}, which it had given up")

        self._voted_for.setdefault(validator, []).append(proposal)

    def _gave_up(self, validator: ValidatorIndex, round: int, highest: int) -> None:
        """A timeout tells of a certificate at least as new as any its signer voted on: Jolteon rests on that."""
        self._timeouts.add((validator, round))
        known = max((self._built_on.get(id, 0) for id in self._voted_for.get(validator, ())), default=0)
        if highest < known:
            raise Violation(
                f"validator {validator} gave up round {round} knowing a certificate of round {highest}, "
                f"though it had voted on one of round {known}"
            )

    def holds(self, validator: ValidatorIndex, certificate: Certificate) -> None:
        """A certificate is one: different validators signed it, with more than two thirds of the stake."""
        if certificate.round == 0 or id(certificate) in self._certificates:
            return
        self._certificates[id(certificate)] = certificate
        signers = {vote.validator for vote in certificate.votes}
        if 3 * sum(self._stakes[signer] for signer in signers) <= 2 * sum(self._stakes):
            raise Violation(f"validator {validator} takes the votes of {sorted(signers)} for a quorum")

    def remembers(self, validator: ValidatorIndex, safety: SafetyData) -> None:
        """What a replica holds after a step."""
        self.holds(validator, safety.highest)
        if safety.highest.round < safety.lock.round:
            raise Violation(
                f"validator {validator} is locked on round {safety.lock.round}, but its highest certificate is of "
                f"round {safety.highest.round}"
            )

    def committed(self, depth: int, id: Hash32, proposal: Callable[[], Proposal]) -> bool:
        """An honest replica committed that there. True if it is the first one to."""
        agreed = self.chain.get(depth)
        if agreed is not None:
            if agreed != id:
                raise Violation(f"two proposals are committed at depth {depth}")
            return False
        self.chain[depth] = id
        self._extends(proposal())
        return True

    def _extends(self, proposal: Proposal) -> None:
        before = self._newest
        known = GENESIS_EXECUTED if before is None else before.executed
        if proposal.executed.height < known.height:
            raise Violation(f"a committed proposal carries result {proposal.executed.height} after {known.height}")
        if proposal.executed.height > 0 and self._executed(proposal.executed.height) != proposal.executed:
            raise Violation(f"a wrong result of block {proposal.executed.height} is committed")
        if before is not None and proposal.parent != before.id:
            raise Violation(f"the proposal of round {proposal.round} does not follow the one committed before it")
        if before is not None:
            self.rounds_between_commits[proposal.round - before.round] += 1
        if proposal.takes_height:
            if proposal.height in self.blocks:
                raise Violation(f"two committed proposals make block {proposal.height}")
            self.blocks[proposal.height] = proposal
        self._newest = proposal

    def kept(self, validator: ValidatorIndex, depth: int, id_at_depth: Callable[[int], Hash32 | None]) -> None:
        """A replica came back with a committed chain of that depth."""
        for known in range(1, depth + 1):
            if self.chain.get(known, id_at_depth(known)) != id_at_depth(known):
                raise Violation(f"validator {validator} came back with another proposal at depth {known}")

    def rejected(self, by: ValidatorIndex, peer: ValidatorIndex, error: ConsensusError) -> None:
        """An honest replica refused what another honest one said, over a network that changes nothing."""
        if type(error).__name__ not in EXPECTED_REJECTIONS:
            raise Violation(f"validator {by} refused what {peer} said, and both are honest: {error!r}")


def safety_of(core: object) -> SafetyData:
    """What a replica of the HotStuff family remembers at this moment."""
    assert isinstance(core, Core)
    return core._state.safety
