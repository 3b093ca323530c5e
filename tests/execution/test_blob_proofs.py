"""Proofs of blobs, checked against those that c-kzg makes."""

import ckzg
import pytest

from chain.blobs import BLOB_BYTES, BLOB_PROOFS, CELL_PROOFS, Sidecar
from execution.blob_proofs import are_proven
from execution.evm.precompiles.point_evaluation import trusted_setup

BLOB = bytes(BLOB_BYTES - 1) + b"\x07"


@pytest.fixture(scope="module")
def sidecars() -> tuple[Sidecar, Sidecar]:
    """The blob with one proof, and with one for each of its cells."""
    setup = trusted_setup()
    commitment = ckzg.blob_to_kzg_commitment(BLOB, setup)
    proof = ckzg.compute_blob_kzg_proof(BLOB, commitment, setup)
    _, cell_proofs = ckzg.compute_cells_and_kzg_proofs(BLOB, setup)
    return (
        Sidecar(BLOB_PROOFS, (BLOB, BLOB), (commitment, commitment), (proof, proof)),
        Sidecar(CELL_PROOFS, (BLOB,), (commitment,), tuple(cell_proofs)),
    )


def test_blobs_are_proven_whole_and_by_their_cells(sidecars: tuple[Sidecar, Sidecar]) -> None:
    for sidecar in sidecars:
        assert are_proven(sidecar)


def test_another_blob_is_not_proven(sidecars: tuple[Sidecar, Sidecar]) -> None:
    for sidecar in sidecars:
        others = (bytes(BLOB_BYTES),) * len(sidecar.blobs)
        assert not are_proven(Sidecar(sidecar.version, others, sidecar.commitments, sidecar.proofs))


def test_what_is_no_point_and_no_field_element_is_not_proven(sidecars: tuple[Sidecar, Sidecar]) -> None:
    for sidecar in sidecars:
        no_points = (b"\xff" * 48,) * len(sidecar.commitments)
        assert not are_proven(Sidecar(sidecar.version, sidecar.blobs, no_points, sidecar.proofs))
        too_large = (b"\xff" * BLOB_BYTES,) * len(sidecar.blobs)
        assert not are_proven(Sidecar(sidecar.version, too_large, sidecar.commitments, sidecar.proofs))
