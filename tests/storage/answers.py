"""Whether two stores of one chain answer everything alike."""

from storage.store import Store
from tests.storage.world import HISTORY, SLOTS_OF_HISTORY, RandomChain

NAMED_SLOTS = range(12)
"""Those that a random chain uses most."""


def assert_same_answers(store: Store, reference: Store, chain: RandomChain) -> None:
    """Blocks, receipts, records and lookups of every block up to the head of `store`, and the states that it keeps."""
    assert store.head.number <= reference.head.number
    for number in range(store.head.number + 1):
        block = store.blocks.block(number, with_receipts=True)
        assert block is not None
        assert block == reference.blocks.block(number, with_receipts=True), f"block {number}"
        assert store.blocks.record(number) == reference.blocks.record(number), f"record {number}"
        assert store.blocks.number_of(block.hash) == number
        for hash in block.hashes:
            assert store.blocks.transaction(hash) == reference.blocks.transaction(hash)
        if number >= store.pruning.oldest:
            _assert_same_state(store, reference, chain, number)
    assert store.blocks.header(store.head.number + 1) is None


def _assert_same_state(store: Store, reference: Store, chain: RandomChain, number: int) -> None:
    version, theirs = store.blocks.version(number), reference.blocks.version(number)
    assert version is not None
    assert theirs is not None
    for address in (*chain.addresses, HISTORY):
        account = store.state.account(address, version)
        assert account == reference.state.account(address, theirs), f"account {address.hex()} at block {number}"
        slots = set(NAMED_SLOTS) | set(chain.model[address].slots if address in chain.model else ())
        if address == HISTORY:
            slots = {(number + last) % SLOTS_OF_HISTORY for last in (-2, -1)}
        for slot in slots:
            assert store.state.slot(address, slot, version) == reference.state.slot(address, slot, theirs)
        assert store.state.code(account.account.code_hash) == reference.state.code(account.account.code_hash)


def assert_same_heights(store: Store, reference: Store) -> None:
    """What there was after every height, what operations were, what they have set, and where one can go back to."""
    assert store.head == reference.head
    assert store.settings == reference.settings
    for height in range(store.head.height + 2):
        assert store.blocks.height(height) == reference.blocks.height(height), f"height {height}"
        assert store.blocks.operation(height) == reference.blocks.operation(height), f"operation at height {height}"
    for snapshot in range(reference.settings.snapshots + 2):
        assert store.snapshots.get(snapshot) == reference.snapshots.get(snapshot), f"snapshot {snapshot}"
