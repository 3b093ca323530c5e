"""What the remote chain says of its blocks up to the one that was forked, asked once and kept: it never changes.

State is not among it: that is part of the versioned state (storage.remote_reads).
"""

from collections.abc import Callable, Sequence

from chain.keccak import keccak256
from chain.types import BlockNumber, Hash32
from storage.remote import RemoteChain, RemoteRefusal

ANSWERS = b"y"
HASHES = b"q"
NUMBER_BYTES = 8
MAX_KEPT_BYTES = 4 << 20
"""Larger answers are asked for again."""
NOTHING = b"null"


class RemoteAnswers:
    """`kept` looks into the store, `keep` writes to it at once."""

    def __init__(
        self,
        remote: RemoteChain,
        kept: Callable[[bytes], bytes | None],
        keep: Callable[[dict[bytes, bytes | None]], None],
    ) -> None:
        self._remote = remote
        self._kept = kept
        self._keep = keep

    async def forward(self, method: str, params: bytes) -> bytes | RemoteRefusal:
        """The result of a method as JSON. That something is not there is not kept: it may be another node's to say.

        Raises RemoteError, DiskFull.
        """
        key = ANSWERS + keccak256(method.encode() + b"\0" + params)
        kept = self._kept(key)
        if kept is not None:
            return kept
        answer = await self._remote.forward(method, params)
        if isinstance(answer, bytes) and answer != NOTHING and len(answer) <= MAX_KEPT_BYTES:
            self._keep({key: answer})
        return answer

    async def hashes(self, numbers: Sequence[BlockNumber]) -> dict[BlockNumber, Hash32]:
        """The hashes of these blocks. Raises RemoteError, DiskFull."""
        found = {number: self._kept(_hash_key(number)) for number in numbers}
        missing = tuple(number for number, known in found.items() if known is None)
        if missing:
            asked = dict(zip(missing, await self._remote.hashes(missing), strict=True))
            self._keep({_hash_key(number): block_hash for number, block_hash in asked.items()})
            found.update(asked)
        return {number: Hash32(known) for number, known in found.items() if known is not None}


def _hash_key(number: BlockNumber) -> bytes:
    return HASHES + number.to_bytes(NUMBER_BYTES, "big")
