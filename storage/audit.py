"""Whether a whole store is right: every block's parts against its header, every version's records against its root.

Checksums say that nothing changed in a file; this says that nothing is missing from the store and that its parts fit
together. A block's header is held by its hash, which its child names; its transactions and receipts by the roots in
it; the state after it by the state root. Of the oldest version everything is looked at, of each later one what its
journal says it wrote: the records themselves, and for each account, slot and node the path that leads to it from the
root, hash by hash.
"""

from collections.abc import Iterator
from itertools import chain

from chain import rlp
from chain.accounts import WITHOUT_CODE
from chain.codec import MessageError
from chain.headers import NO_PARENT
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT, node_reference, ordered_root
from chain.receipts import bloom_of
from chain.types import Address, BlockNumber, Hash32, Version
from storage.blocks import PLACES, HeightRow, StoredHeader
from storage.errors import UnknownCode
from storage.journal import Journal, Written
from storage.keyvalue import CorruptStore, KeyValue, end_of_prefix
from storage.latest import LATEST, latest
from storage.logs import LOGS
from storage.nodes import (
    EMPTY,
    FIRST_BRANCH,
    LEAF,
    LEAF_VALUE,
    NIBBLES,
    branch_references,
    digits_of,
    extension_parts,
    node_encoding,
)
from storage.number_keys import place_key
from storage.state import ABSENT, ACCOUNTS, SLOT_BYTES, SLOTS, VersionedState
from storage.steps import run
from storage.store import Store
from storage.tries import ACCOUNT_TRIE, Tries, storage_trie
from storage.versions import GENESIS_VERSION, SUFFIX_BYTES, filled_names, suffix, version_of

ADDRESS_BYTES = 20
BLOCKS_A_STEP = 64
NAMES_A_STEP = 10_000


