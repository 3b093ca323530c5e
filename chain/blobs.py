"""Blobs on their way beside a transaction, which itself holds only their hashes (EIP-4844, EIP-7594).

Blocks hold the transaction alone; who sends it gives the blobs with it, so that their hashes can be checked.
"""

import hashlib
from dataclasses import dataclass

from chain import rlp
from chain.transactions import BLOB, InvalidTransactionEncoding
from chain.types import Hash32

BLOB_BYTES = 131_072
COMMITMENT_BYTES = PROOF_BYTES = 48
CELLS_PER_BLOB = 128
BLOB_PROOFS, CELL_PROOFS = 0, 1
MAX_ERROR = 200
"""Characters: what is wrong may be a blob."""
HASH_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """`version` BLOB_PROOFS has a proof for each blob, CELL_PROOFS one for each of its 128 cells."""

    version: int
    blobs: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    proofs: tuple[bytes, ...]


def versioned_hash(commitment: bytes) -> Hash32:
    """What a transaction calls the blob with this commitment."""
    return Hash32(HASH_VERSION + hashlib.sha256(commitment).digest()[1:])


def split(raw: bytes) -> tuple[bytes, Sidecar | None]:
    """The envelope as blocks hold it and what comes beside it, None if it comes alone.

    Raises InvalidTransactionEncoding. Whether the envelope is a transaction is not looked at.
    """
    try:
        fields = rlp.decode_list(rlp.decode(raw[1:]))
        if not fields or not isinstance(fields[0], list):
            return raw, None
        rest = list(fields[1:])
        version = rlp.decode_int(rest.pop(0)) if len(rest) == 4 else BLOB_PROOFS
        if len(rest) != 3:
            raise InvalidTransactionEncoding(f"rlp: {len(fields)} items where a transaction and its blobs belong")
        if version not in (BLOB_PROOFS, CELL_PROOFS):
            raise InvalidTransactionEncoding(f"unsupported blob tx version {version}")
        sizes = BLOB_BYTES, COMMITMENT_BYTES, PROOF_BYTES
        parts = [_fixed(items, size) for items, size in zip(rest, sizes, strict=True)]
        return bytes((BLOB,)) + rlp.encode(fields[0]), Sidecar(version, *parts)
    except rlp.RLPError as error:
        raise InvalidTransactionEncoding(f"rlp: {error}"[:MAX_ERROR]) from error


def _fixed(items: rlp.Item, size: int) -> tuple[bytes, ...]:
    return tuple(rlp.decode_bytes(item, size) for item in rlp.decode_list(items))
