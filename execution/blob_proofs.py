"""Whether blobs are what their commitments say, by the proofs that come with them."""

from chain.blobs import CELL_PROOFS, CELLS_PER_BLOB, Sidecar
from execution.evm.precompiles.point_evaluation import trusted_setup


def are_proven(sidecar: Sidecar) -> bool:
    """The first time takes seconds: the trusted setup is read."""
    import ckzg  # a shared library of its own, which few processes ever need

    setup, blobs = trusted_setup(), sidecar.blobs
    try:
        if sidecar.version != CELL_PROOFS:
            return bool(
                ckzg.verify_blob_kzg_proof_batch(
                    b"".join(blobs), b"".join(sidecar.commitments), b"".join(sidecar.proofs), setup
                )
            )
        cells = [cell for blob in blobs for cell in ckzg.compute_cells(blob, setup)]
        indices = list(range(CELLS_PER_BLOB)) * len(blobs)
        commitments = [commitment for commitment in sidecar.commitments for _ in range(CELLS_PER_BLOB)]
        return bool(ckzg.verify_cell_kzg_proof_batch(commitments, indices, cells, list(sidecar.proofs), setup))
    except RuntimeError:  # a point that is not on the curve, or a field element out of range
        return False
