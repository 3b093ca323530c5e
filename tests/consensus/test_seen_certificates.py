"""The newest certificates are kept with their signers, for those who look."""

from chain.messages.watching import SeenCertificate
from chain.types import Height, Round, ValidatorIndex
from consensus.events import MessageReceived
from consensus.seen_certificates import KEPT
from consensus.wire import SyncInfo
from tests.consensus.builders import START_MS
from tests.consensus.test_block_stages import Watched

SIGNERS = tuple(map(ValidatorIndex, (1, 2, 3)))


def hear(watched: Watched, info: SyncInfo) -> None:
    watched.replica.handle([MessageReceived(ValidatorIndex(1), info)], START_MS)


def test_certificates_and_timeout_certificates_are_kept_in_the_order_they_came() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    watched.propose(first)
    watched.certify(first)
    timeouts = watched.world.timeout_certificate(2, (1, 1, 1))
    hear(watched, SyncInfo(watched.world.certificate(first), timeouts))
    hear(watched, SyncInfo(watched.world.certificate(first), timeouts))
    assert watched.replica.certificates.newest() == (
        SeenCertificate(Round(1), False, Height(1), SIGNERS),
        SeenCertificate(Round(2), True, None, SIGNERS),
    ), "each once"


def test_the_certificate_of_a_proposal_that_is_missing_names_no_block() -> None:
    watched = Watched()
    watched.certify(watched.block(1, 1))
    assert watched.replica.certificates.newest() == (SeenCertificate(Round(1), False, None, SIGNERS),)


def test_the_highest_certificate_is_known_after_a_restart() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    watched.propose(first)
    watched.certify(first)
    watched.start()
    assert watched.replica.certificates.newest() == (SeenCertificate(Round(1), False, Height(1), SIGNERS),)


def test_only_the_newest_are_kept() -> None:
    watched = Watched()
    for round in range(1, KEPT + 10):
        hear(watched, SyncInfo(watched.world.genesis_certificate(), watched.world.timeout_certificate(round)))
    kept = watched.replica.certificates.newest()
    assert [one.round for one in kept] == list(range(10, KEPT + 10))
