"""A store that begins with a block of a remote chain, as execution and rpc ask it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.genesis import Forked, Genesis
from chain.keccak import keccak256
from chain.messages.proofs import ReadProof
from chain.messages.state_pages import ReadStatePage
from chain.messages.storage import (
    ApplyBlock,
    ApplyOperation,
    AskRemote,
    BlockHashes,
    ReadHashes,
    ReadState,
    RemoteAnswer,
    Revert,
    StateValues,
)
from chain.operations import BlockSettings
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Height, Version, Wei
from storage.audit import Audit
from storage.errors import InvalidBlock, NoFork, NoProofOnFork, NoWholeState
from storage.keyvalue import DiskFull
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.pruning import KEPT_HEIGHTS
from storage.remote import RemoteAccount, RemoteRefusal, RemoteUnavailable
from storage.steps import run
from storage.store import Store
from tests.storage.fake_remote import FakeRemoteChain, hash_of_remote_block
from tests.storage.full_disk import Full
from tests.storage.test_process import Asker
from tests.storage.world import block_of, genesis_of, history_contract

A, B, C = Address(b"\xaa" * 20), Address(b"\xbb" * 20), Address(b"\xcc" * 20)
CODE = b"\x60\x01"
N = 1000
TRANSFER = AccountChange(B, Account(0, Wei(3)), {})


def fork_genesis() -> Genesis:
    """A fork of block N, which funds C. The remote's own root is in its header."""
    genesis = genesis_of(history_contract(), AccountChange(C, Account(4, Wei(99)), {}))
    header = replace(genesis.header, number=BlockNumber(N), state_root=Hash32(b"\x55" * 32))
    return replace(genesis, header=header, forked=Forked(1, Gas(30_000_000)))


def block(height: int, *changes: AccountChange) -> ApplyBlock:
    made = block_of(fork_genesis(), height, *changes)
    return replace(made, height=Height(height), header=replace(made.header, number=BlockNumber(N + height)))


@pytest.fixture
async def remote() -> FakeRemoteChain:
    chain = FakeRemoteChain()
    chain.accounts = {A: RemoteAccount(1, Wei(10), CODE)}
    chain.slots = {(A, 1): 11}
    return chain


@pytest.fixture
def keyvalue() -> MemoryKeyValue:
    return MemoryKeyValue()


@pytest.fixture
async def asker(remote: FakeRemoteChain, keyvalue: MemoryKeyValue) -> AsyncIterator[Asker]:
    service = StorageService(Store.open(keyvalue, fork_genesis()), remote)
    yield Asker(service)
    await service.close()


async def test_the_first_block_is_the_remote_s_as_it_is_and_the_next_follows_it(asker: Asker) -> None:
    applied = await asker.ask(block(1, TRANSFER))
    assert applied.header.number == N + 1
    assert applied.header.parent_hash == fork_genesis().header.hash()


async def test_a_fork_reads_what_the_remote_has_with_its_code(asker: Asker) -> None:
    read = ReadState(None, (A, C, B), ((A, 1), (A, 2)), ())
    account = Account(1, Wei(10), keccak256(CODE))
    assert await asker.ask(read) == StateValues(Version(1), (account, Account(4, Wei(99)), EMPTY_ACCOUNT), (11, 0), ())
    assert (await asker.ask(ReadState(None, (), (), (account.code_hash,)))).codes == (CODE,)


async def test_a_block_may_change_what_was_never_read(asker: Asker, remote: FakeRemoteChain) -> None:
    await asker.ask(block(1, AccountChange(A, Account(2, Wei(9), keccak256(CODE)), {5: 55})))
    values = await asker.ask(ReadState(None, (A,), ((A, 1), (A, 5)), ()))
    assert (values.accounts[0].balance, values.slots) == (9, (11, 55))


async def test_while_the_remote_is_away_what_needs_it_fails_and_the_rest_is_answered(
    asker: Asker, remote: FakeRemoteChain
) -> None:
    await asker.ask(ReadState(None, (A,), (), ()))
    remote.failure = RemoteUnavailable("http://x", "cannot be reached")
    with pytest.raises(RemoteUnavailable):
        await asker.ask(block(1, TRANSFER))
    assert (await asker.ask(ReadState(None, (A,), (), ()))).accounts[0].balance == 10
    remote.failure = None
    assert (await asker.ask(block(1, TRANSFER))).header.number == N + 1


async def test_the_chain_goes_on_when_it_is_opened_again(
    asker: Asker, remote: FakeRemoteChain, keyvalue: MemoryKeyValue
) -> None:
    first = await asker.ask(block(1, TRANSFER))
    again = Asker(StorageService(Store.open(keyvalue, fork_genesis()), remote))
    assert (await again.ask(block(2))).header.parent_hash == first.hash


async def test_a_store_of_a_fork_is_right_whatever_was_read_changed_zeroed_or_removed(
    asker: Asker, remote: FakeRemoteChain, keyvalue: MemoryKeyValue
) -> None:
    await asker.ask(ReadState(None, (A, Address(b"\x01" * 20)), ((A, 1), (A, 9)), ()))
    await asker.ask(block(1, AccountChange(A, Account(2, Wei(9), keccak256(CODE)), {1: 0, 5: 55}), TRANSFER))
    await asker.ask(block(2, AccountChange(A, EMPTY_ACCOUNT, {}, clears_storage=True)))
    for _ in Audit(Store.open(keyvalue, fork_genesis()), keyvalue, BlockNumber(N)).run():
        pass


