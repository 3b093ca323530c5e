"""Proofs at every version, checked by the `trie` package."""

import rlp
from trie import HexaryTrie

from chain.accounts import Account, AccountChange
from chain.keccak import keccak256
from chain.types import Version
from storage.memory import MemoryKeyValue
from storage.proofs import ProvenState, prove
from storage.steps import run
from storage.store import Store
from tests.storage.world import NOBODY, RandomChain, block_of, genesis_of


def _proven(root: bytes, key: bytes, nodes: tuple[bytes, ...]) -> bytes:
    """What the nodes prove to stand at a key of the trie with this root; nothing if they prove that it is absent."""
    value: bytes = HexaryTrie.get_from_proof(root, keccak256(key), [rlp.decode(node) for node in nodes])
    return value


def test_proofs_of_every_version_hold_against_its_state_root(seed: int) -> None:
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(12):
        store.apply(chain.next(store.head.hash))
    for number in range(13):
        stored, version = store.blocks.header(number), store.blocks.version(number)
        assert stored is not None
        assert version is not None
        for address in [*chain.addresses, NOBODY]:
            slots = (*range(12), 2**200)
            proof = run(prove(ProvenState(store.state, store.tries, version), address, slots))
            value = _proven(stored.header.state_root, address, proof.nodes)
            expected = b"" if proof.account.is_empty else proof.account.trie_value(proof.storage_root)
            assert value == expected
            for slot in proof.slots:
                in_trie = (
                    _proven(proof.storage_root, slot.number.to_bytes(32, "big"), slot.nodes) if slot.nodes else b""
                )
                assert in_trie == (rlp.encode(slot.value) if slot.value else b"")


def test_an_empty_state_is_proven_by_no_nodes() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    store.apply(block_of(genesis, 1, AccountChange(NOBODY, Account(1), {})))
    assert run(prove(ProvenState(store.state, store.tries, Version(1)), NOBODY, ())).nodes == ()
    assert len(run(prove(ProvenState(store.state, store.tries, Version(2)), NOBODY, ())).nodes) == 1
