"""Blocks of other clients come out as they did there, or are refused with what differs."""

from dataclasses import replace

import pytest

from chain.accounts import AccountChange
from chain.blocks import Block, decode_block
from chain.forks import Fork
from chain.genesis import Genesis
from chain.merkle import ordered_root
from chain.receipts import bloom_of
from chain.types import Hash32
from node import folder as data
from node.conformance.blockchain_case import BlockchainCase
from node.conformance.networks import network_named
from node.conformance.state_case import state_of
from node.importing import BlockRefused, Importer
from node.settings import Settings
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.conformance.py_evm_chain import NETWORKS, blockchain_test
from tests.conformance.rpc_exchanges import GENESIS, chain_blocks

BLOCKS = chain_blocks()


@pytest.fixture(scope="module")
def genesis(tmp_path_factory: pytest.TempPathFactory) -> Genesis:
    return data.create_or_open(tmp_path_factory.mktemp("chain"), Settings(genesis=GENESIS)).genesis


def importer_of(genesis: Genesis, blocks: int = 0) -> Importer:
    """One that has so many of the official blocks."""
    importer = Importer(Store.open(MemoryKeyValue(), genesis), genesis)
    for block in BLOCKS[:blocks]:
        importer.add(block)
    return importer


def test_a_chain_from_before_the_merge_to_osaka_comes_out_as_its_headers_say(genesis: Genesis) -> None:
    importer = importer_of(genesis, len(BLOCKS))
    assert (importer.blocks, importer.transactions, importer.head.number) == (54, 249, 54)
    assert importer.head.hash.hex() == "d226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7"


def test_what_was_imported_is_kept_as_it_was(genesis: Genesis) -> None:
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, genesis)
    importer = Importer(store, genesis)
    for block in BLOCKS:
        importer.add(block)
    found = [store.blocks.block(number, with_receipts=True) for number in range(1, 55)]
    kept = [block for block in found if block is not None]
    assert [block.whole().encode() for block in kept] == BLOCKS
    for stored in kept:
        assert ordered_root([receipt.encode() for receipt in stored.receipts]) == stored.header.receipts_root
        assert bloom_of(log for receipt in stored.receipts for log in receipt.logs) == stored.header.logs_bloom
    assert any(block.ommers for block in kept)
    assert any(block.withdrawals for block in kept)


def test_the_chain_then_begins_at_the_newest_imported_block(genesis: Genesis) -> None:
    keyvalue = MemoryKeyValue()
    importer = Importer(Store.open(keyvalue, genesis), genesis)
    importer.add(BLOCKS[0])
    begun = importer.finish()
    assert begun.base == decode_block(BLOCKS[0]).header
    head = Store.open(keyvalue, begun).head
    assert (head.height, head.number, head.proposal, head.hash) == (0, 1, begun.id(), begun.base.hash())


def accounts_of(case: BlockchainCase) -> tuple[AccountChange, ...]:
    """What the test begins with; accounts that are empty are there all the same, as in a genesis file."""
    state = state_of(case.test["pre"], Fork.FRONTIER)
    return tuple(
        AccountChange(address, account, state.slots[address], code=state.code(account.code_hash) or None)
        for address, account in state.accounts.items()
    )


@pytest.mark.parametrize("fork", NETWORKS, ids=lambda fork: fork.label)
def test_a_chain_that_py_evm_made_is_imported_under_every_fork(fork: Fork, genesis: Genesis) -> None:
    for seed in (3, 4):
        print(f"seed {seed}")
        case = BlockchainCase("", blockchain_test(fork, seed))
        first = decode_block(bytes.fromhex(case.test["genesisRLP"][2:])).header
        own = replace(
            genesis,
            chain_id=1,
            forks=network_named(case.network),
            header=replace(first, state_root=Hash32(bytes(32))),
            accounts=accounts_of(case),
        )
        importer = Importer(Store.open(MemoryKeyValue(), own), own)
        for block in case.test["blocks"]:
            importer.add(bytes.fromhex(block["rlp"][2:]))
        assert "0x" + importer.head.hash.hex() == case.test["lastblockhash"]


