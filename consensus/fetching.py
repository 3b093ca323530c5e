"""The asking and the answering side of catching up, over what the replica knows."""

from chain.codec import MessageError
from chain.proposals import Certificate, Proposal, decode_proposal
from chain.types import ValidatorIndex
from consensus.authentication import Authenticator
from consensus.catchup import Catchup
from consensus.chain_state import ChainState
from consensus.commands import Placed, ServeProposals
from consensus.errors import InvalidCertificate, UnexpectedProposals
from consensus.events import Timer
from consensus.outbox import Outbox
from consensus.proposal_checks import ChainRules, check_extends
from consensus.tree import Node
from consensus.wire import FetchProposals, ProposalMessage, Proposals

MAX_FETCHED_PROPOSALS = 256
"""The most in one answer."""
MAX_SERVED_BYTES = 1024 * 1024
"""The size beyond which no further proposal goes into an answer."""


class Fetching:
    """Fetched proposals are taken in only once their certificate verified, and are never voted for."""

    def __init__(
        self, me: ValidatorIndex, state: ChainState, authenticator: Authenticator, rules: ChainRules, outbox: Outbox
    ) -> None:
        self._state = state
        self._authenticator = authenticator
        self._rules = rules
        self._outbox = outbox
        self._catchup = Catchup(me)

    @property
    def active(self) -> bool:
        return self._catchup.target is not None

    def keep(self, orphan: ProposalMessage) -> None:
        self._catchup.keep(orphan)

    def begin_if_missing(self, source: ValidatorIndex | None) -> None:
        """Asks `source`, or a signer, when a certified proposal is missing and nobody was asked yet."""
        missing = self._state.missing
        if missing is None:
            return
        self._catchup.want(missing)
        if self._catchup.asked is None and not self._outbox.is_running(Timer.FETCH):
            self._ask(source if source is not None else self._catchup.next_peer())

    def ask_another(self) -> None:
        """The peer asked did not answer in time."""
        if self.active:
            self._ask(self._catchup.next_peer())

    def peer_connected(self, peer: ValidatorIndex) -> None:
        """What was asked of a peer before its link broke is lost, and silence before that says nothing of this one.

        Whoever connects again and again puts off no timer that runs for it already: others must get their turn.
        """
        catchup = self._catchup
        if self.active and (catchup.silent or catchup.asked in (None, peer)):
            put_off = catchup.silent or not self._outbox.is_running(Timer.FETCH)
            catchup.start_over()
            self._request(peer)
            if put_off:
                self._start_timer()

    def finish_if_complete(self) -> ProposalMessage | None:
        """When all that was missing is there: the proposal that had to wait for it."""
        target, state = self._catchup.target, self._state
        if target is None or (target.proposal not in state.tree and target.round > state.tree.root.round):
            return None
        state.missing = None
        self._outbox.stop_timer(Timer.FETCH)
        return self._catchup.finish()

    def serve(self, asker: ValidatorIndex, request: FetchProposals) -> None:
        """Answers with the way from the committed chain to the tip, to what the asker misses where that is on another
        branch, or to the root where the tip is missing here.
        """
        state, wanted = self._state, request.missing
        end, certificate = state.tip, state.safety.highest
        path = [] if end is None else state.tree.path_to(end.id)
        aside = state.tree.get(wanted.proposal)
        if aside is not None and aside is not state.tree.root and aside not in path:
            end, certificate, path = aside, wanted, state.tree.path_to(aside.id)
        if end is not None:
            placed = tuple(Placed(n.depth, n.proposal) for n in path if n.proposal is not None)
            self._outbox.add(ServeProposals(asker, request, placed, end.depth, certificate))
            return
        root = state.tree.root
        child = next((n for n in state.tree.children(root.id) if n.proposal is not None), None)
        if child is not None and child.proposal is not None:
            self._outbox.add(ServeProposals(asker, request, (), root.depth, child.proposal.certificate))

    def take(self, sender: ValidatorIndex, answer: Proposals) -> None:
        """Proposals that were asked for. Raises `Rejected` subclasses; what was taken in before stays.

        An answer counts whichever question it is for: a peer may be asked twice, and over a slow link the answer comes
        when another was asked.
        """
        if not self._catchup.answered(sender):
            raise UnexpectedProposals(f"validator {sender} was not asked for proposals")
        if not self.active:
            return
        start, reached = self._known(), None
        try:
            reached = self._take_all(answer)
        finally:
            self._go_on(sender, answer, reached if reached is not None and reached.depth > start.depth else None)

    def _take_all(self, answer: Proposals) -> Node | None:
        """Takes in what an answer holds, and says how far it leads."""
        if len(answer.proposals) > MAX_FETCHED_PROPOSALS:
            raise UnexpectedProposals(f"{len(answer.proposals)} proposals where {MAX_FETCHED_PROPOSALS} are the most")
        proposals = [_decoded(encoded) for encoded in answer.proposals]
        if not proposals or answer.certificate is None:
            return None
        certificates = [*(p.certificate for p in proposals[1:]), answer.certificate]
        for proposal, certificate in zip(proposals, certificates, strict=True):
            self._take_one(proposal, certificate)
        return self._state.tree.get(proposals[-1].id)

    def _go_on(self, sender: ValidatorIndex, answer: Proposals, reached: Node | None) -> None:
        """Asks for the rest. After an answer that led nowhere (`reached` is None) only whoever was not asked since
        something did, so that two of them cannot send the question to and fro; when all were, the timer asks again.
        """
        if reached is not None:
            self._catchup.progressed(reached.id)
        if not self._still_missing():
            return
        if reached is None:
            self._ask(self._catchup.next_unasked())
        else:
            self._ask(sender if _is_full(answer) else self._catchup.next_peer())

    def _still_missing(self) -> bool:
        target = self._catchup.target
        return target is not None and target.proposal not in self._state.tree

    def _take_one(self, proposal: Proposal, certificate: Certificate) -> None:
        state = self._state
        if proposal.round <= state.tree.root.round or proposal.id in state.tree:
            return
        if certificate.proposal != proposal.id or certificate.round != proposal.round:
            raise InvalidCertificate("a fetched proposal with another proposal's certificate")
        self._authenticator.check_certificate(certificate)
        parent = state.tree.get(proposal.parent)
        if parent is None:
            raise UnexpectedProposals(f"proposal {proposal.id.hex()} does not link to what is known here")
        check_extends(proposal, parent, self._rules, latest_ms=None)
        state.insert(proposal)
        state.learn_certificate(certificate)

    def _ask(self, peer: ValidatorIndex | None) -> None:
        if peer is not None:
            self._request(peer)
            self._start_timer()

    def _request(self, peer: ValidatorIndex) -> None:
        known = self._known()
        self._catchup.ask(peer)
        depth, missing = self._state.tree.root.depth, self._catchup.target
        assert missing is not None
        self._outbox.send((peer,), FetchProposals(known.id, known.depth, depth, missing))

    def _start_timer(self) -> None:
        self._outbox.start_timer(Timer.FETCH, self._catchup.timeout_ms)

    def _known(self) -> Node:
        """Where the next answer should begin: after what this catching up reached, else after the committed chain."""
        tree = self._state.tree
        reached = None if self._catchup.reached is None else tree.get(self._catchup.reached)
        return reached or tree.root


def _is_full(answer: Proposals) -> bool:
    """Whether there may be more where that came from. One that gives little at a time is not asked on and on."""
    size = sum(map(len, answer.proposals))
    return len(answer.proposals) == MAX_FETCHED_PROPOSALS or size >= MAX_SERVED_BYTES


def _decoded(encoded: bytes) -> Proposal:
    try:
        return decode_proposal(encoded)
    except MessageError as error:
        raise UnexpectedProposals(f"not a proposal: {error}") from error
