"""The chain on disk: opened, checked, and grown by one block at a time, each in one atomic write.

Applying a block has three parts, so that a process can answer reads in between: `prepare` works everything out (a
generator, nothing changes), `write` makes it durable (may run on another thread), `adopt` makes it what reads see. A
write that fails leaves memory as it was; the next `prepare` first asks the disk what it holds.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chain.accounts import AccountChange
from chain.genesis import Genesis
from chain.headers import Header, with_state_root
from chain.merkle import EMPTY_ROOT
from chain.messages.storage import ApplyBlock, BlockApplied, FoundLog, ReadLogs
from chain.receipts import Log, packed_logs
from chain.types import Address, BlockNumber, Hash32, Height, Version
from storage.blocks import Blocks, HeightRow, StoredHeader
from storage.changes import StateChanges
from storage.errors import BlockOutOfRange, HeightGap, InvalidBlock, OtherProposalApplied, TooManyLogs, WrongStateRoot
from storage.forked_state import ForkedState
from storage.keyvalue import Batch, CorruptStore, KeyValue, NewerFormat, OlderFormat, OtherChain, StoreError
from storage.leveldb import LevelDB
from storage.loading import LOADING_KEY, Loading, StateLoad, remove_cut_off
from storage.logs import matches
from storage.pruning import Pruning
from storage.state import VersionedState
from storage.steps import run
from storage.tries import ACCOUNT_TRIE, Tries
from storage.versions import GENESIS_VERSION

FORMAT = 2
META = b"M"
FORMAT_KEY = META + b"format"
GENESIS_KEY = META + b"genesis"
HEAD_KEY = META + b"head"
OLDEST_BLOCK = BlockNumber(0)


@dataclass(frozen=True, slots=True)
class PreparedBlock:
    """A block worked out, ready to be written."""

    batch: dict[bytes, bytes | None]
    changes: StateChanges
    applied: BlockApplied


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the chain's history something is applied: the height, its proposal, and the version that it makes."""

    height: Height
    proposal: Hash32
    version: Version


