"""Blobs that come with a transaction: rpc has a reader worker check that they are what their commitments say."""

from dataclasses import dataclass

from chain.blobs import Sidecar
from chain.codec import message


@message(102)
@dataclass(frozen=True, slots=True)
class CheckBlobs:
    """rpc → reader. Answer: BlobsChecked."""

    call_id: int
    sidecar: Sidecar
    time_limit_ms: int


@message(103)
@dataclass(frozen=True, slots=True)
class BlobsChecked:
    call_id: int
    proven: bool
