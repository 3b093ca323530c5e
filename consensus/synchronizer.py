"""Timeouts: giving a round up together, and bringing whoever is behind into the current one."""

from dataclasses import replace

from chain.proposals import Certificate, SignedTimeout, TimeoutCertificate
from chain.types import Round, ValidatorIndex
from consensus.authentication import Authenticator
from consensus.chain_state import ROUND_WINDOW, ChainState
from consensus.errors import InvalidCertificate, LateTimeout, OldNews, OutOfWindow, RepeatedTimeout
from consensus.outbox import Outbox
from consensus.signatures import Signer, SigningDomain
from consensus.votes import TimeoutCollector
from consensus.wire import SyncInfo, Timeout


class Synchronizer:
    def __init__(
        self,
        me: ValidatorIndex,
        others: tuple[ValidatorIndex, ...],
        state: ChainState,
        signer: Signer,
        domain: SigningDomain,
        authenticator: Authenticator,
        timeouts: TimeoutCollector,
        outbox: Outbox,
    ) -> None:
        self._me = me
        self._others = others
        self._state = state
        self._signer = signer
        self._domain = domain
        self._authenticator = authenticator
        self._timeouts = timeouts
        self._outbox = outbox

    @property
    def someone_gave_up(self) -> bool:
        """Whether anyone gave up the current round: it sees work there, even if this replica does not."""
        return self._timeouts.any_in(self._state.round)

    def sync_info(self) -> SyncInfo:
        """What brings a peer into this round: the timeout certificate only if it is newer than the certificate."""
        safety = self._state.safety
        timeouts = safety.timeout_certificate
        newer = timeouts is not None and timeouts.round > safety.highest.round
        return SyncInfo(safety.highest, timeouts if newer else None)

    def learn(self, certificate: Certificate, timeout_certificate: TimeoutCertificate | None) -> None:
        """Checks both before acting on either. Raises `Rejected` subclasses.

        The certificate that a timeout certificate claims must be known here, or come with it: a signer may have made
        its claim up, and whoever believed it could not propose in the next round (Diem's timeout certificates hold that
        certificate for the same reason). Honest peers always have it, since each timeout they counted came with one.
        """
        self._authenticator.check_certificate(certificate)
        if timeout_certificate is not None:
            self._authenticator.check_timeout_certificate(timeout_certificate)
            claimed = timeout_certificate.highest_certificate_round
            if claimed > max(certificate.round, self._state.safety.highest.round):
                raise InvalidCertificate(f"timeouts that claim a certificate of round {claimed}, which is not known")
        self._state.learn_certificate(certificate)
        if timeout_certificate is not None:
            self._state.learn_timeout_certificate(timeout_certificate)

    def take_news(self, news: SyncInfo) -> None:
        """A peer tells where it stands. Raises `Rejected` subclasses."""
        before = self._state.safety
        self.learn(news.certificate, news.timeout_certificate)
        if self._state.safety is before:
            raise OldNews(news.certificate.round, before.highest.round)

    def take_timeout(self, sender: ValidatorIndex, message: Timeout) -> None:
        """A peer gave a round up. Raises `Rejected` subclasses."""
        state, timeout = self._state, message.timeout
        if message.certificate.round != timeout.highest_certificate_round:
            raise InvalidCertificate(f"a timeout of round {message.round} that signs another certificate than it has")
        if message.certificate.round >= message.round:
            raise InvalidCertificate(f"a timeout of round {message.round}, which its certificate has ended")
        self._authenticator.check_timeout(message.round, timeout)
        self.learn(message.certificate, message.timeout_certificate)
        if message.round < state.round:
            self._outbox.send((sender,), self.sync_info())
            raise LateTimeout(timeout.validator, message.round, state.round)
        if message.round > state.round + ROUND_WINDOW:
            raise OutOfWindow(message.round, state.round)
        self._timeouts.forget_up_to(Round(state.round - 1))
        known = not self._timeouts.add(message.round, timeout)
        self._join()
        if known:
            raise RepeatedTimeout(timeout.validator, message.round)

    def give_up(self) -> None:
        """Says, or says again, that this round leads nowhere. From now on it cannot get this replica's vote."""
        state, this_round = self._state, self._state.this_round
        last_voted_round = Round(max(state.safety.last_voted_round, this_round.number))
        first_time = not this_round.gave_up
        state.remember(replace(state.safety, last_voted_round=last_voted_round), synced=first_time)
        this_round.gave_up = True
        message = self._timeout()
        self._outbox.send(self._others, message)
        self._timeouts.forget_up_to(Round(this_round.number - 1))
        self._timeouts.add(this_round.number, message.timeout)
        self._join()

    def tell(self, peer: ValidatorIndex) -> None:
        """Brings a peer that connected to where we are."""
        self._outbox.send((peer,), self.sync_info())
        if self._state.this_round.gave_up:
            self._outbox.send((peer,), self._timeout())

    def _timeout(self) -> Timeout:
        safety, round, info = self._state.safety, self._state.round, self.sync_info()
        assert safety.lock.round <= safety.highest.round < round
        signature = self._signer.sign(self._domain.timeout(round, safety.highest.round))
        signed = SignedTimeout(self._me, safety.highest.round, signature)
        return Timeout(round, info.certificate, info.timeout_certificate, signed)

    def _join(self) -> None:
        """Ends the round if a quorum gave it up; gives it up too if more than a third did."""
        this_round = self._state.this_round
        certificate = self._timeouts.certificate(this_round.number)
        if certificate is not None:
            self._state.learn_timeout_certificate(certificate)
        elif not this_round.gave_up and self._timeouts.exceeds_a_third(this_round.number):
            self.give_up()
