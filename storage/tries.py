"""The account trie and the storage tries in the database: their nodes by path and version, the latest ones cached."""

from collections.abc import Generator, Iterator, Mapping, Sequence

from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.messages.storage import CacheUse
from chain.types import Address, Hash32, Version
from storage.cache import RecentlyUsed
from storage.keyvalue import CorruptStore, KeyValue
from storage.nodes import node_encoding
from storage.trie import Entry, TrieUpdate
from storage.versions import filled_names, newest, suffix

CACHED_NODES = 16_384
NODES_A_STEP = 1_024
ACCOUNT_TRIE = b"t"


def storage_trie(address: Address) -> bytes:
    """The name of an account's storage trie. Names are the beginnings of the keys of a trie's nodes."""
    return b"u" + address


class Tries:
    """Reads nodes at any version; updates start from the newest one."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._latest: RecentlyUsed[bytes, bytes] = RecentlyUsed(CACHED_NODES)
        self.seeks = 0

    @property
    def hits(self) -> int:
        return self._latest.hits

    def cache_use(self) -> CacheUse:
        return self._latest.use("trie nodes")

    def node(self, trie: bytes, path: bytes, version: Version) -> bytes:
        """The record of a node that is there at `version`."""
        self.seeks += 1
        found = newest(self._store, trie + path, suffix(version))
        if found is None or not found[1]:
            raise CorruptStore("the state trie", f"node {path.decode()!r} of trie {trie.hex()} is missing at {version}")
        return found[1]

    def _latest_node(self, name: bytes, trie: bytes, path: bytes, version: Version) -> bytes:
        record = self._latest.get(name)
        if record is not None:
            self._latest.hits += 1
            return record
        self._latest.misses += 1
        record = self.node(trie, path, version)
        self._latest.put(name, record)
        return record

    def update(
        self,
        trie: bytes,
        root: Hash32,
        entries: Sequence[Entry],
        version: Version,
        nodes: dict[bytes, bytes],
        pending: Mapping[bytes, bytes],
        *,
        newest_version: bool = True,
    ) -> Generator[None, None, Hash32]:
        """Work sorted entries into a trie that had this root at `version`. Gives the new root.

        `pending` records stand above that version. The new ones go to `nodes`, by name. Unless `version` is the newest
        one until the end, say so.
        """
        if newest_version:
            update = TrieUpdate(
                lambda path: pending.get(trie + path) or self._latest_node(trie + path, trie, path, version)
            )
        else:
            update = TrieUpdate(lambda path: self.node(trie, path, version))
        after = yield from update.run(root, entries)
        for count, (path, record) in enumerate(update.changed.items()):
            nodes[trie + path] = record
            if count % NODES_A_STEP == NODES_A_STEP - 1:
                yield
        return after

    def stored_nodes(self, trie: bytes, version: Version) -> Iterator[bytes]:
        """The names of all nodes at `version`, by two seeks a node whatever its history."""
        return filled_names(self._store, trie, version)

    def root(self, trie: bytes, version: Version) -> Hash32:
        """The root of the trie as its top record at `version` has it."""
        found = newest(self._store, trie, suffix(version))
        return keccak256(node_encoding(found[1], 0)) if found is not None and found[1] else EMPTY_ROOT

    def adopt(self, nodes: dict[bytes, bytes]) -> None:
        """These records are written and are the newest now."""
        for name, record in nodes.items():
            self._latest.put(name, record)

    def forget(self) -> None:
        self._latest.clear()
