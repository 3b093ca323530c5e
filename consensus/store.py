"""The validator's durable state: safety data, proposals, the committed chain, results, the mempool.

Over a key-value store that another room provides. Keys begin with a letter for their kind; numbers in them are
big-endian, so that they sort.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chain.codec import decode_value, encode_value, pack, unpack
from chain.genesis import Genesis
from chain.messages.mempool import AT_ONCE, Evicted, Production, SenderState
from chain.operations import OrderedOperation
from chain.proposals import ExecutedBlock, Proposal, decode_proposal, encode_proposal
from chain.types import Hash32, Height, Wei
from consensus.commands import Persist, Placed
from consensus.errors import NewerStore, StoreIncomplete, StoreOfAnotherChain
from consensus.executors import NO_CLAIMS, StoredClaims
from consensus.mempool import MempoolChanges
from consensus.recovered import Recovered, new_chain
from consensus.sender_queue import Entry
from consensus.stored_mempool import StoredMempool
from consensus.tree import Node, child_node

FORMAT = 5
KEPT_RESULTS = 64
KEPT_EVICTIONS = 4096
"""Transactions given up whose reason is kept, so that it can be told after everything was restarted."""

FORMAT_KEY, GENESIS_KEY, SAFETY_KEY, CURSOR_KEY, NEXT_KEY = b"format", b"genesis", b"safety", b"cursor", b"next"
CLAIMS_KEY = b"claims"
PROPOSAL, UNCOMMITTED, DEPTH, BLOCK, EVICTED = b"p", b"u", b"h", b"b", b"e"
OPERATION, RESULT = b"o", b"r"


class KeyValue(Protocol):
    """The part of a key-value store that validators use."""

    def get(self, key: bytes) -> bytes | None: ...

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = True) -> None:
        """All or nothing; None deletes. With `sync` it survives a loss of power once this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """The newest committed proposal: its depth, and the newest block at or below it with its time."""

    id: Hash32
    depth: int
    height: Height
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class NextBlock:
    """What the newest result says of the block after it."""

    base_fee: Wei
    production: Production


