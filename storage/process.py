"""The storage process: answers reads at any version, and applies blocks one at a time between them.

One event loop does everything but the write itself, which LevelDB does on a thread of its own, unless it is small and
not forced to the disk. A large block is worked out in slices of a millisecond, reads being answered between them. Reads
name a version, so what they answer does not depend on how far a block has come.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar

from chain.links import Peer
from chain.messages import Message
from chain.messages.logs import FoundLogs, ReadLogs, pack_found_logs
from chain.messages.simulation import StateRoot, WorkOutRoot
from chain.messages.storage import (
    ApplyBlock,
    ApplyOperation,
    AskRemote,
    BlockApplied,
    BlockHashes,
    ChangedAccounts,
    NotThere,
    Proof,
    ReadBlock,
    ReadChangedAccounts,
    ReadHashes,
    ReadHead,
    ReadHeaders,
    ReadHeight,
    ReadOperation,
    ReadProof,
    ReadRecord,
    ReadSettings,
    ReadSnapshot,
    ReadState,
    ReadStatePage,
    ReadStorageStatus,
    ReadTransaction,
    RemoteAnswer,
    StatePage,
    StateValues,
    StorageStatus,
    StoredHeaders,
    StoredHeight,
    StoredRecord,
    StoredSettings,
)
from chain.system_contracts import HISTORY_STORAGE
from chain.types import ZERO_HASH, Address, Version
from storage.changes import StateChanges
from storage.errors import (
    BlockOutOfRange,
    NoFork,
    NoProofOnFork,
    NoWholeState,
    StorageClosed,
    TooManyBlocks,
    TooManyWaiting,
    UnknownRequest,
    VersionOutOfRange,
)
from storage.keyvalue import CorruptStore, StoreError
from storage.proofs import prove
from storage.remote import RemoteChain, Slot
from storage.remote_below import RemoteBelow
from storage.reverts import accounts_in, changed_accounts, slots_in
from storage.state_pages import StatePageWalk
from storage.store import OLDEST_BLOCK, Store
from storage.tries import ACCOUNT_TRIE
from storage.versions import GENESIS_VERSION

SLICE_S = 0.001
MAX_WAITING_READS = 10_000
MAX_WAITING_BLOCKS = 64
MAX_VERSIONS_AHEAD = 256
"""No reader is that far ahead of storage; a version further away is a mistake, and would be waited for forever."""
MAX_VERSIONS_BEHIND = 64
"""So far behind what is to be kept may pruning fall before blocks have to wait longer for it."""
MAX_HEADERS = 1024
READS_A_SLICE = 256

T = TypeVar("T")
log = logging.getLogger("tandem.storage")


async def in_slices(steps: Generator[None, None, T]) -> T:
    """Run a generator that only yields to pause, letting others run after each slice of time."""
    pause_at = monotonic() + SLICE_S
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if monotonic() >= pause_at:
            await asyncio.sleep(0)
            pause_at = monotonic() + SLICE_S


class StorageService:
    """What storage offers on its socket. `close` when no more is asked; it closes the store too.

    `remote` is the chain that a fork was forked from; it is closed as well.
    """

    def __init__(self, store: Store, remote: RemoteChain | None = None) -> None:
        self._store = store
        self._remote = None if remote is None else RemoteBelow(remote, store)
        self._writer = ThreadPoolExecutor(1, "storage-writer")
        self._turn = asyncio.Lock()
        self._applying: set[asyncio.Task[BlockApplied]] = set()
        self._awaited: dict[Version, asyncio.Event] = {}
        self._waiting = 0
        self._closed = False
        self._pruner: asyncio.Task[None] | None = None
        self.damage: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises CorruptStore once something damaged was met: no more is to be served from it then."""
        self._counters: Counter[str] = Counter()
        self._answers: dict[type, Callable[[Any], Awaitable[Message]]] = {
            ReadState: self._read_state,
            ApplyBlock: self._apply,
            ApplyOperation: self._apply,
            ReadOperation: self._read_operation,
            ReadSnapshot: self._read_snapshot,
            ReadSettings: self._read_settings,
            ReadChangedAccounts: self._read_changed_accounts,
            ReadHead: self._read_head,
            ReadHeight: self._read_height,
            ReadBlock: self._read_block,
            ReadTransaction: self._read_transaction,
            ReadLogs: self._read_logs,
            ReadHashes: self._read_hashes,
            ReadStorageStatus: self._read_status,
            ReadRecord: self._read_record,
            ReadHeaders: self._read_headers,
            ReadProof: self._read_proof,
            WorkOutRoot: self._work_out_root,
            ReadStatePage: self._read_state_page,
            AskRemote: self._ask_remote,
        }

    async def answer(self, message: Message, peer: Peer) -> Message:
        kind = type(message)
        handler = self._answers.get(kind)
        if handler is None:
            raise UnknownRequest(kind.__name__)
        if self._closed:
            raise StorageClosed
        self._counters[kind.__name__] += 1
        try:
            return await handler(message)
        except CorruptStore as error:
            self._met(error)
            raise

    def _met(self, damage: CorruptStore) -> None:
        if not self.damage.done():
            self.damage.set_exception(damage)

    def joined(self, peer: Peer) -> None:
        """Nothing is kept for a peer."""

    def left(self, peer: Peer) -> None:
        """Nothing is kept for a peer."""

    async def close(self) -> None:
        """Finish the block being applied, refuse the rest, and close the store."""
        self._closed = True
        self.damage.cancel()
        for event in self._awaited.values():
            event.set()
        if self._remote is not None:
            await self._remote.close()
        await asyncio.gather(*self._applying, *([self._pruner] if self._pruner else []), return_exceptions=True)
        self._writer.shutdown()
        self._store.close()

    async def _reached(self, version: Version | None) -> Version:
        """The version to read at, once it is applied."""
        newest = self._store.head.version
        if version is None:
            return newest
        if not GENESIS_VERSION <= version <= newest + MAX_VERSIONS_AHEAD:
            raise VersionOutOfRange(version, GENESIS_VERSION, newest)
        if version > newest:
            await self._wait_for(version)
        return version

    async def _wait_for(self, version: Version) -> None:
        if self._waiting >= MAX_WAITING_READS:
            raise TooManyWaiting(MAX_WAITING_READS)
        self._counters["waits"] += 1
        self._waiting += 1
        try:
            await self._awaited.setdefault(version, asyncio.Event()).wait()
        finally:
            self._waiting -= 1
        if self._closed:
            raise StorageClosed

    async def _read_state(self, read: ReadState) -> StateValues:
        version = await self._reached(read.version)
        state = self._store.state

        def values() -> Generator[None, None, StateValues]:
            accounts, slots = [], []
            for count, address in enumerate(read.accounts, 1):
                accounts.append(state.account(address, version).account)
                if count % READS_A_SLICE == 0:
                    yield
            for count, (address, number) in enumerate(read.slots, 1):
                slots.append(state.slot(address, number, version))
                if count % READS_A_SLICE == 0:
                    yield
            codes = tuple([state.code(code_hash) for code_hash in read.codes])
            return StateValues(version, tuple(accounts), tuple(slots), codes)

        with self._store.pruning.reading(version):
            await self._ensure(read.accounts, read.slots, version)
            return await in_slices(values())

    async def _ensure(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...], version: Version) -> None:
        """On a fork, read from the remote chain what was never read. Raises RemoteError."""
        if self._remote is not None:
            await self._remote.state.ensure(accounts, slots, version)

    async def _ask_remote(self, asked: AskRemote) -> RemoteAnswer:
        """Raises NoFork, RemoteError."""
        if self._remote is None:
            raise NoFork
        answer = await self._remote.answers.forward(asked.method, asked.params)
        if isinstance(answer, bytes):
            return RemoteAnswer(answer, 0, "", None)
        return RemoteAnswer(None, answer.code, answer.message, answer.data)

    async def _apply(self, block: ApplyBlock | ApplyOperation) -> BlockApplied:
        """Once begun, a height is finished even if its asker goes away: memory must follow the disk."""
        if len(self._applying) >= MAX_WAITING_BLOCKS:
            raise TooManyWaiting(MAX_WAITING_BLOCKS)
        task = asyncio.create_task(self._apply_in_turn(block))
        self._applying.add(task)
        task.add_done_callback(self._applied)
        return await asyncio.shield(task)

    async def _apply_in_turn(self, block: ApplyBlock | ApplyOperation) -> BlockApplied:
        async with self._turn:
            if self._closed:
                raise StorageClosed
            store = self._store
            before = store.applied(block)
            self._wake(store.head.version)  # a write that seemed to fail may turn out to have been made
            if before is not None:
                return before
            await self._ensure_below(block)
            prepared = await in_slices(store.prepare(block))
            if store.writes_at_once(prepared):
                store.write(prepared)
            else:
                await asyncio.get_running_loop().run_in_executor(self._writer, store.write, prepared)
            applied = store.adopt(prepared)
        self._wake(applied.version)
        self._start_pruning()
        return applied

    async def _ensure_below(self, message: ApplyBlock | ApplyOperation) -> None:
        """On a fork, have what is changed, and what slots had before that are to have it again."""
        if self._remote is None:
            return
        blocks = (message,) if isinstance(message, ApplyBlock) else message.blocks
        changes = [change for block in blocks for change in block.changes]
        revert = None
        if isinstance(message, ApplyOperation):
            changes += message.changes
            revert = message.revert
        newest = self._store.head.version
        await self._ensure((*[change.address for change in changes], HISTORY_STORAGE.address), (), newest)
        if revert is not None:
            names = await in_slices(self._store.ways.names(revert.version))
            await self._ensure((), tuple(slots_in(names)), revert.version)

    def _start_pruning(self) -> None:
        if self._store.pruning.is_due() and (self._pruner is None or self._pruner.done()):
            self._pruner = asyncio.create_task(self._prune())

    async def _prune(self) -> None:
        """Prune what there is to prune, in turns with the blocks, so that a block waits for one batch at most.

        Only when pruning is far behind the blocks is a turn a whole version, of which a block makes one.
        """
        pruning = self._store.pruning
        try:
            while not self._closed:
                async with self._turn:
                    if not await self._prune_batch():
                        return
                    while pruning.in_a_version and pruning.behind() > MAX_VERSIONS_BEHIND:
                        await self._prune_batch()
        except CorruptStore as error:
            self._met(error)
        except StoreError as error:
            log.error("pruning stops until the next block: %s", error)

    async def _prune_batch(self) -> bool:
        """Whether there was something to prune."""
        batch = await in_slices(self._store.pruning.next_batch())
        if batch is None:
            return False
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.prune, batch)
        return True

    def _applied(self, task: asyncio.Task[BlockApplied]) -> None:
        self._applying.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a block was not applied: %s", task.exception())

    def _wake(self, version: Version) -> None:
        for reached in [awaited for awaited in self._awaited if awaited <= version]:
            self._awaited.pop(reached).set()

    async def _read_head(self, read: ReadHead) -> BlockApplied:
        return self._store.head

    async def _read_height(self, read: ReadHeight) -> Message:
        row = self._store.blocks.height(read.height) if read.height <= self._store.head.height else None
        if row is None:
            return NotThere()
        undone = self._store.is_undone(row)
        return StoredHeight(
            read.height, row.number, row.hash, row.version, row.proposal, row.result, row.blocks, undone
        )

    async def _read_operation(self, read: ReadOperation) -> Message:
        record = self._store.blocks.operation(read.height)
        return NotThere() if record is None else StoredRecord(record)

    async def _read_snapshot(self, read: ReadSnapshot) -> Message:
        return self._store.snapshots.get(read.snapshot) or NotThere()

    async def _read_settings(self, read: ReadSettings) -> StoredSettings:
        return StoredSettings(self._store.settings)

    async def _read_changed_accounts(self, read: ReadChangedAccounts) -> ChangedAccounts:
        """Raises StatePruned. Who asks is about to go back to that version, so it is kept for a while."""
        with self._store.pruning.going_back(read.version):
            names = await in_slices(self._store.ways.names(read.version))
            await self._ensure(tuple(accounts_in(names)), (), read.version)
            return ChangedAccounts(await in_slices(changed_accounts(names, self._store.state, read.version)))

    async def _read_block(self, read: ReadBlock) -> Message:
        number = read.number
        if number is None and read.hash is not None:
            number = self._store.blocks.number_of(read.hash)
        found = None if number is None else self._store.blocks.block(number, read.with_receipts)
        return NotThere() if found is None else found

    async def _read_transaction(self, read: ReadTransaction) -> Message:
        found = self._store.blocks.transaction(read.hash)
        return NotThere() if found is None else found

    async def _read_logs(self, read: ReadLogs) -> FoundLogs:
        return pack_found_logs(await in_slices(self._store.logs(read)))

    async def _read_hashes(self, read: ReadHashes) -> BlockHashes:
        await self._reached(read.version)
        stored = [self._store.blocks.header(number) for number in read.numbers]
        hashes = {header.header.number: header.hash for header in stored if header is not None}
        if self._remote is not None:
            below = [number for number in read.numbers if number < self._remote.forked_at]
            hashes |= await self._remote.answers.hashes(below)
        return BlockHashes(tuple([hashes.get(number, ZERO_HASH) for number in read.numbers]))

    async def _read_proof(self, read: ReadProof) -> Proof:
        """Raises NoProofOnFork."""
        if self._store.state.forked:
            raise NoProofOnFork
        version = await self._reached(read.version)
        with self._store.pruning.reading(version):
            return await in_slices(prove(self._store.state, self._store.tries, read.address, read.slots, version))

    async def _read_state_page(self, read: ReadStatePage) -> StatePage:
        """Raises NoWholeState."""
        if self._store.state.forked:
            raise NoWholeState
        version = await self._reached(read.version)
        with self._store.pruning.reading(version):
            walk = StatePageWalk(self._store.state, self._store.tries, version, read.max_bytes)
            return await in_slices(walk.page(read.after))

    async def _work_out_root(self, asked: WorkOutRoot) -> StateRoot:
        """The root that a version would have, without anything being written."""
        version = await self._reached(asked.version)
        slots = tuple((change.address, number) for change in asked.changes for number in change.slots)
        state, tries = self._store.state, self._store.tries
        with self._store.pruning.reading(version):
            await self._ensure(tuple(change.address for change in asked.changes), slots, version)
            changes = StateChanges(state, tries, self._store.head.number, Version(version + 1), version)
            return StateRoot(await in_slices(changes.run(tries.root(ACCOUNT_TRIE, version), asked.changes)))

    async def _read_record(self, read: ReadRecord) -> Message:
        record = self._store.blocks.record(read.number)
        return NotThere() if record is None else StoredRecord(record)

    async def _read_headers(self, read: ReadHeaders) -> StoredHeaders:
        if read.first > read.last:
            raise BlockOutOfRange(read.first, read.last, OLDEST_BLOCK, self._store.head.number)
        last = min(read.last, self._store.head.number)
        if last - read.first >= MAX_HEADERS:
            raise TooManyBlocks(last - read.first + 1, MAX_HEADERS)
        stored = [self._store.blocks.header(number) for number in range(max(read.first, 0), last + 1)]
        return StoredHeaders(tuple([header.header for header in stored if header is not None]))

    async def _read_status(self, read: ReadStorageStatus) -> StorageStatus:
        store = self._store
        counters = {
            **self._counters,
            "state_hits": store.state.hits,
            "state_gets": store.state.gets,
            "state_seeks": store.state.seeks,
            "trie_hits": store.tries.hits,
            "trie_seeks": store.tries.seeks,
            "pruned_records": store.pruning.deleted,
            "waiting_reads": self._waiting,
            **({} if self._remote is None else self._remote.counters()),
        }
        head = store.head
        oldest = store.pruning.oldest
        caches = (*store.state.cache_use(), store.tries.cache_use(), store.blocks.cache_use())
        return StorageStatus(head.number, head.version, OLDEST_BLOCK, oldest, store.disk_bytes(), counters, caches)
