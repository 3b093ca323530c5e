"""The smallest rule set that shares nothing with HotStuff: one authority seals proposals, the others follow it.

It has a message and a safety record of its own, no votes, no certificates and no rounds that time out. It exists to
show what a rule set must bring, and that store, replica and process take one they have never heard of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.codec import message
from chain.proposals import BlockInputs, Certificate, Proposal
from chain.types import ZERO_HASH, Height, Round, ValidatorIndex
from consensus.commands import Command, Commit, Persist, Placed, Report, Send
from consensus.errors import WrongParent, WrongSignature
from consensus.events import Event, MessageReceived, PayloadChanged, Started
from consensus.rules import CoreStatus, Seat
from consensus.tree import GENESIS_EXECUTED, child_node

AUTHORITY = ValidatorIndex(0)


@message(29)
@dataclass(frozen=True, slots=True)
class Sealed:
    """The authority's next proposal; final as it is."""

    proposal: Proposal
    signature: bytes


@dataclass(frozen=True, slots=True)
class Sealing:
    """What an authority must never forget: the newest round it sealed."""

    round: Round


class ProofOfAuthority:
    name = "authority"
    messages: tuple[type[Any], ...] = (Sealed,)
    safety: type[Any] = Sealing

    def core(self, seat: Seat) -> "AuthorityCore":
        return AuthorityCore(seat)

    def commits(self, proposal: Proposal, following: Sequence[Proposal]) -> bool:
        return False


class AuthorityCore:
    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._newest = seat.recovered.root
        self._sealing: Sealing = seat.recovered.safety or Sealing(Round(0))
        self._blocks = [node.proposal for node in seat.recovered.unexecuted if node.proposal is not None]
        seat.payload.follow(self._blocks)

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        match event:
            case MessageReceived(sender, Sealed(proposal, signature)):
                return self._follow(sender, proposal, signature)
            case Started() | PayloadChanged() if self._seat.me == AUTHORITY and self._seat.payload.pending().packable:
                return self._seal(now_ms)
        return []

    def status(self) -> CoreStatus:
        height, round = self._newest.height, self._newest.round
        zero = Height(0)
        return CoreStatus(round, AUTHORITY, height, height, height, zero, ZERO_HASH, zero, ZERO_HASH, 0, ())

    def _seal(self, now_ms: int) -> list[Command]:
        seat, parent = self._seat, self._newest
        proposal = Proposal(
            parent=parent.id,
            round=Round(self._sealing.round + 1),
            proposer=AUTHORITY,
            certificate=Certificate(parent.id, parent.round, ()),
            timeout_certificate=None,
            height=Height(parent.height + 1),
            inputs=BlockInputs(
                now_ms, seat.genesis.validators[AUTHORITY].beneficiary, ZERO_HASH, seat.genesis.gas_limit
            ),
            executed=GENESIS_EXECUTED,
            transactions=seat.payload.pack().transactions,
        )
        others = tuple(ValidatorIndex(i) for i in range(1, len(seat.genesis.validators)))
        self._sealing = Sealing(proposal.round)
        return [*self._commit(proposal), Send(others, Sealed(proposal, seat.signer.sign(proposal.id)))]

    def _follow(self, sender: ValidatorIndex, proposal: Proposal, signature: bytes) -> list[Command]:
        if not self._seat.verifier.verify(AUTHORITY, proposal.id, signature):
            return [Report(sender, WrongSignature("seal", AUTHORITY, proposal.round))]
        if proposal.parent != self._newest.id:
            return [Report(sender, WrongParent("not the next one"))]
        return self._commit(proposal)

    def _commit(self, proposal: Proposal) -> list[Command]:
        self._newest = child_node(proposal, self._newest)
        placed = (Placed(self._newest.depth, proposal),)
        self._blocks.append(proposal)
        self._seat.payload.follow(self._blocks)
        return [Persist(self._sealing, (proposal,), placed, (), synced=True), Commit(placed)]