async def test_hashes_of_older_blocks_are_the_remote_s_and_asked_once(asker: Asker, remote: FakeRemoteChain) -> None:
    numbers = tuple(BlockNumber(number) for number in (N - 1, N, N + 1, N - 2))
    expected = (hash_of_remote_block(N - 1), fork_genesis().header.hash(), ZERO_HASH, hash_of_remote_block(N - 2))
    for _ in range(2):
        assert await asker.ask(ReadHashes(None, numbers)) == BlockHashes(expected)
    assert remote.forwarded == [("hash", b"999"), ("hash", b"998")]


async def test_an_answer_of_the_remote_is_kept_unless_it_is_an_error_or_nothing(
    asker: Asker, remote: FakeRemoteChain
) -> None:
    remote.results = {"eth_a": b'{"x":1}', "eth_b": b"null", "eth_c": RemoteRefusal(-32601, "no such method", b'"d"')}
    for _ in range(2):
        assert await asker.ask(AskRemote("eth_a", b"[]")) == RemoteAnswer(b'{"x":1}', 0, "", None)
        assert await asker.ask(AskRemote("eth_b", b"[]")) == RemoteAnswer(b"null", 0, "", None)
        assert await asker.ask(AskRemote("eth_c", b"[]")) == RemoteAnswer(None, -32601, "no such method", b'"d"')
    assert [method for method, _ in remote.forwarded].count("eth_a") == 1
    assert len(remote.forwarded) == 5
    remote.results["eth_a"] = b'{"x":2}'
    assert (await asker.ask(AskRemote("eth_a", b"[1]"))).result == b'{"x":2}'


async def test_of_a_fork_there_is_no_proof_and_no_whole_state(asker: Asker) -> None:
    with pytest.raises(NoProofOnFork):
        await asker.ask(ReadProof(None, A, ()))
    with pytest.raises(NoWholeState):
        await asker.ask(ReadStatePage(Version(1), b"", 1000))


async def test_a_chain_of_its_own_has_no_remote_to_ask() -> None:
    asker = Asker(StorageService(Store.open(MemoryKeyValue(), genesis_of())))
    with pytest.raises(NoFork):
        await asker.ask(AskRemote("eth_chainId", b"[]"))


async def test_a_disk_without_room_loses_nothing_that_the_remote_said(remote: FakeRemoteChain) -> None:
    keyvalue = Full()
    asker = Asker(StorageService(Store.open(keyvalue, fork_genesis()), remote))
    keyvalue.full = True
    with pytest.raises(DiskFull):
        await asker.ask(ReadState(None, (A,), (), ()))
    keyvalue.full = False
    assert (await asker.ask(ReadState(None, (A,), (), ()))).accounts[0].balance == 10
    assert (await asker.ask(block(1, TRANSFER))).header.number == N + 1


@pytest.mark.parametrize("read_before", [False, True])
async def test_going_back_before_a_clearing_shows_the_remote_s_slots_again(asker: Asker, read_before: bool) -> None:
    assert (await asker.ask(ReadState(None, (), ((A, 2),), ()))).slots == (0,)
    await asker.ask(block(1, AccountChange(A, Account(2, Wei(9), keccak256(CODE)), {5: 55})))
    await asker.ask(block(2, AccountChange(A, EMPTY_ACCOUNT, {}, clears_storage=True)))
    assert (await asker.ask(ReadState(None, (A,), ((A, 1), (A, 5)), ()))).slots == (0, 0)
    if read_before:  # what the remote has comes into the store after the clearing
        assert (await asker.ask(ReadState(Version(2), (), ((A, 1),), ()))).slots == (11,)
    back = Revert(BlockNumber(N + 1), Version(2), 0)
    nothing = ApplyOperation(Height(3), Hash32(b"\x77" * 32), (), (), back, None, BlockSettings(), b"back")
    applied = await asker.ask(nothing)
    assert (applied.header.number, applied.version) == (N + 1, 4)
    values = await asker.ask(ReadState(None, (A,), ((A, 1), (A, 2), (A, 5), (A, 6)), ()))
    assert (values.accounts[0].balance, values.slots) == (9, (11, 0, 55, 0))
    assert (await asker.ask(ReadState(Version(3), (), ((A, 1),), ()))).slots == (0,)


async def test_a_way_back_to_a_pruned_state_is_refused_before_the_remote_is_asked_what_there_was(
    asker: Asker, remote: FakeRemoteChain, keyvalue: MemoryKeyValue
) -> None:
    for height in range(1, KEPT_HEIGHTS + 4):
        await asker.ask(block(height, AccountChange(A, Account(height, Wei(9), keccak256(CODE)), {height: 55})))
    store = Store.open(keyvalue, fork_genesis(), history=KEPT_HEIGHTS)
    while (batch := run(store.pruning.next_batch())) is not None:
        store.prune(batch)
    again, asked = Asker(StorageService(store, remote)), len(remote.asked)
    back, height = Revert(BlockNumber(N + 1), Version(2), 0), Height(store.head.height + 1)
    with pytest.raises(InvalidBlock, match="it is not kept"):
        await again.ask(ApplyOperation(height, Hash32(b"\x77" * 32), (), (), back, None, BlockSettings(), b"back"))
    assert len(remote.asked) == asked
    await again.service.close()
