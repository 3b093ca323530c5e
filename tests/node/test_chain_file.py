"""Files of blocks: whole ones, packed ones, and one line for those that are neither."""

import gzip
from pathlib import Path

import pytest

from chain.blocks import decode_block
from node.chain_file import BadChainFile, ChainFile
from tests.conformance.rpc_exchanges import CHAIN, chain_blocks

DATA = CHAIN.read_bytes()


def blocks_of(folder: Path, content: bytes) -> list[bytes]:
    """Those of a file with this content."""
    path = folder / "chain.rlp"
    path.write_bytes(content)
    with ChainFile(path) as file:
        return list(file.blocks())


def test_the_blocks_of_a_file_are_all_of_it_in_order() -> None:
    blocks = chain_blocks()
    assert b"".join(blocks) == DATA
    assert [decode_block(block).header.number for block in blocks] == list(range(1, 55))
    assert all(decode_block(block).encode() == block for block in blocks)


def test_a_packed_file_has_the_same_blocks(tmp_path: Path) -> None:
    assert blocks_of(tmp_path, gzip.compress(DATA)) == chain_blocks()


def test_a_file_that_ends_in_a_block_says_which_one_and_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadChainFile, match=r"ends in the middle of block 54 of it: 7 bytes are missing"):
        blocks_of(tmp_path, DATA[:-7])
    with pytest.raises(BadChainFile, match=r"ends in the middle of block 1 of it: 1 bytes are missing"):
        blocks_of(tmp_path, DATA[:2])


def test_a_packed_file_that_ends_early_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadChainFile, match="cannot be read after block"):
        blocks_of(tmp_path, gzip.compress(DATA)[:-1000])


@pytest.mark.parametrize("content", [b"hello", b"\x80", b"\xb8\x40"])
def test_what_is_no_list_is_no_block(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadChainFile, match="no block stands after block 0"):
        blocks_of(tmp_path, content)


def test_a_length_beyond_any_block_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadChainFile, match="would have 1099511627775 bytes"):
        blocks_of(tmp_path, b"\xfc" + b"\xff" * 5)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_a_file_without_blocks_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadChainFile, match=r"chain.rlp is empty"):
        blocks_of(tmp_path, content)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadChainFile, match="No such file or directory"):
        ChainFile(tmp_path / "nothing")
