"""Blocks, transactions and records as they are read back."""

from chain.keccak import keccak256
from chain.messages.storage import ApplyBlock
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.storage.world import UNKNOWN, RandomChain


def _chain() -> tuple[Store, list[ApplyBlock]]:
    chain = RandomChain(5, transactions=9)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    blocks = []
    for _ in range(12):
        blocks.append(chain.next(store.head.hash))
        store.apply(blocks[-1])
    return store, blocks


def test_a_block_is_read_back_as_it_was_applied() -> None:
    store, blocks = _chain()
    for applied in blocks:
        block = store.blocks.block(applied.header.number, with_receipts=True)
        assert block is not None
        assert (block.transactions, block.senders) == (applied.transactions, applied.senders)
        assert block.receipts == applied.receipts
        assert block.hashes == tuple(keccak256(raw) for raw in applied.transactions)
        assert block.hash == block.header.hash()
        assert store.blocks.number_of(block.hash) == applied.header.number
        assert store.blocks.record(applied.header.number) == applied.record
        without = store.blocks.block(applied.header.number, with_receipts=False)
        assert without is not None
        assert without.receipts == ()


def test_headers_form_a_chain() -> None:
    store, _ = _chain()
    for number in range(1, 13):
        parent, header = store.blocks.header(number - 1), store.blocks.header(number)
        assert parent is not None
        assert header is not None
        assert header.header.parent_hash == parent.hash


def test_a_transaction_is_found_by_its_hash_with_its_place() -> None:
    store, blocks = _chain()
    for applied in blocks:
        logs_before = 0
        for index, raw in enumerate(applied.transactions):
            found = store.blocks.transaction(keccak256(raw))
            assert found is not None
            assert (found.raw, found.sender, found.index) == (raw, applied.senders[index], index)
            assert (found.header.number, found.first_log) == (applied.header.number, logs_before)
            assert found.receipt == applied.receipts[index]
            logs_before += len(found.receipt.logs)


def test_what_is_not_there_is_none() -> None:
    store, _ = _chain()
    blocks = store.blocks
    assert blocks.transaction(UNKNOWN) is None
    assert blocks.number_of(UNKNOWN) is None
    for number in (-1, 13):
        assert blocks.block(number, with_receipts=True) is None
        assert blocks.header(number) is None
        assert blocks.version(number) is None
        assert blocks.record(number) is None
