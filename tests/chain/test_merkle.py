"""The roots of ordered tries, against the `trie` package; blooms, against eth_bloom."""

import random

import pytest
import rlp as reference
from eth_bloom import BloomFilter
from trie import HexaryTrie

from chain.merkle import EMPTY_ROOT, ordered_root
from chain.receipts import Log, bloom_of
from chain.types import Address, Hash32

SEED = 20_261_122


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 127, 128, 129, 130, 256, 300])
def test_the_root_is_that_of_the_trie_of_indices(count: int) -> None:
    chance = random.Random(f"{SEED}/{count}")
    values = [chance.randbytes(chance.randint(1, 100)) for _ in range(count)]
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[reference.encode(index)] = value
    assert ordered_root(values) == trie.root_hash


def test_no_values_give_the_root_that_everyone_knows() -> None:
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


def test_blooms_hold_addresses_and_topics_as_the_reference_does() -> None:
    chance = random.Random(SEED)
    logs = [
        Log(Address(chance.randbytes(20)), tuple(Hash32(chance.randbytes(32)) for _ in range(count)), b"")
        for count in (0, 1, 4)
    ]
    expected = BloomFilter()
    for log in logs:
        expected.extend([log.address, *log.topics])
    assert int.from_bytes(bloom_of(logs), "big") == int(expected)
