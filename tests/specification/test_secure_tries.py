"""Tries whose keys are hashes, as the state's are: the executable specification, the `trie` package and ours agree.

Neither of the two knows the other's code. What the official tests of secure tries ask (storage/test_official_trie.py,
whose files are not committed) is asked here of random contents: any order, any batches, removals, values of any length.
"""

import json
import os
import random
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chain.keccak import keccak256
from chain.types import Hash32
from tests.specification.oracle import SpecificationMissing, interpreter
from tests.storage.oracle import trie_root
from tests.storage.test_trie import Trie

SEED = int(os.environ.get("TANDEM_SEED", "7"))
TRIES, BATCHES = 12, 8
KEY_BYTES = (1, 3, 20, 32)
VALUE_BYTES = (1, 2, 20, 31, 32, 33, 55, 56, 110, 300)


class SpecificationTries:
    """The specification's tries, in a process of its own. Raises SpecificationMissing."""

    def __init__(self) -> None:
        command = [interpreter(), str(Path(__file__).with_name("trie_roots.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def root(self, rows: Mapping[bytes, bytes]) -> Hash32:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({key.hex(): value.hex() for key, value in rows.items()}) + "\n")
        self._process.stdin.flush()
        return Hash32(bytes.fromhex(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def specification() -> Iterator[SpecificationTries]:
    try:
        made = SpecificationTries()
    except SpecificationMissing as missing:
        pytest.skip(f"the executable specification cannot be installed: {missing}")
    yield made
    made.close()


@pytest.mark.parametrize("number", range(TRIES))
def test_secure_tries_have_the_roots_of_the_specification_and_the_trie_package(
    number: int, specification: SpecificationTries
) -> None:
    print(f"seed {SEED}")
    chooser = random.Random(f"{SEED}-{number}")
    size = chooser.choice((1, 2, 5, 20, 120))
    keys = [chooser.randbytes(chooser.choice(KEY_BYTES)) for _ in range(size)]
    ours, rows = Trie(), dict[bytes, bytes]()
    for _ in range(BATCHES):
        batch: dict[bytes, bytes | None] = {}
        for key in chooser.sample(keys, chooser.randint(0, size)):
            removes = chooser.random() < 0.4
            batch[key] = None if removes else chooser.randbytes(chooser.choice(VALUE_BYTES))
        for key, value in batch.items():
            rows.pop(key, None)
            if value is not None:
                rows[key] = value
        root = ours.update(*((keccak256(key), value) for key, value in batch.items()))
        assert root == specification.root(rows)
        assert root == trie_root({keccak256(key): value for key, value in rows.items()})
