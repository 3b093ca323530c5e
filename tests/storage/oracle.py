"""The state root of a model as the `trie` and `rlp` packages compute it: code that is not ours."""

from collections.abc import Mapping

import rlp
from trie import HexaryTrie

from chain.keccak import keccak256
from chain.types import Hash32
from tests.storage.world import Model


def trie_root(rows: Mapping[Hash32, bytes]) -> Hash32:
    """The root of a trie of these."""
    trie = HexaryTrie({})
    for key, value in rows.items():
        trie[key] = value
    return Hash32(trie.root_hash)


def oracle_root(model: Model) -> bytes:
    state = HexaryTrie({})
    for address, entry in model.items():
        storage = HexaryTrie({})
        for number, value in entry.slots.items():
            storage[keccak256(number.to_bytes(32, "big"))] = rlp.encode(value)
        account = entry.account
        state[keccak256(address)] = rlp.encode([account.nonce, account.balance, storage.root_hash, account.code_hash])
    root: bytes = state.root_hash
    return root
