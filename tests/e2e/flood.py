"""A peer that floods a validator's socket: `python -m tests.e2e.flood FOLDER ENDPOINT AS TO COUNT`.

AS is a validator whose key is taken from the data folder, or "stranger": the same name without the key. The frames are
garbage, timeouts with a false signature and with one of another chain, a vote of a far future, and one old vote again
and again, and requests for the whole chain. Prints how many were sent once they are.
"""

import os
import socket as sockets
import sys
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from chain.codec import encode_message
from chain.proposals import SignedTimeout
from chain.types import Hash32, Round, ValidatorIndex
from consensus.authentication import genesis_certificate
from consensus.signatures import Ed25519Signer, SigningDomain
from consensus.wire import FetchProposals, Timeout, Vote
from node.folder import DataFolder, open_folder
from node.queues.asking import identity_of
from node.queues.dialing import UNIX
from node.queues.frames import Kind, frame

STRANGER = "stranger"
ME = ValidatorIndex(3)
ROUND = Round(10**9)
FAREWELL_BYTES = 1_024


def frames(folder: DataFolder) -> Iterator[bytes]:
    """What validator 3 could send with its own key, for ever."""
    genesis, signer = folder.genesis, Ed25519Signer(folder.validator_key(ME))
    here, elsewhere = SigningDomain(genesis.id(), genesis.rules), SigningDomain(Hash32(b"x" * 32), genesis.rules)
    id = Hash32(b"p" * 32)

    def vote(round: int, validator: int, signature: bytes) -> bytes:
        message = Vote(Round(round), id, ValidatorIndex(validator), signature)
        return frame(Kind.NOTIFY, 0, encode_message(message))

    def timeout(validator: int, signature: bytes) -> bytes:
        signed = SignedTimeout(ValidatorIndex(validator), Round(0), signature)
        message = Timeout(ROUND, genesis_certificate(genesis.id()), None, signed)
        return frame(Kind.NOTIFY, 0, encode_message(message))

    old = vote(1, ME, signer.sign(here.vote(Round(1), id)))
    far = vote(ROUND, ME, signer.sign(here.vote(ROUND, id)))
    other_chain = timeout(ME, signer.sign(elsewhere.timeout(ROUND, Round(0))))
    forged = timeout(1, bytes(64))
    garbage = frame(Kind.NOTIFY, 0, os.urandom(200))
    malformed = frame(99, 0, b"nonsense")
    everything = FetchProposals(genesis.id(), 0, 0, genesis_certificate(genesis.id()))
    costly = frame(Kind.NOTIFY, 0, encode_message(everything))
    yield from cycle((garbage, old, forged, far, other_chain, malformed, costly))


def flood(folder: DataFolder, endpoint: str, stranger: bool, to: ValidatorIndex, count: int) -> None:
    genesis, signer = folder.genesis, Ed25519Signer(folder.validator_key(ME))
    domain = SigningDomain(genesis.id(), genesis.rules)
    prove = (lambda life: bytes(64)) if stranger else (lambda life: signer.sign(domain.link(to, life)))
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(endpoint.removeprefix(UNIX))
        connection.sendall(frame(Kind.HELLO, 0, identity_of(f"validator-{ME}", prove)))
        for each in islice(frames(folder), count):
            connection.sendall(each)
        connection.shutdown(sockets.SHUT_WR)
        connection.recv(FAREWELL_BYTES)
    print(count)


if __name__ == "__main__":
    path, endpoint, who, to, count = sys.argv[1:]
    flood(open_folder(Path(path)), endpoint, who == STRANGER, ValidatorIndex(int(to)), int(count))
