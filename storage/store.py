"""The chain on disk: opened, checked, and grown by one height at a time, each in one atomic write.

Applying a height has three parts, so that a process can answer reads in between: `prepare` works everything out (a
generator, nothing changes), `write` makes it durable (may run on another thread), `adopt` makes it what reads see. A
write that fails leaves memory as it was; the next `prepare` first asks the disk what it holds.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from chain.accounts import AccountChange
from chain.codec import decode_value
from chain.genesis import Genesis
from chain.merkle import EMPTY_ROOT
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.storage import ApplyBlock, ApplyOperation, BlockApplied
from chain.operations import INITIAL_SETTINGS, BlockSettings, result_of
from chain.types import ZERO_HASH, BlockNumber, Hash32, Height, Version
from storage.blocks import Blocks, HeightRow, StoredHeader
from storage.changes import StateChanges
from storage.errors import BlockOutOfRange, HeightGap, OtherProposalApplied, WrongStateRoot
from storage.forked_state import ForkedState
from storage.height import HEAD_KEY, META, SETTINGS_KEY, Head, HeightWork, Prepared
from storage.journal import Journal
from storage.keyvalue import Batch, CorruptStore, KeyValue, NewerFormat, OlderFormat, OtherChain, StoreError
from storage.leveldb import LevelDB
from storage.loading import LOADING_KEY, Loading, StateLoad, remove_cut_off
from storage.log_search import LogSearch
from storage.pruning import Pruning
from storage.reverts import Snapshots, WaysBack
from storage.state import NEVER, VersionedState
from storage.steps import run
from storage.tries import ACCOUNT_TRIE, Tries

FORMAT = 9
FORMAT_KEY = META + b"format"
GENESIS_KEY = META + b"genesis"
OLDEST_BLOCK = BlockNumber(0)
FEW_RECORDS = 128
"""A block of a few transfers writes some 40."""


class Store:
    """One chain's blocks and states.

    `forked_at` is the block of the remote chain that a fork goes on from, its `base`.
    """

    def __init__(
        self,
        keyvalue: KeyValue,
        name: str,
        base: BlockNumber,
        history: int | None,
        forked: bool = False,
        durable: bool = True,
    ) -> None:
        self._keyvalue = keyvalue
        self._durable = durable
        self._name = name
        self._uncertain = False
        self.forked_at = base if forked else None
        self.state = ForkedState(keyvalue) if forked else VersionedState(keyvalue)
        self.tries = Tries(keyvalue)
        self.blocks = Blocks(keyvalue)
        self.snapshots = Snapshots(keyvalue)
        self.pruning = Pruning(keyvalue, self.blocks, history, self.state.forked, self._pinned)
        self.journal = Journal(keyvalue)
        self.ways = WaysBack(keyvalue, self.state, self.snapshots, self.pruning)
        self._head: Head
        self._ways_back = 0

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
        store = cls(keyvalue, name, genesis.header.number, history, genesis.forked is not None, durable)
        try:
            if not store._belongs_to(genesis):
                store._begin(genesis, loading)
            store._load_head()
        except BaseException:
            keyvalue.close()
            raise
        return store

    def _belongs_to(self, genesis: Genesis) -> bool:
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
        if theirs == genesis.id():
            return True
        if genesis.head is not None and theirs == replace(genesis, head=None).id():
            raise CorruptStore(self._name, f"the imported blocks do not come to their end, {genesis.head.number}")
        raise OtherChain(self._name, theirs, genesis.id())

    def _begin(self, genesis: Genesis, loading: Loading | None) -> None:
        if genesis.head is not None:
            raise CorruptStore(self._name, f"the imported blocks up to {genesis.head.number} are missing")
        root, genesis_id = EMPTY_ROOT, genesis.id()
        if genesis.state is not None:
            assert loading is not None, "this chain's state is in a file"
            root = StateLoad(self._keyvalue, self.state, self.tries).run(genesis, loading)
        nothing = BlockApplied(Height(0), genesis_id, NEVER, ZERO_HASH, genesis.header, ZERO_HASH, ())
        work = self._work_on(Head(nothing, root, INITIAL_SETTINGS))
        run(work.first_block(genesis.header, genesis.accounts))
        prepared = work.finish(Height(0), genesis_id, INITIAL_SETTINGS)
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
        root, settings = self.tries.root(ACCOUNT_TRIE, version), self._settings()
        result = stored.hash if row.blocks else result_of(stored.hash, root, settings)
        has_root = root == stored.header.state_root or not row.blocks or number == self.forked_at
        if not has_root or result != row.result:
            raise CorruptStore(self._name, f"the state of its newest block, {number}, is not the one its header names")
        self.tries.forget()
        self.state.forget(version)
        self.snapshots.forget()
        self.ways.forget()
        self.pruning.load()
        self._head = Head(self._answer(height, row, stored), root, settings)

    def _settings(self) -> BlockSettings:
        data = self._keyvalue.get(SETTINGS_KEY)
        return INITIAL_SETTINGS if data is None else decode_value(BlockSettings, data)

    @property
    def head(self) -> BlockApplied:
        """The newest height, as it was answered when it was applied."""
        return self._head.applied

    @property
    def settings(self) -> BlockSettings:
        """What operations have set."""
        return self._head.settings

    def applied(self, message: ApplyBlock | ApplyOperation) -> BlockApplied | None:
        """The answer given before to this very proposal at this height; None if it is the next one.

        Raises HeightGap, OtherProposalApplied, and DiskFull while what the disk holds cannot be found out.
        """
        self._settle()
        height = message.height
        if height == self.head.height + 1:
            return None
        row = self.blocks.height(height) if height <= self.head.height else None
        stored = None if row is None else self.blocks.header(row.number)
        if row is None or stored is None:
            raise HeightGap(height, self.head.height)
        if row.proposal != message.proposal:
            raise OtherProposalApplied(height, row.proposal, message.proposal)
        return self._answer(height, row, stored)

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

    def _answer(self, height: Height, row: HeightRow, stored: StoredHeader) -> BlockApplied:
        headers = [self.blocks.header(number) for number in range(row.number - row.blocks + 1, row.number + 1)]
        hashes = tuple([header.hash for header in headers if header is not None])
        return BlockApplied(height, row.proposal, row.version, stored.hash, stored.header, row.result, hashes)

    def is_undone(self, row: HeightRow) -> bool:
        """Whether the newest block that there was after a height is not there any more."""
        stored = self.blocks.header(row.number)
        return stored is None or stored.hash != row.hash

    def prepare(self, message: ApplyBlock | ApplyOperation) -> Generator[None, None, Prepared]:
        """Work out the next height. Changes nothing. Raises InvalidBlock."""
        work = self._work_on(self._head)
        if isinstance(message, ApplyBlock):
            yield from work.block(message)
        else:
            yield from work.operation(message)
        return work.finish(message.height, message.proposal, message.settings or self.settings)

    def _work_on(self, head: Head) -> HeightWork:
        return HeightWork(self.state, self.tries, self.blocks, self.ways, head)

    def _pinned(self) -> Sequence[Version]:
        """The versions that can be gone back to however old they are, sorted: the first block's and the snapshots'."""
        first = self.blocks.height(0)
        return sorted({*self.snapshots.versions(), *([] if first is None else [first.version])})

    def writes_at_once(self, prepared: Prepared) -> bool:
        """Whether writing it waits for no disk and takes less time than having another thread do it."""
        return not self._durable and len(prepared.batch) <= FEW_RECORDS

    def write(self, prepared: Prepared) -> None:
        """Make a prepared height durable, all of it or nothing. Raises DiskFull and other StoreErrors."""
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

    def adopt(self, prepared: Prepared) -> BlockApplied:
        """Let reads see a height that was written."""
        for layer in prepared.layers:
            layer.adopt()
        if prepared.takes_snapshot or prepared.reverts:
            self.snapshots.forget()
        if prepared.reverts:
            self.blocks.forget()
            self._ways_back += 1
        self._head = prepared.head
        self.ways.forget()
        self.blocks.newest, self.blocks.newest_height = self.head.number, self.head.height
        if prepared.reverts:
            self.pruning.reconsider()
        return self.head

    def apply(self, message: ApplyBlock | ApplyOperation) -> BlockApplied:
        """All of it at once, where nothing else needs to go on meanwhile."""
        before = self.applied(message)
        if before is not None:
            return before
        prepared = run(self.prepare(message))
        self.write(prepared)
        return self.adopt(prepared)

    def extend(self, block: ApplyBlock) -> BlockApplied:
        """Add a block that others made, whose header is whole, below everything of ours: the height stays as it is.

        Raises WrongStateRoot, and leaves everything as it was.
        """
        prepared = run(self.prepare(block))
        found, expected = prepared.head.applied.header.state_root, block.header.state_root
        if found != expected:
            raise WrongStateRoot(block.header.number, found, expected)
        self.write(prepared)
        return self.adopt(prepared)

    def root_after(self, changes: Sequence[AccountChange]) -> Hash32:
        """The state root that these changes of the newest state would lead to."""
        state = StateChanges(self.state, self.tries, self.head.number, Version(self.head.version + 1))
        return run(state.run(self._head.root, changes))

    def become(self, genesis: Genesis) -> None:
        """From here on this is the chain of `genesis`, which begins with the newest block here."""
        batch: dict[bytes, bytes | None] = {GENESIS_KEY: genesis.id()}
        head = self.head
        row = HeightRow(head.number, head.version, 1, head.hash, genesis.id(), head.hash)
        self.blocks.put_height(head.height, row, batch)
        self._keyvalue.write(batch)
        self._load_head()

    def logs(self, query: ReadLogs) -> Generator[None, None, FoundLogs]:
        """The logs that match, of those blocks asked for that exist. Raises BlockOutOfRange and what LogSearch does.

        If blocks are removed meanwhile it begins again.
        """
        newest, ways_back = self.head.number, self._ways_back
        if not OLDEST_BLOCK <= query.first <= min(query.last, newest):
            raise BlockOutOfRange(query.first, query.last, OLDEST_BLOCK, newest)
        search = LogSearch(self._keyvalue.snapshot(), query, min(query.last, newest)).run()
        while True:
            try:
                next(search)
            except StopIteration as end:
                found: FoundLogs = end.value
                return found
            yield
            if self._ways_back != ways_back:
                return (yield from self.logs(query))

    def disk_bytes(self) -> int:
        return self._keyvalue.approximate_bytes()

    def close(self) -> None:
        self._keyvalue.close()
