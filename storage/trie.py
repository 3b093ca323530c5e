"""A batched update of one Merkle-Patricia trie: Ethereum's roots, one record read and one hash a dirty node.

The trie is kept as records by path and version. A node is written whenever what stands at its path changes, and an
empty record where nothing stands any more. So every old version of the trie stays readable, and a record is of no use
to the versions from the next one at its path on.

The update is a generator that yields between nodes, so that a process can answer reads while a large block is worked
in. It changes nothing but its own `changed`; whoever runs it writes those records.
"""

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias

from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT, node_reference
from chain.types import Hash32
from storage.nodes import (
    DIGITS,
    EMPTY,
    FIRST_BRANCH,
    LEAF,
    LEAF_PREFIX,
    LEAF_VALUE,
    NIBBLES,
    branch_record,
    branch_references,
    digits_of,
    extension_parts,
    extension_record,
    leaf_record,
    node_encoding,
)

Entry: TypeAlias = tuple[bytes, bytes, bytes | None]
"""A 32-byte key, its 64 digits, and its new value; None to delete it."""
Growing: TypeAlias = Generator[None, None, bytes | None]
"""Work on one subtree, ending in the record of its top node, or None if nothing is left of it."""


def entry(key: bytes, value: bytes | None) -> Entry:
    return key, digits_of(key), value


class TrieUpdate:
    """One update of one trie. `load` gives the record at a path of the trie as it was before.

    A record that a method returns stands nowhere yet: its caller puts it where it belongs, since the collapse of a
    branch above may still move it.
    """

    def __init__(self, load: Callable[[bytes], bytes]) -> None:
        self._load = load
        self.changed: dict[bytes, bytes] = {}
        """New records by path. An empty one says that no node stands there any more."""

    def run(self, root: Hash32, entries: Sequence[Entry]) -> Generator[None, None, Hash32]:
        """Work the entries, sorted by key and each key once, into the trie with this root. Gives the new root."""
        if not entries:
            return root
        before = None if root == EMPTY_ROOT else self._load(b"")
        after = yield from self._grow(b"", before, entries)
        if after == before:
            return root
        self.changed[b""] = after or b""
        return EMPTY_ROOT if after is None else keccak256(node_encoding(after, 0))

    def _grow(self, path: bytes, record: bytes | None, entries: Sequence[Entry]) -> Growing:
        """The subtree at `path`, whose top node had this record, with the entries worked in."""
        if record is None:
            return (yield from self._build(path, entries))
        if record[0] >= FIRST_BRANCH:
            return (yield from self._branch(path, record, branch_references(record), {}, entries))
        if record[0] == LEAF:
            return (yield from self._build(path, _with_leaf(record, entries)))
        return (yield from self._extension(path, record, entries))

    def _build(self, path: bytes, entries: Sequence[Entry]) -> Growing:
        """A subtree of nothing but the entries."""
        entries = [entry for entry in entries if entry[2] is not None]
        if not entries:
            return None
        key, first, value = entries[0]
        if len(entries) == 1:
            assert value is not None
            return leaf_record(key, value)
        fork = _shared(first, entries[-1][1])
        branch = yield from self._branch(first[:fork], None, [EMPTY] * 16, {}, entries)
        return self._prepend(path, first[len(path) : fork], branch)

    def _extension(self, path: bytes, record: bytes, entries: Sequence[Entry]) -> Growing:
        digits, reference = extension_parts(record)
        end = path + digits
        fork = min(_shared(end, entries[0][1]), _shared(end, entries[-1][1]))
        if fork == len(end):
            child = self._load(end)
            grown = yield from self._grow(end, child, entries)
            if grown == child:
                return record
            self.changed[end] = b""  # unless it is a branch still, which the next line puts there
            return self._prepend(path, digits, grown)
        split, nibble, rest = end[:fork], NIBBLES[end[fork]], end[fork + 1 :]
        references, moved = [EMPTY] * 16, {}
        if rest:
            moved[nibble] = extension_record(rest, reference)
            references[nibble] = node_reference(node_encoding(moved[nibble], fork + 1))
        else:
            references[nibble] = reference
        branch = yield from self._branch(split, None, references, moved, entries)
        return self._prepend(path, split[len(path) :], branch)

    def _branch(
        self,
        path: bytes,
        before: bytes | None,
        references: list[bytes],
        fresh: dict[int, bytes],
        entries: Sequence[Entry],
    ) -> Growing:
        """A branch with these references, children in `fresh` not being in their places yet, and the entries.

        `before` is its record if it stood at `path` already.
        """
        depth, start = len(path), 0
        changed = False
        while start < len(entries):
            digit, stop = entries[start][1][depth], start + 1
            while stop < len(entries) and entries[stop][1][depth] == digit:
                stop += 1
            nibble, child = NIBBLES[digit], None
            if references[nibble] != EMPTY:
                child = fresh.get(nibble) or self._load(path + DIGITS[nibble])
            key, _, value = entries[start]
            if stop - start == 1 and (child is None or (child[0] == LEAF and child[1:LEAF_VALUE] == key)):
                grown = None if value is None else LEAF_PREFIX + key + value
            else:
                grown = yield from self._grow(path + DIGITS[nibble], child, entries[start:stop])
            if grown != child:
                changed = True
                fresh.pop(nibble, None)
                references[nibble] = EMPTY
                if grown is None:
                    self.changed[path + DIGITS[nibble]] = b""
                else:
                    fresh[nibble] = grown
                    references[nibble] = node_reference(node_encoding(grown, depth + 1))
            start = stop
        yield
        return self._settled(path, references, fresh) if changed or before is None else before

    def _settled(self, path: bytes, references: list[bytes], fresh: dict[int, bytes]) -> bytes | None:
        """A branch whose children are known: itself, or what it collapses to with fewer than two of them."""
        left = 16 - references.count(EMPTY)
        if left >= 2:
            for nibble, record in fresh.items():
                self.changed[path + DIGITS[nibble]] = record
            return branch_record(references)
        if left == 0:
            return None
        (nibble,) = [nibble for nibble in range(16) if references[nibble] != EMPTY]
        child = fresh.get(nibble) or self._load(path + DIGITS[nibble])
        self.changed[path + DIGITS[nibble]] = b""  # unless it is a branch, which the next line puts there
        return self._prepend(path, DIGITS[nibble], child)

    def _prepend(self, path: bytes, digits: bytes, record: bytes | None) -> bytes | None:
        """The node at `path` from which these digits lead to the node with `record`."""
        if record is None or not digits or record[0] == LEAF:
            return record
        if record[0] >= FIRST_BRANCH:
            end = path + digits
            self.changed[end] = record
            return extension_record(digits, node_reference(record))
        further, reference = extension_parts(record)
        return extension_record(digits + further, reference)


def _with_leaf(record: bytes, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries and the leaf that stood among them, unless they say what becomes of it."""
    key = record[1:LEAF_VALUE]
    if any(entry[0] == key for entry in entries):
        return entries
    return sorted([*entries, (key, digits_of(key), record[LEAF_VALUE:])])


def _shared(a: bytes, b: bytes) -> int:
    """How many digits two paths have in common at their beginning."""
    for at, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return at
    return min(len(a), len(b))
