"""What a replica knows of the chain: the tree, the highest certificates, the round they put it in, the results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.proposals import Certificate, ExecutedBlock, Proposal, TimeoutCertificate
from chain.types import Height, Round
from consensus.commands import Certified, Commit, Placed, RoundGivenUp
from consensus.events import Timer
from consensus.outbox import Outbox
from consensus.pacemaker import Pacemaker
from consensus.payload import Payload
from consensus.production import View
from consensus.recovered import Recovered
from consensus.results import ExecutionResults
from consensus.safety import SafetyData, SafetyRules
from consensus.tree import Node, ProposalTree

ROUND_WINDOW = 16
"""How far from the current round votes and timeouts are kept."""


@dataclass(slots=True)
class ThisRound:
    """What this replica did in one round: the proposal it accepted, whether it refused or gave the round up, and
    whether both who count votes have got its own.
    """

    number: Round
    proposal: Proposal | None = None
    refused: bool = False
    gave_up: bool = False
    told_second_counter: bool = False
    attempts: int = 0


class ChainState:
    """Learns; decides nothing. Whatever comes in here has been checked."""

    def __init__(
        self,
        recovered: Recovered,
        safety: SafetyData,
        rules: SafetyRules,
        pacemaker: Pacemaker,
        payload: Payload,
        outbox: Outbox,
    ) -> None:
        self.safety = safety
        self.tree = ProposalTree(recovered.root)
        self.results = ExecutionResults(recovered.results)
        self.pacemaker = pacemaker
        self.missing: Certificate | None = None
        self.rounds_timed_out = 0
        self._rules = rules
        self._payload = payload
        self._outbox = outbox
        self._unexecuted = list(recovered.unexecuted)
        self._followed: tuple[Node, Height] | None = None
        self._restore(recovered.uncommitted)
        self._note_if_missing(self.safety.highest)
        self._this_round = self._restored_round()

    @property
    def round(self) -> Round:
        return self.pacemaker.round

    @property
    def this_round(self) -> ThisRound:
        """A clean page, with no timer running, as soon as the round has changed."""
        if self._this_round.number != self.round:
            self._this_round = ThisRound(self.round)
            self._outbox.stop_timer(Timer.ROUND)
        return self._this_round

    @property
    def tip(self) -> Node | None:
        """What the next proposal builds on; None while its body is missing."""
        return self.tree.get(self.safety.highest.proposal)

    @property
    def newest_result(self) -> Height:
        return self.results.height

    def view(self, tip: Node, due: bool) -> View:
        return View(tip, self.tree.root, self.newest_result, due)

    def executed_to_carry(self, tip: Node) -> ExecutedBlock:
        """The newest result known of a block on the branch, or what the branch carries if that is newer."""
        newest = self.results.newest_up_to(tip.height)
        return newest if newest is not None and newest.height > tip.executed.height else tip.executed

    def remember(self, safety: SafetyData, synced: bool) -> None:
        self.safety = safety
        self._outbox.remember(safety, synced)

    def insert(self, proposal: Proposal) -> None:
        """Takes in a proposal whose parent is known."""
        self.tree.insert(proposal)
        self._outbox.accept(proposal)
        if proposal.id == self.safety.highest.proposal:
            self.learn_certificate(self.safety.highest)
        if proposal.round == self.round:
            self.this_round.proposal = proposal

    def learn_certificate(self, certificate: Certificate, completed_here: bool = False) -> None:
        node = self.tree.get(certificate.proposal)
        if certificate.round > self.safety.highest.round:
            self.remember(replace(self.safety, highest=certificate), synced=False)
            self._outbox.add(Certified(certificate, None if node is None else node.height))
        self.pacemaker.advance_by_certificate(certificate.round)
        if node is None:
            self._note_if_missing(certificate)
        elif node.proposal is not None:
            self._commit_by(node.proposal, certificate if completed_here else None)

    def tell_highest(self) -> None:
        """For those who watch: what was known before this life."""
        highest = self.safety.highest
        if highest.round > 0:
            self._outbox.add(Certified(highest, None if self.tip is None else self.tip.height))

    def learn_timeout_certificate(self, certificate: TimeoutCertificate) -> None:
        known = self.safety.timeout_certificate
        if known is None or certificate.round > known.round:
            self.remember(replace(self.safety, timeout_certificate=certificate), synced=False)
            self._outbox.add(RoundGivenUp(certificate))
        proposed = self.tree.proposed_in(certificate.round) is not None
        if self.pacemaker.advance_by_timeout(certificate.round, proposed):
            self.rounds_timed_out += 1

    def learn_result(self, executed: ExecutedBlock) -> None:
        self.results.add(executed)
        self._unexecuted = [node for node in self._unexecuted if node.height > executed.height]

    def follow_branch(self) -> None:
        """Tells the mempool which blocks the next proposal comes after, when that changed."""
        tip = self.tip
        if tip is None or self._followed == (tip, self.newest_result):
            return
        self._followed = (tip, self.newest_result)
        nodes = [*self._unexecuted, *self.tree.path_to(tip.id)]
        blocks = [node.proposal for node in nodes if node.proposal is not None and node.height > self.newest_result]
        self._payload.follow([block for block in blocks if block.takes_height])

    def _restore(self, uncommitted: Sequence[Proposal]) -> None:
        """Proposals kept over a restart. One that leads nowhere any more is deleted, else its record stays for ever."""
        for proposal in uncommitted:
            if proposal.parent in self.tree:
                self.tree.insert(proposal)
            else:
                self._outbox.abandon((proposal.id,))

    def _restored_round(self) -> ThisRound:
        """After a restart: what was done in this round before it, so that nothing is done differently."""
        vote, node = self.safety.vote, self.tree.proposed_in(self.round)
        voted = vote is not None and vote.round == self.round
        gave_up = self.safety.last_voted_round >= self.round and not voted
        return ThisRound(self.round, proposal=None if node is None else node.proposal, gave_up=gave_up)

    def _note_if_missing(self, certificate: Certificate) -> None:
        if certificate.proposal in self.tree or certificate.round <= self.tree.root.round:
            return
        if self.missing is None or certificate.round > self.missing.round:
            self.missing = certificate

    def _commit_by(self, certified: Proposal, proof: Certificate | None) -> None:
        id = self._rules.committed_by(certified, self.tree.proposal)
        node = None if id is None else self.tree.get(id)
        if node is None or node.depth <= self.tree.root.depth:
            self._abandon(self._pruned())
            return
        committed, abandoned = self.tree.commit(node.id)
        self.pacemaker.committed()
        blocks = [n for n in committed if n.proposal is not None and n.proposal.takes_height]
        executed = max(self.newest_result, node.executed.height)
        self._unexecuted = [n for n in [*self._unexecuted, *blocks] if n.height > executed]
        placed = tuple(Placed(n.depth, n.proposal) for n in committed if n.proposal is not None)
        following = tuple(n.proposal for n in self.tree.path_to(certified.id) if n.proposal is not None)
        self._outbox.commit(Commit(placed, following, proof), tuple(n.id for n in abandoned))

    def _pruned(self) -> list[Node]:
        return [] if self.tip is None else self.tree.prune(self.tip)

    def _abandon(self, nodes: list[Node]) -> None:
        if nodes:
            self._outbox.abandon(tuple(node.id for node in nodes))
