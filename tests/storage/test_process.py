"""The storage process as its askers see it."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Generator
from dataclasses import replace
from typing import Any

import pytest

from chain.accounts import Account, AccountChange
from chain.codec import decode_message, encode_message
from chain.keccak import keccak256
from chain.messages.link import Done
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.proofs import Proof, ReadProof
from chain.messages.simulation import StateRoot, WorkOutRoot
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import (
    ApplyBlock,
    BlockApplied,
    BlockHashes,
    NotThere,
    ReadBlock,
    ReadHashes,
    ReadHead,
    ReadHeaders,
    ReadRecord,
    ReadState,
    ReadStorageStatus,
    ReadTransaction,
    StateValues,
    StorageStatus,
    StoredBlock,
    StoredHeaders,
    StoredRecord,
    StoredTransaction,
)
from chain.types import ZERO_HASH, Address, BlockNumber, Version, Wei
from storage.applying import MAX_WAITING_BLOCKS
from storage.awaited import MAX_WAITING_READS
from storage.errors import (
    BlockOutOfRange,
    HeightGap,
    StorageClosed,
    TooManyBlocks,
    TooManyWaiting,
    UnknownCode,
    UnknownRequest,
    VersionOutOfRange,
)
from storage.height import Prepared
from storage.keyvalue import Batch, DiskFull
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.store import Store
from tests.found_logs import unpack_found_logs
from tests.storage.full_disk import Full
from tests.storage.world import NOBODY, UNKNOWN, RandomChain, block_of, genesis_of

TIME_LIMIT_S = 60
A = Address(b"\xaa" * 20)
GENESIS = genesis_of(AccountChange(A, Account(1, Wei(5)), {1: 11}))


class SomePeer:
    """The asker, of whom storage wants nothing."""

    name = "somebody"
    open = True

    def push(self, message: Any) -> bool:
        raise AssertionError("storage pushes no news")

    async def drained(self) -> None:
        raise AssertionError("storage pushes no news")


class Asker:
    """Speaks with the service as over a link: every message is encoded and decoded on its way."""

    def __init__(self, service: StorageService) -> None:
        self.service = service

    async def ask(self, message: Any) -> Any:
        async with asyncio.timeout(TIME_LIMIT_S):
            answer = await self.service.answer(decode_message(encode_message(message)), SomePeer())
        return decode_message(encode_message(answer))

    def asking(self, message: Any) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.ask(message))


class HeldKeyValue(MemoryKeyValue):
    """Holds each write until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()

    def write(self, batch: Batch, sync: bool = True) -> None:
        assert self.go.wait(10)
        super().write(batch, sync)


@pytest.fixture
def keyvalue() -> HeldKeyValue:
    return HeldKeyValue()


@pytest.fixture
async def asker(keyvalue: HeldKeyValue) -> AsyncIterator[Asker]:
    service = StorageService(Store.open(keyvalue, GENESIS))
    yield Asker(service)
    keyvalue.go.set()
    await service.close()


def _block(number: int, *changes: AccountChange) -> ApplyBlock:
    return block_of(GENESIS, number, *changes)


def _nonce(number: int, nonce: int) -> ApplyBlock:
    return _block(number, AccountChange(A, Account(nonce, Wei(5)), {1: 10 + nonce}))


def _read(version: int | None) -> ReadState:
    return ReadState(None if version is None else Version(version), (A,), ((A, 1),), ())


