"""Merkle proofs at any version that is kept: the nodes from a root down to a key, or to where it would be."""

from collections.abc import Generator, Sequence

from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.messages.proofs import Proof, SlotProof
from chain.types import Address, Version
from storage.nodes import (
    EMPTY,
    FIRST_BRANCH,
    LEAF,
    NIBBLES,
    branch_references,
    digits_of,
    extension_parts,
    node_encoding,
)
from storage.state import SLOT_BYTES, VersionedState
from storage.tries import ACCOUNT_TRIE, Tries, storage_trie

HASHED_NODE_BYTES = 32
"""Smaller nodes are part of the node above them."""


def prove(
    state: VersionedState, tries: Tries, address: Address, slots: Sequence[int], version: Version
) -> Generator[None, None, Proof]:
    """An account and some of its slots as they were at `version`, proven."""
    account, storage_root = state.account(address, version)
    trie = storage_trie(address)
    proofs = []
    for number in slots:
        key = keccak256(number.to_bytes(SLOT_BYTES, "big"))
        nodes = () if storage_root == EMPTY_ROOT else _nodes_to(tries, trie, key, version)
        proofs.append(SlotProof(number, state.slot(address, number, version), nodes))
        yield
    is_empty = tries.root(ACCOUNT_TRIE, version) == EMPTY_ROOT
    nodes = () if is_empty else _nodes_to(tries, ACCOUNT_TRIE, keccak256(address), version)
    return Proof(account, storage_root, nodes, tuple(proofs))


def _nodes_to(tries: Tries, trie: bytes, key: bytes, version: Version) -> tuple[bytes, ...]:
    digits, depth = digits_of(key), 0
    nodes: list[bytes] = []
    while True:
        record = tries.node(trie, digits[:depth], version)
        encoded = node_encoding(record, depth)
        if len(encoded) >= HASHED_NODE_BYTES:
            nodes.append(encoded)
        step = _step(record, digits[depth:])
        if step == 0:
            return tuple(nodes)
        depth += step


def _step(record: bytes, digits: bytes) -> int:
    """How many digits the node leads further towards a key; 0 where the path ends."""
    if record[0] >= FIRST_BRANCH:
        return 1 if branch_references(record)[NIBBLES[digits[0]]] != EMPTY else 0
    if record[0] == LEAF:
        return 0
    shared, _ = extension_parts(record)
    return len(shared) if digits.startswith(shared) else 0
