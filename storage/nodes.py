"""Trie nodes as records: what the database holds for a node, and the RLP that its hash covers.

A record is stored under the node's path. The paths of our tries are hexadecimal digits in ASCII, the keys are 32-byte
hashes. A branch's record is its RLP, which holds the references of its children, so that an update reads one record a
level. A leaf's record has its whole key and can move up and down the tree as it is; an extension's has its digits.
Source of the encoding: yellow paper, appendix D.
"""

from binascii import hexlify
from collections.abc import Sequence

from chain import rlp
from chain.merkle import extension_node

EMPTY = b"\x80"
"""The reference to no child."""
EXTENSION = 0x00
LEAF = 0x01
FIRST_BRANCH = 0xC0
KEY_BYTES = 32
LEAF_PREFIX = bytes((LEAF,))
LEAF_VALUE = 1 + KEY_BYTES
"""Where the value begins in a leaf's record."""

DIGITS = [bytes((digit,)) for digit in b"0123456789abcdef"]
NIBBLES = bytes(int(chr(c), 16) if chr(c) in "0123456789abcdef" else 0 for c in range(256))
"""What a digit counts, by its character code."""

FULL_BRANCH_BYTES = 3 + 16 * 33 + 1
_FULL_BRANCH_REFERENCES = [slice(at, at + 33) for at in range(3, 3 + 16 * 33, 33)]
_SHORT_STRING = [bytes((0x80 + length,)) for length in range(56)]
_LONG_STRING = [bytes((0xB8, length)) for length in range(256)]
_LONG_LIST = [bytes((0xF8, length)) for length in range(256)]
_ODD_LEAF = [bytes((0x30 | nibble & 15,)) for nibble in range(256)]


def digits_of(key: bytes) -> bytes:
    return hexlify(key)


def leaf_record(key: bytes, value: bytes) -> bytes:
    return LEAF_PREFIX + key + value


def extension_record(digits: bytes, child_reference: bytes) -> bytes:
    return bytes((EXTENSION, len(digits))) + digits + child_reference


def extension_parts(record: bytes) -> tuple[bytes, bytes]:
    """The digits of an extension and the reference to its child."""
    end = 2 + record[1]
    return record[2:end], record[end:]


def branch_record(references: Sequence[bytes]) -> bytes:
    payload = b"".join(references) + EMPTY
    if len(payload) == FULL_BRANCH_BYTES - 3:
        return b"\xf9\x02\x11" + payload
    return rlp.encode_length(len(payload), 0xC0) + payload


def branch_references(record: bytes) -> list[bytes]:
    """The 16 references in a branch's record."""
    if len(record) == FULL_BRANCH_BYTES:
        return [record[part] for part in _FULL_BRANCH_REFERENCES]
    at = 1 if record[0] < 0xF8 else record[0] - 0xF6
    references = []
    for _ in range(16):
        first = record[at]
        if first == 0x80:
            references.append(EMPTY)
            at += 1
        else:
            end = at + (33 if first == 0xA0 else 1 + first - 0xC0)
            references.append(record[at:end])
            at = end
    return references


def node_encoding(record: bytes, depth: int) -> bytes:
    """The RLP of the node whose record stands at a path of `depth` digits."""
    kind = record[0]
    if kind >= FIRST_BRANCH:
        return record
    if kind == LEAF:
        return _leaf_encoding(record, depth)
    digits, reference = extension_parts(record)
    return extension_node(nibbles_of_digits(digits), reference)


def nibbles_of_digits(digits: bytes) -> bytes:
    return digits.translate(NIBBLES)


def _leaf_encoding(record: bytes, depth: int) -> bytes:
    half = 1 + (depth >> 1)
    odd = depth & 1
    path = _ODD_LEAF[record[half]] + record[half + 1 : LEAF_VALUE] if odd else b"\x20" + record[half:LEAF_VALUE]
    if len(path) > 1:
        path = _SHORT_STRING[len(path)] + path
    value = record[LEAF_VALUE:]
    if 56 <= len(value) < 200:
        payload = path + _LONG_STRING[len(value)] + value
        return _LONG_LIST[len(payload)] + payload
    return rlp.encode_list([path, rlp.encode_bytes(value)])