async def _settle() -> None:
    """Let every task run as far as it can by itself."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_root_that_changes_would_give_is_the_one_that_a_block_with_them_has(asker: Asker) -> None:
    change = AccountChange(A, Account(2, Wei(5)), {1: 12, 7: 70})
    answer = await asker.ask(WorkOutRoot(Version(1), (change,)))
    assert await asker.ask(WorkOutRoot(Version(1), (change,))) == answer, "nothing was written"
    applied = await asker.ask(_block(1, change))
    assert answer == StateRoot(applied.header.state_root)
    await asker.ask(_nonce(2, 9))
    assert await asker.ask(WorkOutRoot(Version(1), (change,))) == answer, "of an older version too"


async def test_a_read_without_a_version_answers_at_the_newest_and_says_which(asker: Asker) -> None:
    assert await asker.ask(_read(None)) == StateValues(Version(1), (Account(1, Wei(5)),), (11,), ())
    await asker.ask(_nonce(1, 2))
    assert await asker.ask(_read(None)) == StateValues(Version(2), (Account(2, Wei(5)),), (12,), ())
    assert (await asker.ask(_read(1))).slots == (11,)


async def test_values_come_in_the_order_asked_and_what_is_not_there_is_empty(asker: Asker) -> None:
    slots = ((A, 2), (A, 1), (NOBODY, 1))
    read = ReadState(None, (NOBODY, A), slots, (keccak256(b""),))
    values = await asker.ask(read)
    assert values == StateValues(Version(1), (Account(), Account(1, Wei(5))), (0, 11, 0), (b"",))
    with pytest.raises(UnknownCode):
        await asker.ask(ReadState(None, (), (), (UNKNOWN,)))


async def test_a_read_of_a_version_to_come_waits_for_it(asker: Asker) -> None:
    waiting = [asker.asking(_read(3)), asker.asking(_read(2)), asker.asking(ReadHashes(Version(2), (BlockNumber(1),)))]
    await _settle()
    assert not any(task.done() for task in waiting)
    first = await asker.ask(_nonce(1, 2))
    assert (await waiting[1]).slots == (12,)
    assert await waiting[2] == BlockHashes((first.hash,))
    assert not waiting[0].done()
    await asker.ask(_nonce(2, 3))
    assert (await waiting[0]).slots == (13,)


async def test_a_block_is_read_only_once_it_is_durable(asker: Asker, keyvalue: HeldKeyValue) -> None:
    keyvalue.go.clear()
    applying = asker.asking(_nonce(1, 2))
    await _settle()
    assert (await asker.ask(_read(None))).version == 1
    assert await asker.ask(ReadBlock(BlockNumber(1), None, True)) == NotThere()
    assert (await asker.ask(ReadHead())).number == 0
    keyvalue.go.set()
    applied = await applying
    assert await asker.ask(ReadHead()) == applied


async def test_reads_are_answered_while_a_large_block_is_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(MemoryKeyValue(), GENESIS)
    asker = Asker(StorageService(store))
    worked_out = False
    prepare = store.prepare

    def watched(block: ApplyBlock) -> Generator[None, None, Prepared]:
        nonlocal worked_out
        prepared = yield from prepare(block)
        worked_out = True
        return prepared

    monkeypatch.setattr(store, "prepare", watched)
    slots = dict.fromkeys(range(3), 1)
    changes = [AccountChange(Address(n.to_bytes(20, "big")), Account(1), slots) for n in range(1, 2500)]
    applying = asker.asking(_block(1, *changes))
    answered = 0
    while not worked_out:
        assert (await asker.ask(_read(None))).slots == (11,)
        await asyncio.sleep(0)
        answered += 1
    assert answered > 20
    assert (await applying).number == 1
    await asker.service.close()


@pytest.mark.parametrize(("durable", "slots", "waits"), [(True, 1, True), (False, 1, False), (False, 200, True)])
async def test_only_a_small_write_that_is_not_forced_to_the_disk_holds_up_the_loop(
    durable: bool, slots: int, waits: bool
) -> None:
    writers: list[int] = []

    class Watched(MemoryKeyValue):
        def write(self, batch: Batch, sync: bool = True) -> None:
            writers.append(threading.get_ident())
            super().write(batch, sync)

    service = StorageService(Store.open(Watched(), GENESIS, durable))
    writers.clear()
    change = AccountChange(A, Account(1, Wei(5)), dict.fromkeys(range(slots), 7))
    await service.answer(_block(1, change), SomePeer())
    assert [writer != threading.get_ident() for writer in writers] == [waits]
    await service.close()


async def test_blocks_are_applied_one_at_a_time_in_the_order_they_came(asker: Asker) -> None:
    answers = await asyncio.gather(*[asker.asking(_nonce(number, number + 1)) for number in range(1, 9)])
    assert [answer.number for answer in answers] == list(range(1, 9))
    for parent, answer in itertools.pairwise(answers):
        assert answer.header.parent_hash == parent.hash


async def test_the_same_block_asked_twice_at_once_is_applied_once(asker: Asker) -> None:
    one, other = await asyncio.gather(asker.asking(_nonce(1, 2)), asker.asking(_nonce(1, 2)))
    assert one == other
    assert (await asker.ask(ReadHead())).version == 2


async def test_a_gap_is_refused_and_the_next_block_still_taken(asker: Asker) -> None:
    with pytest.raises(HeightGap):
        await asker.ask(_nonce(2, 2))
    assert (await asker.ask(_nonce(1, 2))).number == 1


async def test_a_block_whose_asker_goes_away_is_finished(asker: Asker, keyvalue: HeldKeyValue) -> None:
    keyvalue.go.clear()
    applying = asker.asking(_nonce(1, 2))
    await _settle()
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    keyvalue.go.set()
    assert (await asker.ask(_read(2))).slots == (12,)
    assert (await asker.ask(_nonce(1, 2))).number == 1


async def test_after_a_full_disk_the_same_block_is_taken_and_its_readers_woken() -> None:
    for lands in (False, True):
        keyvalue = Full(lands)
        asker = Asker(StorageService(Store.open(keyvalue, GENESIS)))
        waiting = asker.asking(_read(2))
        keyvalue.full = True
        with pytest.raises(DiskFull):
            await asker.ask(_nonce(1, 2))
        assert (await asker.ask(_read(None))).version == 1
        keyvalue.full = False
        assert (await asker.ask(_nonce(1, 2))).version == 2
        assert (await waiting).slots == (12,)
        await asker.service.close()


@pytest.mark.parametrize("version", [0, -1, 10_000])
async def test_a_version_out_of_range_is_refused_with_the_range(asker: Asker, version: int) -> None:
    with pytest.raises(VersionOutOfRange, match=f"version {version} is out of range: versions 1 to 1 are kept"):
        await asker.ask(_read(version))


async def test_only_so_many_reads_and_blocks_may_wait(asker: Asker, keyvalue: HeldKeyValue) -> None:
    reads = [asyncio.create_task(asker.service.answer(_read(2), SomePeer())) for _ in range(MAX_WAITING_READS)]
    await _settle()
    with pytest.raises(TooManyWaiting):
        await asker.ask(_read(2))
    keyvalue.go.clear()
    blocks = [asker.asking(_nonce(1, 2)) for _ in range(MAX_WAITING_BLOCKS)]
    await _settle()
    with pytest.raises(TooManyWaiting):
        await asker.ask(_nonce(1, 2))
    keyvalue.go.set()
    await asyncio.gather(*reads, *blocks)
    assert (await asker.ask(ReadStorageStatus())).counters["waiting_reads"] == 0


async def test_closing_ends_what_waits_and_keeps_what_was_begun(keyvalue: HeldKeyValue) -> None:
    service = StorageService(Store.open(keyvalue, GENESIS))
    asker = Asker(service)
    waiting = asker.asking(_read(5))
    applying = asker.asking(_nonce(1, 2))
    keyvalue.go.clear()
    await _settle()
    closing = asyncio.create_task(service.close())
    await _settle()
    with pytest.raises(StorageClosed):
        await waiting
    with pytest.raises(StorageClosed):
        await asker.ask(ReadHead())
    keyvalue.go.set()
    await closing
    assert (await applying).number == 1
    assert Store.open(keyvalue, GENESIS).head.number == 1


async def test_a_message_that_is_no_request_to_storage_is_refused(asker: Asker) -> None:
    with pytest.raises(UnknownRequest, match="storage does not answer Done"):
        await asker.ask(Done())


async def check_state_pages(asker: Asker, version: Version, accounts: set[Address]) -> None:
    """The whole state, its accounts alone, and the slots of one."""
    page = await asker.ask(ReadStatePage(version, b"", 100))
    assert isinstance(page, StatePage)
    rest = await asker.ask(ReadStatePage(version, page.after, 1 << 20))
    assert isinstance(rest, StatePage)
    assert {part.address for part in (*page.accounts, *rest.accounts)} == accounts
    alone = await asker.ask(ReadStatePage(version, b"", 1 << 20, alone=True))
    assert isinstance(alone, StatePage)
    assert {part.address: part.slots for part in alone.accounts} == dict.fromkeys(accounts, ())
    assert (alone.codes, alone.after) == ((), b"")
    largest = max(rest.accounts, key=lambda part: len(part.slots)).address
    slots = [slot for part in (*page.accounts, *rest.accounts) if part.address == largest for slot in part.slots]
    one = await asker.ask(ReadStatePage(version, b"", 64, of=largest))
    assert isinstance(one, StatePage)
    more = await asker.ask(ReadStatePage(version, one.after, 1 << 20, of=largest))
    assert isinstance(more, StatePage)
    [[first], [others]] = one.accounts, more.accounts
    assert (len(first.slots), [*first.slots, *others.slots]) == (1, slots)
    assert (more.codes, more.after) == ((), b"")


async def test_every_kind_of_read_is_answered_over_the_wire(seed: int) -> None:
    chain = RandomChain(seed)
    asker = Asker(StorageService(Store.open(MemoryKeyValue(), chain.genesis)))
    head: BlockApplied = await asker.ask(ReadHead())
    blocks = []
    for _ in range(8):
        blocks.append(chain.next(head.hash))
        head = await asker.ask(blocks[-1])
    block = await asker.ask(ReadBlock(None, head.hash, True))
    assert isinstance(block, StoredBlock)
    assert block == await asker.ask(ReadBlock(head.number, None, True))
    assert await asker.ask(ReadBlock(None, UNKNOWN, True)) == NotThere()
    raw = next(raw for applied in blocks for raw in applied.transactions)
    assert isinstance(await asker.ask(ReadTransaction(keccak256(raw))), StoredTransaction)
    assert await asker.ask(ReadTransaction(UNKNOWN)) == NotThere()
    logs = await asker.ask(ReadLogs(BlockNumber(0), head.number, (), (), 1000))
    assert isinstance(logs, FoundLogs)
    assert len(unpack_found_logs(logs)) == sum(len(receipt.logs) for applied in blocks for receipt in applied.receipts)
    hashes = await asker.ask(ReadHashes(None, (head.number, BlockNumber(99))))
    assert hashes == BlockHashes((head.hash, ZERO_HASH))
    assert await asker.ask(ReadRecord(BlockNumber(3))) == StoredRecord(blocks[2].record)
    assert await asker.ask(ReadRecord(BlockNumber(99))) == NotThere()
    proof = await asker.ask(ReadProof(None, chain.addresses[0], (1, 2)))
    assert isinstance(proof, Proof)
    assert keccak256(proof.nodes[0]) == head.header.state_root
    assert [slot.number for slot in proof.slots] == [1, 2]
    await check_state_pages(asker, head.version, set(chain.model))
    headers = await asker.ask(ReadHeaders(BlockNumber(7), BlockNumber(99)))
    assert isinstance(headers, StoredHeaders)
    assert [header.number for header in headers.headers] == [7, 8]
    status = await asker.ask(ReadStorageStatus())
    assert isinstance(status, StorageStatus)
    assert (status.number, status.version, status.oldest) == (8, 9, 0)
    assert status.disk_bytes > 0
    assert status.counters["ApplyBlock"] == 8
    uses = {use.name: use for use in status.caches}
    assert list(uses) == ["accounts", "slots", "codes", "trie nodes", "headers"]
    assert uses["trie nodes"].hits > uses["trie nodes"].misses
    assert uses["accounts"].entries > 0
    await asker.service.close()


async def test_too_many_headers_at_once_are_refused(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.chain_answers.MAX_HEADERS", 2)
    for number in (1, 2):
        await asker.ask(_block(number))
    assert len((await asker.ask(ReadHeaders(BlockNumber(1), BlockNumber(2)))).headers) == 2
    with pytest.raises(TooManyBlocks, match="3 blocks asked for at once: at most 2"):
        await asker.ask(ReadHeaders(BlockNumber(0), BlockNumber(2)))
    with pytest.raises(BlockOutOfRange):
        await asker.ask(ReadHeaders(BlockNumber(2), BlockNumber(1)))


async def test_a_gap_in_front_leaves_the_same_block_to_be_retried(asker: Asker) -> None:
    later = replace(_nonce(2, 3))
    with pytest.raises(HeightGap):
        await asker.ask(later)
    await asker.ask(_nonce(1, 2))
    assert (await asker.ask(later)).number == 2
