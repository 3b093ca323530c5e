"""Getting proposals that others certified while this replica was away."""

from collections import Counter

from chain.proposals import Certificate
from chain.types import Hash32, ValidatorIndex
from consensus.wire import ProposalMessage

FETCH_TIMEOUT_MS = 500
MAX_FETCH_TIMEOUT_MS = 5_000


class Catchup:
    """What is missing and whom it was asked of. A new request follows an answer, a silence or a new link.

    Whoever voted for a certified proposal has it, so when one peer does not answer, the certificate names the next.
    """

    def __init__(self, me: ValidatorIndex) -> None:
        self._me = me
        self.target: Certificate | None = None
        self.orphan: ProposalMessage | None = None
        self.asked: ValidatorIndex | None = None
        self._owing: Counter[ValidatorIndex] = Counter()
        self.reached: Hash32 | None = None
        self._attempts = 0
        self._requests = 0
        self._requests_before_turn = 0
        self._last_request: dict[ValidatorIndex, int] = {}

    @property
    def timeout_ms(self) -> int:
        return min(FETCH_TIMEOUT_MS << min(self._attempts, 8), MAX_FETCH_TIMEOUT_MS)

    @property
    def silent(self) -> bool:
        """Whether whoever was asked has not answered."""
        return self._attempts > 0

    def start_over(self) -> None:
        """The next silence is the first one."""
        self._attempts = 0

    def want(self, certificate: Certificate) -> None:
        """The certified proposal is not known here."""
        if self.target is None or certificate.round > self.target.round:
            self.target = certificate

    def keep(self, orphan: ProposalMessage) -> None:
        """A proposal whose parent is missing; the newest is looked at again when it is there."""
        if self.orphan is None or orphan.proposal.round > self.orphan.proposal.round:
            self.orphan = orphan

    def next_peer(self) -> ValidatorIndex | None:
        """Whom to ask instead: of the certificate's signers the one that was asked longest ago."""
        self._attempts += 1
        self._requests_before_turn = self._requests
        return self._asked_longest_ago()

    def next_unasked(self) -> ValidatorIndex | None:
        """The same, unless it was asked since the last silence or progress: then nobody is left to ask."""
        peer = self._asked_longest_ago()
        return None if peer is None or self._last_request.get(peer, 0) > self._requests_before_turn else peer

    def _asked_longest_ago(self) -> ValidatorIndex | None:
        assert self.target is not None
        signers = [vote.validator for vote in self.target.votes if vote.validator != self._me]
        return min(signers, key=lambda signer: (self._last_request.get(signer, 0), signer), default=None)

    def ask(self, peer: ValidatorIndex) -> None:
        self.asked = peer
        self._owing[peer] += 1
        self._requests += 1
        self._last_request[peer] = self._requests

    def answered(self, peer: ValidatorIndex) -> bool:
        """Notes an answer. False if the peer owed none: one it owes may come late, when others were asked since."""
        owed = self._owing[peer] > 0
        self._owing[peer] -= owed
        if peer == self.asked:
            self.asked = None
        return owed

    def progressed(self, reached: Hash32) -> None:
        self.reached = reached
        self._attempts = 0
        self._requests_before_turn = self._requests

    def finish(self) -> ProposalMessage | None:
        """Nothing is missing any more. Returns the orphan to look at again."""
        orphan, self.orphan = self.orphan, None
        self.target = self.asked = self.reached = None
        self._attempts = 0
        self._requests_before_turn = self._requests
        return orphan