class ValidatorStore:
    """Raises StoreOfAnotherChain and NewerStore when opened on what is not this chain's."""

    def __init__(self, database: KeyValue, genesis: Genesis) -> None:
        self._database = database
        self._new = new_chain(genesis)
        genesis_id = genesis.id()
        self._claim(genesis_id)
        self._cursor = self._read_cursor()
        self._executed = tuple(self._read_results())
        self._next_block = self._read_next_block()
        self._evictions = self._read_evictions()
        self._claims = self._read_claims()
        self._mempool = StoredMempool(database)

    @property
    def committed_depth(self) -> int:
        return self._cursor.depth

    @property
    def committed_proposal(self) -> Hash32:
        return self._cursor.id

    @property
    def committed_block(self) -> Height:
        return self._cursor.height

    @property
    def newest_result(self) -> Height:
        """The newest executed block known here: the cursor of what execution sends."""
        return self._executed[-1].height if self._executed else Height(0)

    @property
    def next_base_fee(self) -> Wei | None:
        """The base fee of the block after that one; None before the first result."""
        return None if self._next_block is None else self._next_block.base_fee

    @property
    def production(self) -> Production:
        """How blocks are made after the newest result."""
        return AT_ONCE if self._next_block is None else self._next_block.production

    @property
    def executed(self) -> tuple[ExecutedBlock, ...]:
        """The newest blocks that the executors agree on, oldest first."""
        return self._executed

    @property
    def claims(self) -> StoredClaims:
        """What single executors said of blocks that are not agreed on, and which of them are wrong."""
        return self._claims

    @property
    def genesis_id(self) -> Hash32:
        return self._new.root.id

    def apply(self, writes: Sequence[Persist]) -> None:
        """Writes what the core wants kept, in one atomic batch; durable on return if any of it is to be synced."""
        batch: dict[bytes, bytes | None] = {}
        cursor = self._cursor
        for persist in writes:
            for proposal in persist.accepted:
                batch[PROPOSAL + proposal.id] = encode_proposal(proposal)
                batch[UNCOMMITTED + proposal.id] = b""
            for placed in persist.committed:
                cursor = _cursor_at(placed, cursor)
                batch |= _committed(placed, cursor)
            for id in persist.abandoned:
                batch[PROPOSAL + id] = batch[UNCOMMITTED + id] = None
            if persist.safety is not None:
                batch[SAFETY_KEY] = encode_value(persist.safety)
        if batch:
            self._database.write(batch, sync=any(persist.synced for persist in writes))
            self._cursor = cursor

    def apply_mempool(self, changes: MempoolChanges) -> None:
        """What was admitted survives a killed process on return."""
        self._write_unsynced(self._mempool_batch(changes))

    def _mempool_batch(self, changes: MempoolChanges) -> dict[bytes, bytes | None]:
        batch = self._mempool.change(changes.stored, changes.deleted, changes.senders)
        for sequence in changes.operations_done:
            batch[OPERATION + _key(sequence)] = None
        for eviction in changes.evicted:
            first, after = self._evictions.start, self._evictions.stop
            batch[EVICTED + _key(after)] = encode_value(Evicted(*eviction))
            if after - first >= KEPT_EVICTIONS:
                batch[EVICTED + _key(first)] = None
                first += 1
            self._evictions = range(first, after + 1)
        return batch

    def add_operations(self, operations: Sequence[OrderedOperation]) -> None:
        """What was admitted survives a killed process on return."""
        self._write_unsynced({OPERATION + _key(o.sequence): encode_value(o) for o in operations})

    def operations(self) -> Iterator[OrderedOperation]:
        """Those that are not executed yet."""
        for _, value in self._database.with_prefix(OPERATION):
            yield decode_value(OrderedOperation, value)

    def add_result(
        self, executed: ExecutedBlock, next_base_fee: Wei, production: Production, changes: MempoolChanges
    ) -> None:
        """A result and what it changed in the mempool, in one batch, so that neither is there without the other."""
        batch = self._mempool_batch(changes)
        if executed.height > self.newest_result:
            known, next_block = (*self._executed, executed), NextBlock(next_base_fee, production)
            self._executed, forgotten = known[-KEPT_RESULTS:], known[:-KEPT_RESULTS]
            batch[RESULT + _key(executed.height)] = executed.header_hash
            batch |= {RESULT + _key(old.height): None for old in forgotten}
            if next_block != self._next_block:
                self._next_block = next_block
                batch[NEXT_KEY] = encode_value(next_block)
        self._write_unsynced(batch)

    def _write_unsynced(self, batch: Mapping[bytes, bytes | None]) -> None:
        if batch:
            self._database.write(batch, sync=False)

    def keep_claims(self, claims: StoredClaims) -> None:
        if claims != self._claims:
            self._claims = claims
            self._database.write({CLAIMS_KEY: encode_value(claims)}, sync=False)

    def recover(self, max_lag: int, safety: type[Any]) -> Recovered:
        """What the core goes on from; `safety` is the class of the rule set's safety record."""
        encoded = self._database.get(SAFETY_KEY)
        if encoded is None:
            return self._new
        root = self._root()
        uncommitted = [self.proposal(Hash32(key[1:])) for key, _ in self._database.with_prefix(UNCOMMITTED)]
        return Recovered(
            safety=decode_value(safety, encoded),
            root=root,
            unexecuted=tuple(self._newest_blocks(max_lag)),
            uncommitted=tuple(sorted(uncommitted, key=lambda proposal: proposal.round)),
            results=self._executed,
        )

    def mempool_entries(self) -> Iterator[Entry]:
        """Those that wait."""
        return self._mempool.entries()

    def senders(self) -> Iterator[tuple[SenderState, Height]]:
        """Of those that wait, each with the height that its state is of."""
        return self._mempool.senders()

    def evictions(self) -> Iterator[Evicted]:
        """What the mempool gave up lately, oldest first."""
        for _, value in self._database.with_prefix(EVICTED):
            yield decode_value(Evicted, value)

    def proposal(self, id: Hash32) -> Proposal:
        return decode_proposal(self.encoded_proposal(id))

    def encoded_proposal(self, id: Hash32) -> bytes:
        """Raises StoreIncomplete."""
        encoded = self._database.get(PROPOSAL + id)
        if encoded is None:
            raise StoreIncomplete(id)
        return encoded

    def id_at_depth(self, depth: int) -> Hash32 | None:
        """The committed proposal at that depth."""
        return self.genesis_id if depth == 0 else self._id(DEPTH, depth)

    def id_of_block(self, height: Height) -> Hash32 | None:
        """The committed proposal that makes that block; the genesis id for block 0."""
        return self.genesis_id if height == 0 else self._id(BLOCK, height)

    def height_of(self, id: Hash32) -> Height | None:
        """The height of a committed proposal that makes a block; None if it is not known here as one."""
        if id == self.genesis_id:
            return Height(0)
        encoded = self._database.get(PROPOSAL + id)
        height = None if encoded is None else decode_proposal(encoded).height
        return height if height is not None and self.id_of_block(height) == id else None

    def _id(self, kind: bytes, height: int) -> Hash32 | None:
        id = self._database.get(kind + _key(height))
        return None if id is None else Hash32(id)

    def _claim(self, genesis_id: Hash32) -> None:
        found = self._database.get(FORMAT_KEY)
        if found is None:
            self._database.write({FORMAT_KEY: pack(FORMAT), GENESIS_KEY: genesis_id})
            return
        if unpack(found) != FORMAT:
            raise NewerStore(unpack(found), FORMAT)
        owner = self._database.get(GENESIS_KEY) or b""
        if owner != genesis_id:
            raise StoreOfAnotherChain(owner, genesis_id)

    def _read_cursor(self) -> Cursor:
        encoded = self._database.get(CURSOR_KEY)
        if encoded is not None:
            return decode_value(Cursor, encoded)
        root = self._new.root
        return Cursor(root.id, root.depth, root.height, root.timestamp_ms)

    def _read_results(self) -> Iterator[ExecutedBlock]:
        """Oldest first."""
        for key, value in self._database.with_prefix(RESULT):
            yield ExecutedBlock(Height(int.from_bytes(key[1:], "big")), Hash32(value))

    def _read_next_block(self) -> NextBlock | None:
        encoded = self._database.get(NEXT_KEY)
        return None if encoded is None else decode_value(NextBlock, encoded)

    def _read_evictions(self) -> range:
        """The numbers of the kept ones: an unbroken row."""
        kept = [int.from_bytes(key[1:], "big") for key, _ in self._database.with_prefix(EVICTED)]
        return range(kept[0], kept[-1] + 1) if kept else range(0)

    def _read_claims(self) -> StoredClaims:
        encoded = self._database.get(CLAIMS_KEY)
        return NO_CLAIMS if encoded is None else decode_value(StoredClaims, encoded)

    def _root(self) -> Node:
        cursor = self._cursor
        if cursor.depth == 0:
            return self._new.root
        proposal = self.proposal(cursor.id)
        return Node(
            id=cursor.id,
            parent=proposal.parent,
            round=proposal.round,
            depth=cursor.depth,
            height=cursor.height,
            timestamp_ms=cursor.timestamp_ms,
            executed=proposal.executed,
            proposal=proposal,
        )

    def _newest_blocks(self, count: int) -> Iterator[Node]:
        """The newest committed proposals that make blocks, oldest first. Only their proposals matter."""
        for height in range(max(1, self._cursor.height - count + 1), self._cursor.height + 1):
            id = self.id_of_block(Height(height))
            if id is None:
                raise StoreIncomplete(_key(height))
            proposal = self.proposal(id)
            yield child_node(proposal, self._new.root)


def _cursor_at(placed: Placed, before: Cursor) -> Cursor:
    proposal = placed.proposal
    timestamp_ms = before.timestamp_ms if proposal.inputs is None else proposal.inputs.timestamp_ms
    return Cursor(proposal.id, placed.depth, proposal.height, timestamp_ms)


def _committed(placed: Placed, cursor: Cursor) -> dict[bytes, bytes | None]:
    batch: dict[bytes, bytes | None] = {
        UNCOMMITTED + cursor.id: None,
        DEPTH + _key(placed.depth): cursor.id,
        CURSOR_KEY: encode_value(cursor),
    }
    if placed.proposal.takes_height:
        batch[BLOCK + _key(cursor.height)] = cursor.id
    return batch


def _key(height: int) -> bytes:
    return height.to_bytes(8, "big")
