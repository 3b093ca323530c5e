"""Transactions that come with blobs: checked as geth's blob pool does, and admitted without them.

The chain keeps no blobs, since nobody here samples them; what is left of them are their hashes, and for a while the
blobs themselves in the memory of this process (`kept_blobs`).
"""

from itertools import count

from chain.blobs import BLOB_PROOFS, CELL_PROOFS, CELLS_PER_BLOB, Sidecar, split, versioned_hash
from chain.errors import DecodeError
from chain.fees import MIN_BLOB_BASE_FEE, max_transaction_blobs
from chain.forks import Fork
from chain.messages.blobs import CheckBlobs
from chain.transactions import BLOB, Transaction
from rpc.environments import pending_fork
from rpc.errors import ServerError
from rpc.methods import Node
from rpc.transaction_errors import (
    BlobFeeCapBelowMinimum,
    BlobLimitExceeded,
    BlobsDiffer,
    MissingSidecar,
    OversizedData,
    TransactionTypeNotSupported,
    UndecodableTransaction,
    UnprovenBlobs,
    WrongSidecarFormat,
)
from rpc.transaction_rules import decode

MAX_BYTES = 1024 * 1024
"""Of a transaction with its blobs (geth's blobpool, txMaxSize)."""
TIME_LIMIT_MS = 30_000
"""The first check reads the trusted setup."""

_call_ids = count(1)


async def without_blobs(node: Node, raw: bytes) -> bytes:
    """The envelope as blocks hold it. Of any other type it is `raw` itself. Raises TransactionRejected."""
    if raw[:1] != bytes((BLOB,)):
        return raw
    if len(raw) > MAX_BYTES:
        raise OversizedData(len(raw), MAX_BYTES)
    try:
        envelope, sidecar = split(raw)
    except DecodeError as error:
        raise UndecodableTransaction(str(error)) from None
    transaction = decode(envelope)
    check_sidecar(transaction, sidecar, pending_fork(node.chain.head.header, node.genesis))
    assert sidecar is not None
    try:
        checked = await node.callers.check_blobs(CheckBlobs(next(_call_ids), sidecar, TIME_LIMIT_MS))
    except TimeoutError:
        raise ServerError(f"the blobs could not be checked within {TIME_LIMIT_MS // 1000} s") from None
    if not checked.proven:
        raise UnprovenBlobs
    node.blobs.keep(transaction, sidecar)
    return envelope


def check_sidecar(transaction: Transaction, sidecar: Sidecar | None, fork: Fork) -> None:
    """Everything but the proofs themselves, in geth's order. Raises TransactionRejected."""
    if fork < Fork.CANCUN:
        raise TransactionTypeNotSupported(f"type {BLOB} rejected, pool not yet in Cancun")
    if transaction.max_blob_fee < MIN_BLOB_BASE_FEE:
        raise BlobFeeCapBelowMinimum(transaction.max_blob_fee, MIN_BLOB_BASE_FEE)
    if sidecar is None:
        raise MissingSidecar
    hashes, commitments = transaction.blob_hashes, sidecar.commitments
    if len(commitments) != len(hashes):
        raise BlobsDiffer(
            f"invalid number of {len(commitments)} blob commitments compared to {len(hashes)} blob hashes"
        )
    for index, (wanted, commitment) in enumerate(zip(hashes, commitments, strict=True)):
        computed = versioned_hash(commitment)
        if computed != wanted:
            words = f"blob {index}: computed hash 0x{computed.hex()} mismatches transaction one 0x{wanted.hex()}"
            raise BlobsDiffer(words)
    if not hashes:
        raise BlobsDiffer("blobless blob transaction")
    limit = max_transaction_blobs(fork)
    if len(hashes) > limit:
        raise BlobLimitExceeded(len(hashes), limit)
    _check_format(sidecar, fork)


def _check_format(sidecar: Sidecar, fork: Fork) -> None:
    """From Osaka on proofs are for cells; a sidecar with one for each blob is taken all the same, as geth does."""
    if fork < Fork.OSAKA and sidecar.version != BLOB_PROOFS:
        raise WrongSidecarFormat(f"unexpected sidecar version, want: {BLOB_PROOFS}, got: {sidecar.version}")
    blobs = len(sidecar.commitments)
    if len(sidecar.blobs) != blobs:
        raise BlobsDiffer(f"invalid number of {len(sidecar.blobs)} blobs compared to {blobs} commitments")
    wanted = blobs * (CELLS_PER_BLOB if sidecar.version == CELL_PROOFS else 1)
    if len(sidecar.proofs) != wanted:
        raise WrongSidecarFormat(f"invalid number of {len(sidecar.proofs)} blob proofs expected {wanted}")
