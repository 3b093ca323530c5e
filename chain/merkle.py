"""The Merkle-Patricia node encoding, and the roots of the small tries that are built once: transactions and receipts.

The state tries, which change and are kept, are storage's; they share the node encoding here.
Source: yellow paper, appendix D.
"""

from collections.abc import Sequence

from chain import rlp
from chain.keccak import keccak256
from chain.types import Hash32

EMPTY_ROOT = keccak256(b"\x80")
"""The root of a trie without entries."""


def nibbles_of(key: bytes) -> bytes:
    """One byte (0 to 15) for each half byte of the key."""
    return bytes.fromhex("".join("0" + digit for digit in key.hex()))


def hex_prefix(nibbles: bytes, is_leaf: bool) -> bytes:
    """The compact encoding of a path: a flag half byte, then two half bytes to a byte."""
    flag = 2 if is_leaf else 0
    padded = bytes((flag + 1,)) + nibbles if len(nibbles) % 2 else bytes((flag, 0)) + nibbles
    return bytes.fromhex(padded.hex()[1::2])


def node_reference(encoded_node: bytes) -> bytes:
    """How a parent names a node, as an RLP item: the node itself below 32 bytes, else its hash."""
    return encoded_node if len(encoded_node) < 32 else b"\xa0" + keccak256(encoded_node)


def leaf_node(nibbles: bytes, value: bytes) -> bytes:
    return rlp.encode_list([rlp.encode_bytes(hex_prefix(nibbles, True)), rlp.encode_bytes(value)])


def extension_node(nibbles: bytes, child_reference: bytes) -> bytes:
    return rlp.encode_list([rlp.encode_bytes(hex_prefix(nibbles, False)), child_reference])


def branch_node(child_references: Sequence[bytes], value: bytes = b"") -> bytes:
    """A branch of 16 children, each an RLP item (0x80 for none), and a value for the path that ends here."""
    return rlp.encode_list([*child_references, rlp.encode_bytes(value)])


def ordered_root(values: Sequence[bytes]) -> Hash32:
    """The root of the trie that maps each index (RLP encoded) to its value: transactionsRoot, receiptsRoot."""
    if not values:
        return EMPTY_ROOT
    entries = sorted((nibbles_of(rlp.encode_int(index)), value) for index, value in enumerate(values))
    return keccak256(_build(entries, 0))


def _build(entries: Sequence[tuple[bytes, bytes]], depth: int) -> bytes:
    first, last = entries[0][0], entries[-1][0]
    if len(entries) == 1:
        return leaf_node(first[depth:], entries[0][1])
    shared = depth
    while shared < len(first) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return extension_node(first[depth:shared], node_reference(_build(entries, shared)))
    children = [b"\x80"] * 16
    start = 0
    while start < len(entries):
        nibble, stop = entries[start][0][depth], start
        while stop < len(entries) and entries[stop][0][depth] == nibble:
            stop += 1
        children[nibble] = node_reference(_build(entries[start:stop], depth + 1))
        start = stop
    return branch_node(children)