class Store:
    """One chain's blocks and states. `head` is the newest block, as it was answered when it was applied.

    `forked_at` is the block of the remote chain that a fork goes on from, its `base`.
    """

    def __init__(
        self, keyvalue: KeyValue, name: str, base: BlockNumber, history: int | None, forked: bool = False
    ) -> None:
        self._keyvalue = keyvalue
        self._name = name
        self._uncertain = False
        self.forked_at = base if forked else None
        self.state = ForkedState(keyvalue) if forked else VersionedState(keyvalue)
        self.tries = Tries(keyvalue)
        self.blocks = Blocks(keyvalue)
        self.pruning = Pruning(keyvalue, self.blocks, history, self.state.forked)
        self.head: BlockApplied

    @classmethod
    def open(
        cls,
        at: Path | KeyValue,
        genesis: Genesis,
        durable: bool = True,
        loading: Loading | None = None,
        history: int | None = None,
    ) -> "Store":
        """The chain in a folder (or an open key-value store), made from `genesis` if there is none yet.

        `loading` is where the state comes from if not from the genesis. With `history` the states of that many blocks
        before the newest are kept, else all. Raises FolderInUse, FolderUnreadable, CorruptStore, NewerFormat,
        OlderFormat, OtherChain, DiskFull, DamagedStateFile, StateFileUnreadable.
        """
        keyvalue = LevelDB(at, durable) if isinstance(at, Path) else at
        name = str(at) if isinstance(at, Path) else "the store"
        store = cls(keyvalue, name, genesis.header.number, history, genesis.forked is not None)
        try:
            genesis_id = genesis.id()
            if not store._belongs_to(genesis_id):
                store._begin(genesis, genesis_id, loading)
            store._load_head()
        except BaseException:
            keyvalue.close()
            raise
        return store

    def _belongs_to(self, genesis_id: Hash32) -> bool:
        """Whether the chain of this genesis is there already; False if nothing is there."""
        data = self._keyvalue.get(FORMAT_KEY)
        if data is None:
            remove_cut_off(self._keyvalue)
            if self._keyvalue.first_from(b"") is not None:
                raise CorruptStore(self._name, "it holds data, but not that of a chain")
            return False
        found = int.from_bytes(data, "big")
        if found > FORMAT:
            raise NewerFormat(self._name, found, FORMAT)
        if found < FORMAT:
            raise OlderFormat(self._name, found, FORMAT)
        theirs = self._keyvalue.get(GENESIS_KEY)
        if theirs is None:
            raise CorruptStore(self._name, "it does not say to which chain it belongs")
        if theirs != genesis_id:
            raise OtherChain(self._name, theirs, genesis_id)
        return True

    def _begin(self, genesis: Genesis, genesis_id: Hash32, loading: Loading | None) -> None:
        if genesis.head is not None:
            raise CorruptStore(self._name, f"the imported blocks up to {genesis.head.number} are missing")
        root = EMPTY_ROOT
        if genesis.state is not None:
            assert loading is not None, "this chain's state is in a file"
            root = StateLoad(self._keyvalue, self.state, self.tries).run(genesis, loading)
        place = _Place(Height(0), genesis_id, GENESIS_VERSION)
        prepared = run(self._work_out(genesis.header, genesis.accounts, root, place, {}))
        prepared.batch[LOADING_KEY] = None
        prepared.batch[FORMAT_KEY] = FORMAT.to_bytes(4, "big")
        prepared.batch[GENESIS_KEY] = genesis_id
        self._keyvalue.write(prepared.batch)

    def _load_head(self) -> None:
        """Take what the disk says is the newest height, and see that its parts agree."""
        data = self._keyvalue.get(HEAD_KEY)
        height = Height(int.from_bytes(data, "big")) if data is not None and len(data) == 8 else None
        row = None if height is None else self.blocks.height(height)
        if height is None or row is None:
            raise CorruptStore(self._name, "it does not say which block is the newest")
        number, version = row.number, row.version
        self.blocks.newest, self.blocks.newest_height = number, height
        self.blocks.forget()
        stored = self.blocks.header(number)
        known = stored is not None and self.blocks.version(number) is not None
        if stored is None or not known or stored.hash != row.hash or stored.header.hash() != stored.hash:
            raise CorruptStore(self._name, f"the header of its newest block, {number}, is missing or not that block's")
        if number != self.forked_at and self.tries.root(ACCOUNT_TRIE, version) != stored.header.state_root:
            raise CorruptStore(self._name, f"the state of its newest block, {number}, is not the one its header names")
        self.tries.forget()
        self.state.forget(version)
        self.pruning.load()
        self.head = BlockApplied(height, row.proposal, version, stored.hash, stored.header)

    def applied(self, block: ApplyBlock) -> BlockApplied | None:
        """The answer given before to this very proposal at this height; None if it is the next one.

        Raises HeightGap, OtherProposalApplied, and DiskFull while what the disk holds cannot be found out.
        """
        self._settle()
        if block.height == self.head.height + 1:
            return None
        before = self.after(block.height)
        if before is None:
            raise HeightGap(block.height, self.head.height)
        if before.proposal != block.proposal:
            raise OtherProposalApplied(block.height, before.proposal, block.proposal)
        return before

    def _settle(self) -> None:
        """After a write that failed, find out what the disk holds. Raises DiskFull while that cannot be."""
        if self._uncertain:
            self._keyvalue.recover()
            self._load_head()
            self._uncertain = False

    def kept(self, key: bytes) -> bytes | None:
        """A record that `keep` wrote."""
        return self._keyvalue.get(key)

    def keep(self, records: Batch) -> None:
        """Write what the remote chain said, which is part of no block: it could be asked again. Raises DiskFull."""
        self._settle()
        try:
            self._keyvalue.write(records, sync=False)
        except StoreError:
            self._uncertain = True
            raise

    def after(self, height: Height) -> BlockApplied | None:
        """What there was after a height; None if it is not applied, or its block is not kept."""
        if height > self.head.height:
            return None
        row = self.blocks.height(height)
        stored = None if row is None else self.blocks.header(row.number)
        if row is None or stored is None:
            return None
        return BlockApplied(height, row.proposal, row.version, stored.hash, stored.header)

    def prepare(self, block: ApplyBlock) -> Generator[None, None, PreparedBlock]:
        """Work out the next block. Changes nothing. Raises InvalidBlock."""
        if block.header.number != self.head.number + 1:
            raise InvalidBlock(block.header.number, f"the newest one is {self.head.number}")
        header = replace(block.header, parent_hash=self.head.hash)
        changes = self._with_parent_hash(block)
        batch: dict[bytes, bytes | None] = {}
        yield from self.blocks.put_body(block, batch)
        place = _Place(block.height, block.proposal, Version(self.head.version + 1))
        root = self.tries.root(ACCOUNT_TRIE, self.head.version)
        return (yield from self._work_out(header, changes, root, place, batch))

    def _work_out(
        self,
        header: Header,
        changes: Sequence[AccountChange],
        root: Hash32,
        place: _Place,
        batch: dict[bytes, bytes | None],
    ) -> Generator[None, None, PreparedBlock]:
        state = StateChanges(self.state, self.tries, header.number, place.version)
        after = yield from state.run(root, changes)
        yield from state.put_into(batch)
        finished = header if header.number == self.forked_at else with_state_root(header, header.parent_hash, after)
        stored = StoredHeader(finished, finished.hash())
        self.blocks.put_header(stored, place.version, batch)
        self.blocks.put_height(
            place.height, HeightRow(header.number, place.version, stored.hash, place.proposal), batch
        )
        batch[HEAD_KEY] = place.height.to_bytes(8, "big")
        applied = BlockApplied(place.height, place.proposal, place.version, stored.hash, finished)
        return PreparedBlock(batch, state, applied)

    def _with_parent_hash(self, block: ApplyBlock) -> Sequence[AccountChange]:
        """The block's changes with its parent's hash in the history contract (EIP-2935).

        Without that contract the hash goes nowhere: "if no code exists at the address, the call must fail silently".
        """
        if block.parent_hash_slot is None:
            return block.changes
        address, number = block.parent_hash_slot
        value = int.from_bytes(self.head.hash, "big")
        others = [change for change in block.changes if change.address != address]
        mine = [change for change in block.changes if change.address == address]
        account = mine[0].account if mine else self.state.account(address, self.head.version).account
        if account.is_empty or len(mine) > 1:
            return block.changes
        change = mine[0] if mine else AccountChange(address, account, {})
        return [*others, replace(change, slots={**change.slots, number: value})]

    def write(self, prepared: PreparedBlock) -> None:
        """Make a prepared block durable, all of it or nothing. Raises DiskFull and other StoreErrors."""
        self._write(prepared.batch, sync=True)

    def prune(self, batch: Batch) -> None:
        """Delete what pruning found. A loss of power may bring it back: the journal still has it then.

        Raises DiskFull and other StoreErrors.
        """
        self._write(batch, sync=False)

    def _write(self, batch: Batch, sync: bool) -> None:
        try:
            self._keyvalue.write(batch, sync)
        except StoreError:
            self._uncertain = True
            raise

    def adopt(self, prepared: PreparedBlock) -> BlockApplied:
        """Let reads see a block that was written."""
        prepared.changes.adopt()
        self.head = prepared.applied
        self.blocks.newest, self.blocks.newest_height = self.head.number, self.head.height
        return self.head

    def apply(self, block: ApplyBlock) -> BlockApplied:
        """All of it at once, where nothing else needs to go on meanwhile."""
        before = self.applied(block)
        if before is not None:
            return before
        prepared = run(self.prepare(block))
        self.write(prepared)
        return self.adopt(prepared)

    def extend(self, block: ApplyBlock) -> BlockApplied:
        """Add a block that others made, whose header is whole, below everything of ours: the height stays as it is.

        Raises WrongStateRoot, and leaves everything as it was.
        """
        prepared = run(self.prepare(block))
        found, expected = prepared.applied.header.state_root, block.header.state_root
        if found != expected:
            raise WrongStateRoot(block.header.number, found, expected)
        self.write(prepared)
        return self.adopt(prepared)

    def root_after(self, changes: Sequence[AccountChange]) -> Hash32:
        """The state root that these changes of the newest state would lead to."""
        state = StateChanges(self.state, self.tries, self.head.number, Version(self.head.version + 1))
        return run(state.run(self.head.header.state_root, changes))

    def become(self, genesis: Genesis) -> None:
        """From here on this is the chain of `genesis`, which begins with the newest block here."""
        batch: dict[bytes, bytes | None] = {GENESIS_KEY: genesis.id()}
        head = self.head
        self.blocks.put_height(head.height, HeightRow(head.number, head.version, head.hash, genesis.id()), batch)
        self._keyvalue.write(batch)
        self._load_head()

    def logs(self, query: ReadLogs) -> Generator[None, None, list[FoundLog]]:
        """The logs that match, of those blocks asked for that exist. Raises BlockOutOfRange, TooManyLogs."""
        newest = self.head.number
        if not OLDEST_BLOCK <= query.first <= min(query.last, newest):
            raise BlockOutOfRange(query.first, query.last, OLDEST_BLOCK, newest)
        found: list[FoundLog] = []
        last = min(query.last, newest)
        for candidate in self.blocks.logs.candidates(query.first, last, query.addresses, query.topics):
            yield
            if candidate is not None:
                for log in self._matching_logs(query, *candidate):
                    found.append(log)
                    if len(found) > query.limit:
                        raise TooManyLogs(query.limit)
        return found

    def _matching_logs(self, query: ReadLogs, number: int, indices: Sequence[int]) -> Iterator[FoundLog]:
        block = self.blocks.hash_and_timestamp(number)
        assert block is not None, f"the log index names block {number}, which is not there"
        for index in indices:
            row = self.blocks.row(number, index)
            for position, (address, topics, data) in enumerate(packed_logs(row.encoded_receipt), row.first_log):
                if matches(address, topics, query.addresses, query.topics):
                    log = Log(Address(address), tuple(topics), data)
                    yield FoundLog(log, BlockNumber(number), *block, row.hash, index, position)

    def disk_bytes(self) -> int:
        return self._keyvalue.approximate_bytes()

    def close(self) -> None:
        self._keyvalue.close()
