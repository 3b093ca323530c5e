"""What a rule set is: the protocol by which replicas agree on one chain, behind one interface.

A rule set is named in genesis and found by that name in `registry.py`. It owns

- its messages: what its replicas say to each other. The validator process lets nothing else in. They are dataclasses
  with codec tags of their own (10 to 29, `wire.py` has those taken);
- its safety record: what a replica must never forget. The store keeps it beside the proposals without looking inside;
- its core: the state machine that turns events into commands. Around it everything is the same for every rule set:
  store, mempool, timers, links, followers.

A family of rule sets may share messages, record and core, and differ in a few predicates: `hotstuff.py` is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chain.genesis import Genesis
from chain.proposals import Proposal
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.commands import Command
from consensus.events import Event
from consensus.leaders import LeaderSchedule
from consensus.payload import Payload
from consensus.recovered import Recovered
from consensus.settings import ConsensusSettings
from consensus.signatures import Signer, Verifier


@dataclass(frozen=True, slots=True)
class CoreStatus:
    """A look inside: rounds, the newest block in each stage of its life, and the leaders that seem to be gone."""

    round: Round
    leader: ValidatorIndex
    proposed: Height
    certified: Height
    committed: Height
    executed: Height
    executed_hash: Hash32
    verified: Height
    verified_hash: Hash32
    timeouts: int
    suspected: tuple[ValidatorIndex, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """One validator's place at the table: all that a core is made from.

    `payload` is its mempool, called synchronously and as deterministic as the core.
    """

    me: ValidatorIndex
    genesis: Genesis
    leaders: LeaderSchedule
    signer: Signer
    verifier: Verifier
    payload: Payload
    settings: ConsensusSettings
    recovered: Recovered


class ConsensusCore(Protocol):
    """One validator's protocol as a pure state machine: no socket, clock, disk, thread or randomness inside."""

    def handle(self, event: Event, now_ms: int) -> list[Command]:
        """Everything that follows from `event`. `now_ms` is the time since 1970; it never runs backwards."""
        ...

    def status(self) -> CoreStatus: ...


class RuleSet(Protocol):
    """Keeps no state itself: one object may make many cores."""

    @property
    def name(self) -> str:
        """As genesis and `--consensus` name it; every signature covers it."""
        ...

    @property
    def messages(self) -> tuple[type[Any], ...]:
        """What its replicas say to each other."""
        ...

    @property
    def safety(self) -> type[Any]:
        """The dataclass of its safety record."""
        ...

    def core(self, seat: Seat) -> ConsensusCore: ...

    def commits(self, proposal: Proposal, following: Sequence[Proposal]) -> bool:
        """Whether a certificate of the last of these descendants, each the child of the one before, commits `proposal`
        for everyone who sees it. Never, where there are no certificates.
        """
        ...
