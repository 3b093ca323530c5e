"""Merkle proofs at any version that is kept: the nodes from a root down to a key, or to where it would be."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.messages.proofs import Proof, SlotProof
from chain.types import Address, Version
from storage.changes import StateChanges
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
from storage.state import SLOT_BYTES, StoredAccount, VersionedState, account_name, slot_name
from storage.tries import ACCOUNT_TRIE, Tries, storage_trie

HASHED_NODE_BYTES = 32
"""Smaller nodes are part of the node above them."""


@dataclass(frozen=True, slots=True)
class ProvenState:
    """The state at `version`, with changes `above` it that nobody writes."""

    state: VersionedState
    tries: Tries
    version: Version
    above: StateChanges | None = None

    def account(self, address: Address) -> StoredAccount:
        changed = None if self.above is None else self.above.accounts.get(account_name(address))
        return self.state.account(address, self.version) if changed is None else changed[1]

    def slot(self, address: Address, number: int) -> int:
        changed = None if self.above is None else self.above.slots.get(slot_name(address, number))
        return self.state.slot(address, number, self.version) if changed is None else changed[1]

    def node(self, trie: bytes, path: bytes) -> bytes:
        changed = None if self.above is None else self.above.nodes.get(trie + path)
        return self.tries.node(trie, path, self.version) if changed is None else changed

    def is_empty(self) -> bool:
        if self.above is not None and ACCOUNT_TRIE in self.above.nodes:
            return not self.above.nodes[ACCOUNT_TRIE]
        return self.tries.root(ACCOUNT_TRIE, self.version) == EMPTY_ROOT


def prove(proven: ProvenState, address: Address, slots: Sequence[int]) -> Generator[None, None, Proof]:
    """An account and some of its slots, proven."""
    account, storage_root = proven.account(address)
    trie = storage_trie(address)
    proofs = []
    for number in slots:
        key = keccak256(number.to_bytes(SLOT_BYTES, "big"))
        nodes = () if storage_root == EMPTY_ROOT else _nodes_to(proven, trie, key)
        proofs.append(SlotProof(number, proven.slot(address, number), nodes))
        yield
    nodes = () if proven.is_empty() else _nodes_to(proven, ACCOUNT_TRIE, keccak256(address))
    return Proof(account, storage_root, nodes, tuple(proofs))


def _nodes_to(proven: ProvenState, trie: bytes, key: bytes) -> tuple[bytes, ...]:
    digits, depth = digits_of(key), 0
    nodes: list[bytes] = []
    while True:
        record = proven.node(trie, digits[:depth])
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
