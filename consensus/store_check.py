"""Whether a validator's store holds the whole committed chain."""

from collections.abc import Iterator

from consensus.errors import StoreIncomplete
from consensus.store import ValidatorStore

DEPTHS_A_STEP = 256


def check_store(store: ValidatorStore) -> Iterator[int]:
    """Yields now and then how deep it has come. Raises StoreIncomplete at the first proposal that is missing, and
    MessageError at one that cannot be read.
    """
    parent = store.genesis_id
    for depth in range(1, store.committed_depth + 1):
        id = store.id_at_depth(depth)
        if id is None:
            raise StoreIncomplete(depth.to_bytes(8, "big"))
        proposal = store.proposal(id)
        if proposal.id != id or proposal.parent != parent:
            raise StoreIncomplete(id)
        parent = id
        if depth % DEPTHS_A_STEP == 0:
            yield depth
