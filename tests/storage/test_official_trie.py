"""The official trie tests of ethereum/tests, for which TANDEM_TRIE_TESTS names the folder TrieTests of a checkout.

Our tries have keys of 32 bytes, as the state's have. That is what the tests of secure tries are about, whose keys are
hashes; the others (trietest, trieanyorder, trietestnextprev) have keys of any length, or ask for a trie's neighbours.
"""

import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.keccak import keccak256
from tests.storage.test_trie import Change, Trie

FILES = ("hex_encoded_securetrie_test.json", "trieanyorder_secureTrie.json", "trietest_secureTrie.json")
ORDERS = 20


def official_cases() -> Iterator[tuple[str, list[Change], bool, bytes]]:
    """Each with its changes, whether they may come in any order, and the root in the end."""
    folder = Path(os.environ["TANDEM_TRIE_TESTS"])
    for file in FILES:
        for name, case in json.loads((folder / file).read_text()).items():
            rows = case["in"]
            pairs = rows.items() if isinstance(rows, dict) else rows
            changes: list[Change] = [
                (keccak256(_bytes(key)), None if value is None else _bytes(value)) for key, value in pairs
            ]
            yield f"{file}: {name}", changes, isinstance(rows, dict), _bytes(case["root"])


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


@pytest.mark.full
@pytest.mark.skipif("TANDEM_TRIE_TESTS" not in os.environ, reason="TANDEM_TRIE_TESTS names no folder")
def test_secure_tries_have_the_official_roots_however_their_changes_are_batched() -> None:
    cases = 0
    for name, changes, any_order, root in official_cases():
        cases += 1
        chooser = random.Random(name)
        for _ in range(ORDERS):
            if any_order:
                chooser.shuffle(changes)
            trie = Trie()
            for batch in _batches(chooser, changes):
                trie.update(*batch.items())
            assert trie.root == root, name
    assert cases >= len(FILES)


def _batches(chooser: random.Random, changes: list[Change]) -> Iterator[dict[bytes, bytes | None]]:
    """The changes in order, cut anywhere; of several to one key in a batch the last counts."""
    cuts = [0, *sorted(chooser.choices(range(len(changes) + 1), k=3)), len(changes)]
    for start, end in itertools.pairwise(cuts):
        yield dict(changes[start:end])
