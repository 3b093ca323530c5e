"""Batched updates of one trie, against the `trie` package."""

import random

import pytest
from trie import HexaryTrie

from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import Hash32
from storage.nodes import DIGITS, EMPTY, FIRST_BRANCH, LEAF, branch_references, extension_parts
from storage.steps import run
from storage.trie import TrieUpdate, entry

Change = tuple[bytes, bytes | None]


class Trie:
    """A trie kept in a dictionary, updated batch by batch."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.root = EMPTY_ROOT
        self.written = 0

    def update(self, *changes: Change) -> Hash32:
        update = TrieUpdate(self.records.__getitem__)
        self.root = run(update.run(self.root, sorted(entry(key, value) for key, value in changes)))
        self.records.update(update.changed)
        self.written = len(update.changed)
        return self.root


def _key(*beginning: int) -> bytes:
    return bytes(beginning) + bytes(32 - len(beginning))


def _spread_keys(count: int) -> list[bytes]:
    return [keccak256(number.to_bytes(4, "big")) for number in range(count)]


def _crowded_keys(chooser: random.Random, count: int) -> list[bytes]:
    """Keys with long common beginnings, so that there are extensions, and nodes short enough to be embedded."""
    some = (0, 1, 0x10, 0x11)
    keys = {bytes(chooser.choices(some, k=2)) + bytes(28) + bytes(chooser.choices(some, k=2)) for _ in range(count)}
    return sorted(keys)


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("size", [1, 6, 60])
@pytest.mark.parametrize("seed", range(12))
def test_roots_of_random_batches_equal_those_of_the_trie_package(seed: int, size: int, crowded: bool) -> None:
    print(f"seed {seed}")
    chooser = random.Random(seed)
    keys = _crowded_keys(chooser, size) if crowded else _spread_keys(size)
    ours, theirs = Trie(), HexaryTrie({})
    for _ in range(25):
        deletions = chooser.choice((0, 0.3, 0.7, 1))
        changes: list[Change] = []
        for key in chooser.sample(keys, chooser.randint(0, len(keys))):
            value = None if chooser.random() < deletions else chooser.randbytes(chooser.choice((1, 2, 33, 70, 300)))
            changes.append((key, value))
            if value is not None:
                theirs[key] = value
            elif key in theirs:
                del theirs[key]
        assert ours.update(*changes) == theirs.root_hash


def _reachable(records: dict[bytes, bytes], path: bytes = b"") -> set[bytes]:
    """The paths of the nodes that the references from the top lead to."""
    record = records[path]
    if record[0] == LEAF:
        return {path}
    if record[0] < FIRST_BRANCH:
        return {path} | _reachable(records, path + extension_parts(record)[0])
    children = [path + DIGITS[n] for n, reference in enumerate(branch_references(record)) if reference != EMPTY]
    return {path}.union(*[_reachable(records, child) for child in children])


@pytest.mark.parametrize("crowded", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_where_no_node_stands_any_more_there_is_an_empty_record(seed: int, crowded: bool) -> None:
    print(f"seed {seed}")
    chooser = random.Random(seed)
    keys = _crowded_keys(chooser, 60) if crowded else _spread_keys(60)
    trie = Trie()
    for _ in range(40):
        deletions = chooser.choice((0, 0.5, 0.9))
        some = chooser.sample(keys, chooser.randint(0, len(keys)))
        trie.update(*[(key, None if chooser.random() < deletions else chooser.randbytes(40)) for key in some])
        standing = {path for path, record in trie.records.items() if record}
        assert standing == (set() if trie.root == EMPTY_ROOT else _reachable(trie.records))


def test_a_trie_whose_last_entry_is_deleted_has_the_empty_root() -> None:
    trie = Trie()
    trie.update((_key(1), b"a"), (_key(2), b"b"))
    assert trie.update((_key(1), None), (_key(2), None)) == EMPTY_ROOT
    assert trie.records[b""] == b""


def test_deleting_what_is_not_there_leaves_the_root_as_it_is() -> None:
    trie = Trie()
    before = trie.update((_key(0x12, 0x34), b"a"), (_key(0x12, 0x35), b"b"))
    assert trie.update((_key(0x12, 0x36), None), (_key(0x77), None)) == before


def test_setting_the_value_that_is_there_writes_nothing() -> None:
    trie = Trie()
    with_an_extension = [bytes(8) + bytes([last]) * 24 for last in (1, 2)]
    keys = with_an_extension + _spread_keys(50)
    trie.update(*[(key, b"same") for key in keys])
    trie.update(*[(key, b"same") for key in keys[:20]])
    assert trie.written == 0


def test_only_nodes_on_the_path_of_a_change_are_written() -> None:
    trie = Trie()
    keys = _spread_keys(4096)
    trie.update(*[(key, b"old") for key in keys])
    trie.update((keys[7], b"new"))
    assert trie.written <= 6


def test_an_update_yields_between_nodes() -> None:
    trie = Trie()
    keys = _spread_keys(1000)
    trie.update(*[(key, b"old") for key in keys])
    update = TrieUpdate(trie.records.__getitem__)
    steps = update.run(trie.root, sorted(entry(key, b"new") for key in keys))
    pauses = sum(1 for _ in steps)
    assert pauses > 200