class Audit:
    """Of one open store. `run` yields now and then how many blocks or versions it has looked at."""

    def __init__(self, store: Store, keyvalue: KeyValue, first: BlockNumber) -> None:
        """`first` is the block that the chain began with."""
        self._store = store
        self._keyvalue = keyvalue
        self._first = first
        self._roots: dict[Version, Hash32] = {}
        self._log_rows = 0
        base = store.blocks.height(0)
        if base is None:
            raise _wrong("height 0", "what there was after it is missing")
        self._base = base.number
        """The newest block that was not made here: genesis, or the newest imported one."""

    def run(self) -> Iterator[str]:
        """Raises CorruptStore at the first thing that is wrong."""
        at = "its first block"
        try:
            for at in chain(self._blocks(), self._heights(), self._states(), self._newest_values()):
                yield at
        except (MessageError, UnknownCode, ValueError, IndexError) as error:
            raise _wrong(f"a record after {at}", f"it cannot be read: {error}") from error

    def _blocks(self) -> Iterator[str]:
        blocks, parent, before = self._store.blocks, NO_PARENT, Version(0)
        for number in range(self._first, self._store.head.number + 1):
            stored, version = blocks.header(number), blocks.version(number)
            if stored is None or version is None:
                raise _wrong(f"block {number}", "its header or version is missing")
            if stored.header.hash() != stored.hash or stored.header.number != number:
                raise _wrong(f"block {number}", "its header has another hash")
            if number > self._first and stored.header.parent_hash != parent:
                raise _wrong(f"block {number}", "it does not follow the block before it")
            if not before < version <= self._store.head.version:
                raise _wrong(f"block {number}", f"its version is {version}, after {before}")
            if blocks.number_of(stored.hash) != number:
                raise _wrong(f"block {number}", "it is not found by its hash")
            self._body(BlockNumber(number))
            parent, before = stored.hash, version
            if number % BLOCKS_A_STEP == 0:
                yield f"block {number}"
        if self._log_rows != sum(1 for _ in self._keyvalue.with_prefix(LOGS)):
            raise _wrong("the index of logs", "some of it is of logs that are not there")

    def _body(self, number: BlockNumber) -> None:
        blocks, name = self._store.blocks, f"block {number}"
        block = blocks.block(number, with_receipts=True)
        assert block is not None
        header = block.header
        if number == self._first:
            return  # genesis has no body, and a base came without one
        if ordered_root(block.transactions) != header.transactions_root:
            raise _wrong(name, "its transactions are not those that its header names")
        if ordered_root([receipt.encode() for receipt in block.receipts]) != header.receipts_root:
            raise _wrong(name, "its receipts are not those that its header names")
        if bloom_of(log for receipt in block.receipts for log in receipt.logs) != header.logs_bloom:
            raise _wrong(name, "its logs are not those that its header names")
        if keccak256(rlp.encode_list([ommer.encode() for ommer in block.ommers])) != header.ommers_hash:
            raise _wrong(name, "its ommers are not those that its header names")
        withdrawn = ordered_root([withdrawal.encode() for withdrawal in block.withdrawals])
        if header.withdrawals_root is not None and withdrawn != header.withdrawals_root:
            raise _wrong(name, "its withdrawals are not those that its header names")
        if number > self._base and blocks.record(number) is None:
            raise _wrong(name, "the record of its execution is missing")
        expected: dict[bytes, bytes | None] = {}
        run(blocks.put_logs(StoredHeader(header, block.hash), block.hashes, block.receipts, expected))
        self._log_rows += len(expected)
        for index, raw in enumerate(block.transactions):
            expected[PLACES + keccak256(raw)] = place_key(number, index)
        if any(self._keyvalue.get(key) != value for key, value in expected.items()):
            raise _wrong(name, "an entry of the index by hash, address or topic is missing")

    def _heights(self) -> Iterator[str]:
        before = Version(0)
        for height in range(self._store.head.height + 1):
            row = self._store.blocks.height(height)
            if row is None or row.version < before:
                raise _wrong(f"height {height}", "what there was after it is missing")
            before = row.version
            self._learn_roots(row)
            if height % BLOCKS_A_STEP == 0:
                yield f"height {height}"

    def _learn_roots(self, row: HeightRow) -> None:
        """Each block of a height made one version; those that operations made later have roots of no header."""
        for back in range(0 if self._store.is_undone(row) else row.blocks):
            stored = self._store.blocks.header(row.number - back)
            assert stored is not None, "blocks are looked at before"
            self._roots[Version(row.version - back)] = stored.header.state_root

    def _states(self) -> Iterator[str]:
        first, last = self._store.pruning.floor, self._store.head.version
        state = StateAudit(self._store.state, self._store.tries, self._keyvalue)
        if not self._store.state.forked:  # the first state of a fork is another chain's, and mostly not here
            state.whole(first, self._roots.get(first))
        expected = first + 1
        for part in Journal(self._keyvalue).parts(Version(first + 1), last):
            version = part.version
            if version != expected:
                break
            state.records(version, part.written)
            state.changes(version, part.written, self._roots.get(version))
            expected += not part.rest
            if version % BLOCKS_A_STEP == 0:
                yield f"version {version}"
        if expected != last + 1:
            raise _wrong(f"version {expected}", "the list of what it wrote is missing")

    def _newest_values(self) -> Iterator[str]:
        """Whether what a plain get of each account and slot finds is its newest record, and nothing else is there."""
        names = 0
        for kind in (ACCOUNTS, SLOTS):
            before = b""
            for key, record in self._keyvalue.pairs(kind, end_of_prefix(kind)):
                name = key[:-SUFFIX_BYTES]
                if name == before:
                    continue
                before = name
                found, version = latest(self._keyvalue, name), version_of(key)
                read_from_remote = found is None and version == GENESIS_VERSION and self._store.state.forked
                if found != (version, record) and not read_from_remote:
                    raise _wrong(f"version {version}", f"the newest value of {name.hex()} is another's")
                names += not read_from_remote
                if names % NAMES_A_STEP == 0:
                    yield f"record {name.hex()}"
        if names != sum(1 for _ in self._keyvalue.with_prefix(LATEST)):
            raise _wrong("the newest values", "some are of records that are not there")