def tampered(block: bytes, **fields: object) -> bytes:
    whole = decode_block(block)
    return replace(whole, header=replace(whole.header, **fields)).encode()  # type: ignore[arg-type]


WRONG_ROOT = Hash32(b"\x13" * 32)


def test_another_state_root_is_refused_with_both_and_changes_nothing(genesis: Genesis) -> None:
    importer = importer_of(genesis, 4)
    right, before = decode_block(BLOCKS[4]).header.state_root, importer.head
    with pytest.raises(BlockRefused) as caught:
        importer.add(tampered(BLOCKS[4], state_root=WRONG_ROOT))
    assert str(caught.value) == (
        f"block 5 is refused: the state root is 0x{right.hex()}, and its header has 0x{WRONG_ROOT.hex()}"
    )
    assert importer.head == before
    importer.add(BLOCKS[4])
    assert importer.head.hash == decode_block(BLOCKS[4]).header.hash()


@pytest.mark.parametrize(
    ("number", "fields", "words"),
    [
        (1, {"gas_used": 5}, "gas used is"),
        (1, {"receipts_root": WRONG_ROOT}, "receipts root is"),
        (1, {"logs_bloom": b"\x01" * 256}, "bloom"),
        (1, {"difficulty": 5}, "difficulty 5, not"),
        (1, {"timestamp": 0}, "time 0 after 0"),
        (1, {"transactions_root": WRONG_ROOT}, "transactions root"),
        (1, {"gas_limit": 2**40}, "gas limit 1099511627776, too far"),
        (30, {"base_fee": 5}, "base fee 5, not"),
        (30, {"base_fee": None}, "a header of 15 fields, where london has 16"),
        (40, {"nonce": b"\x01" * 8}, "nonce after the merge"),
        (42, {"withdrawals_root": WRONG_ROOT}, "withdrawals root"),
        (46, {"excess_blob_gas": 7}, "excess blob gas 7, not"),
        (46, {"blob_gas_used": 7}, "blob gas used is"),
        (50, {"requests_hash": WRONG_ROOT}, "requests hash"),
    ],
)
def test_each_wrong_field_is_named(genesis: Genesis, number: int, fields: dict[str, object], words: str) -> None:
    importer = importer_of(genesis, number - 1)
    with pytest.raises(BlockRefused, match=f"^block {number} is refused: {words}"):
        importer.add(tampered(BLOCKS[number - 1], **fields))


def test_a_block_that_does_not_follow_is_refused_with_both_hashes(genesis: Genesis) -> None:
    importer = importer_of(genesis, 3)
    with pytest.raises(
        BlockRefused, match=r"block 6 is refused: its parent is 0x\w{64}, and the newest block, 3, is 0x"
    ):
        importer.add(BLOCKS[5])


def test_blocks_of_another_genesis_are_told_so(genesis: Genesis) -> None:
    other = replace(genesis, header=replace(genesis.header, extra_data=b"other"))
    with pytest.raises(BlockRefused, match=r"block 1 is refused: .* give the chain's own genesis file"):
        importer_of(other, 1)


def test_a_block_that_is_there_already_is_passed_over_and_another_in_its_place_is_not(genesis: Genesis) -> None:
    importer = importer_of(genesis, 3)
    importer.add(BLOCKS[1])
    assert importer.blocks == 3
    with pytest.raises(BlockRefused, match=r"block 2 is refused: it is 0x.*, where 0x.* is already"):
        importer.add(tampered(BLOCKS[1], extra_data=b"other"))


def test_bytes_that_are_no_block_are_refused(genesis: Genesis) -> None:
    with pytest.raises(BlockRefused, match="block 1 is refused: it is no block: a block of 0 parts"):
        importer_of(genesis).add(b"\xc0")


def test_a_transaction_that_another_key_signed_is_refused(genesis: Genesis) -> None:
    block = decode_block(BLOCKS[0])
    raw = bytearray(block.transactions[0])
    raw[-1] ^= 1
    transactions = (bytes(raw), *block.transactions[1:])
    header = replace(block.header, transactions_root=ordered_root(transactions))
    with pytest.raises(BlockRefused, match="block 1 is refused: transaction 0: "):
        importer_of(genesis).add(Block(header, transactions, block.ommers, None).encode())
