"""The newest certificates and who signed them, for those who look."""

from collections import deque

from chain.messages.watching import SeenCertificate
from consensus.commands import Certified, Command, RoundGivenUp

KEPT = 32


class SeenCertificates:
    def __init__(self) -> None:
        self._newest: deque[SeenCertificate] = deque(maxlen=KEPT)

    def carried_out(self, command: Command) -> None:
        match command:
            case Certified(certificate, height):
                signers = tuple(sorted(vote.validator for vote in certificate.votes))
                self._newest.append(SeenCertificate(certificate.round, False, height, signers))
            case RoundGivenUp(certificate):
                signers = tuple(sorted(timeout.validator for timeout in certificate.timeouts))
                self._newest.append(SeenCertificate(certificate.round, True, None, signers))

    def newest(self) -> tuple[SeenCertificate, ...]:
        """Oldest first."""
        return tuple(self._newest)
