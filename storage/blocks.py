"""The chain index: headers, transactions with their receipts, execution records, and where to find them by hash.

A transaction, its sender and its receipt are one row, so that a receipt asked for alone costs one read however large
its block is.
"""

import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain.blocks import Withdrawal
from chain.codec import decode_value, encode_value, pack, unpack
from chain.headers import Header, decode_header
from chain.keccak import keccak256
from chain.messages.storage import ApplyBlock, CacheUse, StoredBlock, StoredTransaction
from chain.receipts import Receipt
from chain.types import Address, BlockNumber, Hash32, Height, Version
from storage.cache import RecentlyUsed
from storage.errors import InvalidBlock
from storage.keyvalue import KeyValue
from storage.logs import LoggedBlock, index_rows
from storage.number_keys import NUMBER_BYTES, number_key, place_key

HEADERS = b"h"
NUMBERS = b"n"
VERSIONS = b"v"
TRANSACTIONS = b"x"
PLACES = b"p"
RECORDS = b"e"
HEIGHTS = b"i"
OPERATIONS = b"o"
REST = b"r"
"""Ommers and withdrawals, of those blocks that have any."""
TRANSACTIONS_A_STEP = 32
LOG_ROWS_A_STEP = 128
CACHED_HEADERS = 128

_HEIGHT = struct.Struct(">QQI32s32s32s")


class StoredHeader(NamedTuple):
    header: Header
    hash: Hash32


class HeightRow(NamedTuple):
    """What there was after a height: the newest block, the version of the state, how many blocks it had made, the
    block's hash, the proposal, and the result.
    """

    number: BlockNumber
    version: Version
    blocks: int
    hash: Hash32
    proposal: Hash32
    result: Hash32


@dataclass(frozen=True, slots=True)
class Rest:
    """What a block has besides transactions."""

    ommers: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()


class TransactionRow(NamedTuple):
    """One transaction of a block; `first_log` is how many logs the ones before it have."""

    raw: bytes
    sender: Address
    hash: Hash32
    first_log: int
    encoded_receipt: bytes

    def receipt(self) -> Receipt:
        return decode_value(Receipt, self.encoded_receipt)


def transaction_row(data: bytes) -> TransactionRow:
    return TransactionRow(*unpack(data))