class StateAudit:
    """Accounts, slots, codes and trie nodes at one version after the other."""

    def __init__(self, state: VersionedState, tries: Tries, keyvalue: KeyValue) -> None:
        self._state = state
        self._tries = tries
        self._keyvalue = keyvalue
        self._version = Version(0)
        self._verified: set[bytes] = set()

    def whole(self, version: Version, root: Hash32 | None) -> None:
        """Everything there is at a version. Raises CorruptStore."""
        found = self._begin(version, root)
        accounts = 0
        for name in filled_names(self._keyvalue, ACCOUNTS, version):
            address = Address(name[1:])
            self._account(address, found)
            self._storage(address)
            accounts += 1
        if accounts != self._leaves(ACCOUNT_TRIE, found):
            raise self._missing("accounts")

    def records(self, version: Version, written: Written) -> None:
        """Whether all that a version wrote is there. Raises CorruptStore."""
        self._version = version
        at = suffix(version)
        for names, is_filled in ((written.filled, True), (written.emptied, False)):
            for name in names:
                record = self._keyvalue.get(name + at)
                if record is None or bool(record) != is_filled:
                    raise self._missing(f"record {name.hex()}")

    def changes(self, version: Version, written: Written, root: Hash32 | None) -> None:
        """What a version wrote, those before it being right. Raises CorruptStore."""
        found = self._begin(version, root)
        for name in (*written.filled, *written.emptied):
            kind, address = name[:1], Address(name[1 : 1 + ADDRESS_BYTES])
            if kind == ACCOUNTS:
                self._account(address, found)
            elif kind == SLOTS:
                self._slot(address, int.from_bytes(name[1 + ADDRESS_BYTES :], "big"))
        for name in written.filled:
            if name[:1] == ACCOUNT_TRIE:
                self._follow(ACCOUNT_TRIE, found, name[1:])
            elif name[:1] == storage_trie(Address(b""))[:1]:
                trie, path = name[: 1 + ADDRESS_BYTES], name[1 + ADDRESS_BYTES :]
                self._follow(trie, self._storage_root(Address(trie[1:])), path)

    def _begin(self, version: Version, root: Hash32 | None) -> Hash32:
        self._version = version
        self._verified.clear()
        found = self._tries.root(ACCOUNT_TRIE, version)
        if root is not None and found != root:
            raise _wrong(f"version {version}", "its state is not the one that its block's header names")
        return found

    def _account(self, address: Address, root: Hash32) -> None:
        stored = self._state.account(address, self._version)
        gone = stored == ABSENT and not self._state.forked
        expected = None if gone else stored.account.trie_value(stored.storage_root)
        if self._leaf(ACCOUNT_TRIE, root, keccak256(address)) != expected:
            raise self._missing(f"account 0x{address.hex()}")
        code_hash = stored.account.code_hash
        if code_hash not in WITHOUT_CODE and keccak256(self._state.code(code_hash)) != code_hash:
            raise self._missing(f"the code of account 0x{address.hex()}")

    def _slot(self, address: Address, number: int) -> None:
        value = self._state.slot(address, number, self._version)
        expected = {rlp.encode_int(value) if value else None}
        if self._state.forked and not value:
            expected.add(rlp.encode_int(0))  # set to zero, and not cleared with all others
        key = keccak256(number.to_bytes(SLOT_BYTES, "big"))
        if self._leaf(storage_trie(address), self._storage_root(address), key) not in expected:
            raise self._missing(f"slot {number} of account 0x{address.hex()}")

    def _storage(self, address: Address) -> None:
        slots = 0
        for number in self._state.stored_slots(address, self._version):
            self._slot(address, number)
            slots += 1
        if slots != self._leaves(storage_trie(address), self._storage_root(address)):
            raise self._missing(f"slots of account 0x{address.hex()}")

    def _storage_root(self, address: Address) -> Hash32:
        return self._state.account(address, self._version).storage_root

    def _leaf(self, trie: bytes, root: Hash32, key: Hash32) -> bytes | None:
        """What the trie has for a key."""
        record = self._follow(trie, root, digits_of(key))
        ends_here = record is not None and record[0] == LEAF and record[1:LEAF_VALUE] == key
        return record[LEAF_VALUE:] if record is not None and ends_here else None

    def _follow(self, trie: bytes, root: Hash32, digits: bytes) -> bytes | None:
        """The last node towards some digits, every hash on the way compared; None if the way ends at nothing."""
        if root == EMPTY_ROOT:
            return None
        depth, reference = 0, root_reference(root)
        while True:
            record = self._node(trie, digits[:depth], reference)
            if record[0] == LEAF or depth == len(digits):
                return record
            if record[0] >= FIRST_BRANCH:
                reference = branch_references(record)[NIBBLES[digits[depth]]]
                if reference == EMPTY:
                    return None
                depth += 1
                continue
            shared, reference = extension_parts(record)
            if digits[depth : depth + len(shared)] != shared:
                return record
            depth += len(shared)

    def _leaves(self, trie: bytes, root: Hash32) -> int:
        """How many leaves the trie has, every hash compared."""
        found = 0
        todo = [] if root == EMPTY_ROOT else [(b"", root_reference(root))]
        while todo:
            path, reference = todo.pop()
            record = self._node(trie, path, reference)
            if record[0] == LEAF:
                found += 1
            elif record[0] >= FIRST_BRANCH:
                children = enumerate(branch_references(record))
                todo += [(path + b"%x" % nibble, child) for nibble, child in children if child != EMPTY]
            else:
                shared, child = extension_parts(record)
                todo.append((path + shared, child))
        return found

    def _node(self, trie: bytes, path: bytes, reference: bytes) -> bytes:
        record = self._tries.node(trie, path, self._version)
        if trie + path not in self._verified:
            encoded = node_encoding(record, len(path))
            if (root_reference(keccak256(encoded)) if not path else node_reference(encoded)) != reference:
                raise self._missing(f"node {path.decode()!r} of trie {trie.hex()}")
            self._verified.add(trie + path)
        return record

    def _missing(self, what: str) -> CorruptStore:
        return _wrong(f"version {self._version}", f"{what} is missing or another's")


def root_reference(root: Hash32) -> bytes:
    """How a node would refer to a root: by its hash, however small the node is."""
    return b"\xa0" + root


def _wrong(what: str, reason: str) -> CorruptStore:
    return CorruptStore(what, reason)
