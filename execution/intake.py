"""Which committed proposals execution takes: those that more than a third of the stake says were committed, or one
validator, if it proves it.

Of more than a third at least one is honest, and an honest one says it only of a committed proposal. Pure; the process
feeds it what validators push, in any order and as often as they like.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from chain.codec import MessageError
from chain.keccak import keccak256
from chain.messages.mempool import Committed
from chain.proposals import CommitProof, Proposal, decode_proposal
from chain.types import Hash32, Height, ValidatorIndex
from execution.errors import ExecutionError

WINDOW = 32
"""How many heights ahead of execution claims are taken; validators wait with the rest."""

Prove: TypeAlias = Callable[[Proposal, CommitProof], bool]
"""Whether the proof shows that the proposal is committed."""


def nothing_is_proven(proposal: Proposal, proof: CommitProof) -> bool:
    """For whoever knows no keys."""
    return False


class FalseProposal(ExecutionError):
    """A validator sent a proposal under an id that is not its hash."""

    def __init__(self, validator: int, committed: Committed) -> None:
        super().__init__(f"validator {validator} sent height {committed.height}, which is not 0x{committed.id.hex()}")


class ProposalsForked(ExecutionError):
    """More than a third of the stake committed something that does not follow what was executed."""

    def __init__(self, height: Height, after: Hash32, executed: Hash32) -> None:
        super().__init__(
            f"the validators committed height {height} after proposal 0x{after.hex()}, but 0x{executed.hex()} is what "
            "was executed before it: the data folders of execution and of the validators belong to different chains"
        )


@dataclass(slots=True)
class _Claims:
    """What validators say was committed at one height, and after what: at most one claim each, and what one proved.

    Who lies about what a proposal comes after says something else than those who tell the truth about it.
    """

    by_validator: dict[int, Committed] = field(default_factory=dict)
    proven: Committed | None = None
    prover: ValidatorIndex | None = None

    def know(self, committed: Committed) -> bool:
        """Whether another validator sent the same proposal, whose id has been held against it."""
        others = self.by_validator.values()
        return any(claim.id == committed.id and claim.proposal == committed.proposal for claim in others)


class Intake:
    """Collects claims and gives the accepted proposals in order, starting after the cursor."""

    def __init__(
        self, stakes: Sequence[int], height: Height, proposal: Hash32, prove: Prove = nothing_is_proven
    ) -> None:
        self._stakes = list(stakes)
        self._claims: dict[Height, _Claims] = {}
        self._prove = prove
        self.prover: ValidatorIndex | None = None
        """Who proved the newest proposal accepted, if anyone needed to."""
        self.height = height
        self.cursor = proposal

    def claim(self, validator: int, committed: Committed) -> list[Committed]:
        """A validator says that this was committed. Gives what is accepted by that, in order.

        Raises FalseProposal, and ProposalsForked.
        """
        if committed.height <= self.height:
            return []
        claims = self._claims.setdefault(committed.height, _Claims())
        if not claims.know(committed) and keccak256(committed.proposal) != committed.id:
            raise FalseProposal(validator, committed)
        claims.by_validator[validator] = committed
        if claims.proven is None and self._is_proven(committed):
            claims.proven = committed
            claims.prover = ValidatorIndex(validator)
        accepted = []
        while (found := self._next()) is not None:
            if found.after != self.cursor:
                raise ProposalsForked(found.height, found.after, self.cursor)
            self.prover = self._claims.pop(found.height).prover
            self.height, self.cursor = found.height, found.id
            accepted.append(found)
        return accepted

    def _is_proven(self, committed: Committed) -> bool:
        """Only of what comes next: with a height and a place in the chain that the proposal itself has, which many
        validators have checked. Anything else waits for the others.
        """
        if committed.proof is None or committed.height != self.height + 1 or committed.after != self.cursor:
            return False
        try:
            proposal = decode_proposal(committed.proposal)
        except MessageError:
            return False
        makes_it = proposal.takes_height and proposal.height == committed.height and proposal.id == committed.id
        return makes_it and self._prove(proposal, committed.proof)

    def _next(self) -> Committed | None:
        claims = self._claims.get(Height(self.height + 1))
        if claims is None:
            return None
        if claims.proven is not None:
            return claims.proven
        stake: dict[tuple[Hash32, Hash32], int] = {}
        for validator, claim in claims.by_validator.items():
            said = claim.id, claim.after
            stake[said] = stake.get(said, 0) + self._stakes[validator]
            if 3 * stake[said] > sum(self._stakes):
                return claim
        return None