class Blocks:
    """Blocks up to `newest`; a block being written is not there yet."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._headers: RecentlyUsed[int, StoredHeader] = RecentlyUsed(CACHED_HEADERS)
        self.newest = BlockNumber(-1)
        self.newest_height = Height(-1)

    def put_body(self, block: ApplyBlock, batch: dict[bytes, bytes | None]) -> Generator[None, None, list[Hash32]]:
        """Add what of a block needs not its hash, which needs the state root. The hashes of its transactions."""
        if not len(block.transactions) == len(block.senders) == len(block.receipts):
            raise InvalidBlock(block.header.number, "it has not as many senders and receipts as transactions")
        number, first_log = block.header.number, 0
        hashes: list[Hash32] = []
        rows = zip(block.transactions, block.senders, block.receipts, strict=True)
        for index, (raw, sender, receipt) in enumerate(rows):
            place = place_key(number, index)
            transaction_hash = keccak256(raw)
            batch[TRANSACTIONS + place] = pack([raw, sender, transaction_hash, first_log, encode_value(receipt)])
            batch[PLACES + transaction_hash] = place
            hashes.append(transaction_hash)
            first_log += len(receipt.logs)
            if index % TRANSACTIONS_A_STEP == 0:
                yield
        if block.record:
            batch[RECORDS + number_key(number)] = block.record
        if block.ommers or block.withdrawals:
            batch[REST + number_key(number)] = encode_value(Rest(block.ommers, block.withdrawals))
        return hashes

    @staticmethod
    def put_logs(
        stored: StoredHeader, hashes: Sequence[Hash32], receipts: Sequence[Receipt], batch: dict[bytes, bytes | None]
    ) -> Generator[None, None, None]:
        """Add what a block's logs are found by; `hashes` are those of its transactions."""
        block = LoggedBlock(stored.header.number, stored.hash, stored.header.timestamp, hashes, receipts)
        for count, (key, value) in enumerate(index_rows(block)):
            batch[key] = value
            if count % LOG_ROWS_A_STEP == 0:
                yield

    @staticmethod
    def put_header(stored: StoredHeader, version: Version, batch: dict[bytes, bytes | None]) -> None:
        number = number_key(stored.header.number)
        batch[HEADERS + number] = stored.hash + stored.header.encode()
        batch[NUMBERS + stored.hash] = number
        batch[VERSIONS + number] = version.to_bytes(NUMBER_BYTES, "big")

    @staticmethod
    def put_version(number: BlockNumber, version: Version, batch: dict[bytes, bytes | None]) -> None:
        """The state after the block is that of another version from here on."""
        batch[VERSIONS + number_key(number)] = version.to_bytes(NUMBER_BYTES, "big")

    def delete(self, number: BlockNumber, batch: dict[bytes, bytes | None]) -> Generator[None, None, None]:
        """Add the removal of a block with everything that leads to it."""
        stored = self.header(number)
        assert stored is not None, f"block {number} is to be removed and not there"
        hashes: list[Hash32] = []
        receipts: list[Receipt] = []
        for key, data in self._store.with_prefix(TRANSACTIONS + number_key(number)):
            row = transaction_row(data)
            batch[key] = batch[PLACES + row.hash] = None
            hashes.append(row.hash)
            receipts.append(row.receipt())
            yield
        block = LoggedBlock(number, stored.hash, stored.header.timestamp, hashes, receipts)
        for count, (key, _) in enumerate(index_rows(block)):
            batch[key] = None
            if count % LOG_ROWS_A_STEP == 0:
                yield
        batch[NUMBERS + stored.hash] = None
        for kind in (HEADERS, VERSIONS, RECORDS, REST):
            batch[kind + number_key(number)] = None

    @staticmethod
    def put_height(height: Height, row: HeightRow, batch: dict[bytes, bytes | None]) -> None:
        batch[HEIGHTS + number_key(height)] = _HEIGHT.pack(*row)

    def height(self, height: int) -> HeightRow | None:
        """What there was after a height."""
        data = self._store.get(HEIGHTS + number_key(height)) if height >= 0 else None
        if data is None:
            return None
        number, version, blocks, block_hash, proposal, result = _HEIGHT.unpack(data)
        return HeightRow(
            BlockNumber(number), Version(version), blocks, Hash32(block_hash), Hash32(proposal), Hash32(result)
        )

    def operation(self, height: int) -> bytes | None:
        """The record of the operation that made the height."""
        return self._store.get(OPERATIONS + number_key(height)) if height >= 0 else None

    @staticmethod
    def put_earlier(header: Header, batch: dict[bytes, bytes | None]) -> None:
        """A header from before the first block kept: BLOCKHASH reads it, nothing else of that block is there."""
        batch[HEADERS + number_key(header.number)] = header.hash() + header.encode()

    def header(self, number: int) -> StoredHeader | None:
        if not 0 <= number <= self.newest:
            return None
        cached = self._headers.get(number)
        if cached is not None:
            self._headers.hits += 1
            return cached
        self._headers.misses += 1
        data = self._store.get(HEADERS + number_key(number))
        if data is None:
            return None
        stored = StoredHeader(decode_header(data[32:]), Hash32(data[:32]))
        self._headers.put(number, stored)
        return stored

    def version(self, number: int) -> Version | None:
        """The version that the block made."""
        if not 0 <= number <= self.newest:
            return None
        data = self._store.get(VERSIONS + number_key(number))
        return None if data is None else Version(int.from_bytes(data, "big"))

    def number_of(self, block_hash: Hash32) -> BlockNumber | None:
        data = self._store.get(NUMBERS + block_hash)
        return None if data is None else BlockNumber(int.from_bytes(data, "big"))

    def block(self, number: int, with_receipts: bool) -> StoredBlock | None:
        stored, version = self.header(number), self.version(number)
        if stored is None or version is None:
            return None
        rows = [transaction_row(data) for _, data in self._store.with_prefix(TRANSACTIONS + number_key(number))]
        rest = self._rest(number)
        return StoredBlock(
            header=stored.header,
            hash=stored.hash,
            version=version,
            hashes=tuple([row.hash for row in rows]),
            transactions=tuple([row.raw for row in rows]),
            senders=tuple([row.sender for row in rows]),
            receipts=tuple([row.receipt() for row in rows]) if with_receipts else (),
            ommers=rest.ommers,
            withdrawals=rest.withdrawals,
        )

    def _rest(self, number: int) -> Rest:
        data = self._store.get(REST + number_key(number))
        return Rest() if data is None else decode_value(Rest, data)

    def transaction(self, transaction_hash: Hash32) -> StoredTransaction | None:
        place = self._store.get(PLACES + transaction_hash)
        if place is None:
            return None
        number, index = int.from_bytes(place[:NUMBER_BYTES], "big"), int.from_bytes(place[NUMBER_BYTES:], "big")
        stored = self.header(number)
        if stored is None:
            return None
        row = self.row(number, index)
        return StoredTransaction(
            raw=row.raw,
            sender=row.sender,
            header=stored.header,
            block_hash=stored.hash,
            index=index,
            first_log=row.first_log,
            receipt=row.receipt(),
        )

    def row(self, number: int, index: int) -> TransactionRow:
        data = self._store.get(TRANSACTIONS + place_key(number, index))
        assert data is not None, f"block {number} has no transaction {index} that its index names"
        return transaction_row(data)

    def record(self, number: int) -> bytes | None:
        if not 0 <= number <= self.newest:
            return None
        return self._store.get(RECORDS + number_key(number))

    def cache_use(self) -> CacheUse:
        return self._headers.use("headers")

    def forget(self) -> None:
        self._headers.clear()
