"""The blobs that were sent here last, as long as they fit into memory: no block holds them, and nobody samples them."""

from chain.blobs import Sidecar
from chain.transactions import Transaction, decode_transaction
from chain.types import Hash32
from rpc.bounded_cache import BoundedCache
from rpc.dev_method import dev_method
from rpc.methods import Node
from rpc.params import hash32
from rpc.render import data_json

MAX_BYTES = 64 * 1024 * 1024
"""512 blobs; a blob is 128 KiB."""


class KeptBlobs:
    """By the hashes that transactions have of them; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._blobs: BoundedCache[Hash32, bytes] = BoundedCache(MAX_BYTES, len)

    def keep(self, transaction: Transaction, sidecar: Sidecar) -> None:
        """The sidecar has a blob for each hash of the transaction."""
        for versioned_hash, blob in zip(transaction.blob_hashes, sidecar.blobs, strict=True):
            self._blobs.put(versioned_hash, blob)

    def get(self, versioned_hash: Hash32) -> bytes | None:
        return self._blobs.get(versioned_hash)


@dev_method("anvil_getBlobByHash", takes=(hash32,))
async def get_blob(node: Node, versioned_hash: Hash32) -> str | None:
    """Null if it is not kept."""
    blob = node.blobs.get(versioned_hash)
    return None if blob is None else data_json(blob)


@dev_method("anvil_getBlobsByTransactionHash", takes=(hash32,))
async def get_blobs(node: Node, transaction_hash: Hash32) -> list[str] | None:
    """Null if there is no such transaction, if it has no blobs, or if one of them is not kept."""
    found = await node.chain.transaction(transaction_hash) or node.admission.pool.get(transaction_hash)
    hashes = () if found is None else decode_transaction(found.raw).blob_hashes
    blobs = [node.blobs.get(versioned_hash) for versioned_hash in hashes]
    shown = [data_json(blob) for blob in blobs if blob is not None]
    return shown if shown and len(shown) == len(hashes) else None
