"""Carries out what the core and the mempool say, one group of events at a time. Synchronous and without a clock, so
that the simulation drives it exactly as the validator process does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from chain.genesis import Genesis
from chain.messages.mempool import Admit, Admitted, BlockResult
from chain.operations import AdmitOperations, OperationsAdmitted
from chain.proposals import CommitProof, ExecutedBlock, Proposal, decode_proposal, encode_proposal
from chain.types import ExecutorIndex, Hash32, ValidatorIndex
from consensus import equivocation
from consensus.block_stages import BlockStages
from consensus.commands import CancelTimer, Command, Commit, Persist, Report, Send, ServeProposals, SetTimer
from consensus.commit_proofs import newest_proof
from consensus.errors import ConsensusError, Late, RepeatedQuestion, StoreIncomplete, WrongResult
from consensus.events import Event, PayloadChanged, PeerMessage, ResultReceived, Timer, TimerFired
from consensus.executors import Executors
from consensus.fetching import MAX_FETCHED_PROPOSALS, MAX_SERVED_BYTES
from consensus.leaders import LeaderSchedule
from consensus.mempool import DEFAULT_LIMITS, Mempool, MempoolChanges, MempoolLimits
from consensus.registry import leader_schedule, rule_set
from consensus.rejections import Rejections
from consensus.rules import RuleSet, Seat
from consensus.seen_certificates import SeenCertificates
from consensus.settings import DEFAULT_SETTINGS, ConsensusSettings
from consensus.signatures import Signer, Verifier
from consensus.store import KeyValue, ValidatorStore
from consensus.wire import FetchProposals, Proposals

FIRST_EXECUTOR = ExecutorIndex(0)


@dataclass(frozen=True, slots=True)
class AdmitReceived:
    """`ticket` comes back with the answer."""

    admit: Admit
    ticket: int


@dataclass(frozen=True, slots=True)
class BlockResultReceived:
    result: BlockResult
    executor: ExecutorIndex = FIRST_EXECUTOR


@dataclass(frozen=True, slots=True)
class OperationsReceived:
    """`ticket` comes back with the answer."""

    admit: AdmitOperations
    ticket: int


Input: TypeAlias = Event | AdmitReceived | OperationsReceived | BlockResultReceived


class Environment(Protocol):
    """What a replica needs of the world. None of these may block or call back."""

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None: ...

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None: ...

    def cancel_timer(self, timer: Timer) -> None: ...

    def admitted(self, ticket: int, answer: Admitted | OperationsAdmitted) -> None:
        """What was received under that ticket is durable."""
        ...

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None: ...

    def blocks_committed(self, proof: CommitProof | None) -> None:
        """The store holds more committed blocks than before; the newest is final by the `proof`, if there is one."""
        ...

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None: ...


class Replica:
    """Rule set and leader schedule are those that genesis names, unless others are given (tests give broken ones)."""

    def __init__(
        self,
        me: ValidatorIndex,
        genesis: Genesis,
        signer: Signer,
        verifier: Verifier,
        database: KeyValue,
        environment: Environment,
        settings: ConsensusSettings = DEFAULT_SETTINGS,
        limits: MempoolLimits = DEFAULT_LIMITS,
        rules: RuleSet | None = None,
        leaders: LeaderSchedule | None = None,
    ) -> None:
        self.rules = rules or rule_set(genesis.rules)
        stakes = [identity.stake for identity in genesis.validators]
        schedule = leaders or leader_schedule(genesis.leaders, stakes)
        self.store = ValidatorStore(database, genesis)
        self.mempool = Mempool(genesis, limits)
        self.mempool.restore(
            self.store.mempool_entries(),
            self.store.senders(),
            self.store.newest_result,
            self.store.next_base_fee,
            self.store.production,
            self.store.operations(),
        )
        recovered = self.store.recover(genesis.max_lag, self.rules.safety)
        self.executors = Executors(settings.executors, self.store.executed, self.store.claims)
        seat = Seat(me, genesis, schedule, signer, verifier, self.mempool, settings, recovered)
        self.core = self.rules.core(seat)
        self.stages = BlockStages(self.store, self.core.status().verified, recovered.uncommitted)
        self.certificates = SeenCertificates()
        self.rejections, self.late = Rejections(), Rejections()
        self.equivocator = equivocation.Equivocator(me, genesis, signer)
        self._environment = environment
        self._alone = len(genesis.validators) == 1

    def handle(self, inputs: Sequence[Input], now_ms: int) -> None:
        """Handles a group with one durable write, after which everything else of it is done in order.

        Who waits for blocks is told before, if this validator is believed at once: clients wait for what comes of them.
        """
        self.equivocator.now_ms = now_ms
        commands: list[Command] = []
        admitted: list[tuple[int, Admitted | OperationsAdmitted]] = []
        told = 0
        for item in inputs:
            match item:
                case AdmitReceived(admit, ticket):
                    admitted.append((ticket, self._admit(admit)))
                case OperationsReceived(operations, ticket):
                    admitted.append((ticket, self._admit_operations(operations)))
                case BlockResultReceived():
                    commands += self._take_result(item, now_ms)
                case _:
                    if isinstance(item, TimerFired) and len(admitted) > told:  # it may look whether any came
                        commands += self.core.handle(PayloadChanged(), now_ms)
                        told = len(admitted)
                    commands += self.core.handle(item, now_ms)
        if len(admitted) > told:
            commands += self.core.handle(PayloadChanged(), now_ms)
        self.store.apply([command for command in commands if isinstance(command, Persist)])
        committed = any(isinstance(command, Commit) and command.makes_block for command in commands)
        proof = newest_proof(commands) if committed and not self._alone else None
        heard_first = committed and (self._alone or proof is not None)
        if heard_first:
            self._environment.blocks_committed(proof)
        for ticket, answer in admitted:
            self._environment.admitted(ticket, answer)
        for command in with_one_answer_each(commands):
            self._carry_out(command)
            self.stages.carried_out(command, now_ms)
            self.certificates.carried_out(command)
        if committed and not heard_first:
            self._environment.blocks_committed(None)

    def _admit(self, admit: Admit) -> Admitted:
        changes = self.mempool.admit(admit.transactions, admit.senders, admit.height)
        self.store.apply_mempool(changes)
        self._tell_evicted(changes)
        return Admitted(tuple(changes.refused))

    def _admit_operations(self, admit: AdmitOperations) -> OperationsAdmitted:
        refusal, new = self.mempool.admit_operations(admit.operations)
        self.store.add_operations(new)
        return OperationsAdmitted(refusal)

    def _take_result(self, received: BlockResultReceived, now_ms: int) -> list[Command]:
        """The mempool and the core hear only of results that the executors agree on."""
        heard = self.executors.hear(received.executor, received.result)
        commands: list[Command] = []
        for result in heard.agreed:
            changes = self.mempool.apply_result(result)
            executed = ExecutedBlock(result.height, result.header_hash)
            self.store.add_result(executed, result.next_base_fee, result.production, changes)
            self._tell_evicted(changes)
            commands += self.core.handle(ResultReceived(executed), now_ms)
        self.store.keep_claims(self.executors.to_store())
        unnamed = [wrong for wrong in heard.contradictions if self.executors.counts(wrong.executor)]
        return commands + [Report(None, WrongResult(wrong)) for wrong in unnamed]

    def _tell_evicted(self, changes: MempoolChanges) -> None:
        if changes.evicted:
            self._environment.evicted(changes.evicted)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send():
                for peer, message in self.equivocator.addressed(command):
                    self._environment.send(peer, message)
            case SetTimer(timer, token, delay_ms):
                self._environment.set_timer(timer, token, delay_ms)
            case CancelTimer(timer):
                self._environment.cancel_timer(timer)
            case ServeProposals():
                self._environment.send(command.to, self._served(command))
            case Report(peer, error):
                self._count(peer if error.culprit is None else error.culprit, error)
            case Persist() | Commit():
                pass

    def _count(self, culprit: ValidatorIndex | None, error: ConsensusError) -> None:
        """What honest peers do too is counted apart, and nobody is told."""
        if isinstance(error, Late):
            self.late.count(culprit, type(error).__name__)
        else:
            self.rejections.count(culprit, type(error).__name__)
            self._environment.report(culprit, error)

    def _served(self, command: ServeProposals) -> Proposals:
        """The committed chain after what the asker has, then the uncommitted path, cut to a bounded batch."""
        uncommitted = {placed.depth: placed.proposal for placed in command.uncommitted}
        depth = self._common_depth(command.request, uncommitted) + 1
        served: list[bytes] = []
        size = 0
        while depth <= command.depth and len(served) < MAX_FETCHED_PROPOSALS and size < MAX_SERVED_BYTES:
            served.append(self._encoded_at(depth, uncommitted))
            size += len(served[-1])
            depth += 1
        if not served:
            return Proposals((), None)
        if depth > command.depth:
            return Proposals(tuple(served), command.certificate)
        following = decode_proposal(self._encoded_at(depth, uncommitted))
        return Proposals(tuple(served), following.certificate)

    def _encoded_at(self, depth: int, uncommitted: Mapping[int, Proposal]) -> bytes:
        """Raises StoreIncomplete."""
        if depth in uncommitted:
            return encode_proposal(uncommitted[depth])
        id = self.store.id_at_depth(depth)
        if id is None:
            raise StoreIncomplete(depth.to_bytes(8, "big"))
        return self.store.encoded_proposal(id)

    def _common_depth(self, request: FetchProposals, uncommitted: Mapping[int, Proposal]) -> int:
        """The newest depth that the asker shares with this replica's chain."""
        known = request.known_depth
        if 0 <= known <= self.store.committed_depth + len(uncommitted):
            here = uncommitted[known].id if known in uncommitted else self.store.id_at_depth(known)
            if here == request.known:
                return known
        return min(max(request.committed_depth, 0), self.store.committed_depth)


def with_one_answer_each(commands: Sequence[Command]) -> list[Command]:
    """Of what one peer asked for in this group only the last is answered: one chain for each is costly enough."""
    last = {command.to: command for command in commands if isinstance(command, ServeProposals)}
    return [
        Report(c.to, RepeatedQuestion()) if isinstance(c, ServeProposals) and c is not last[c.to] else c
        for c in commands
    ]
