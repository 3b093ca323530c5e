"""The state of a fork: the remote's values below, what was changed here above, and a root that reading cannot move."""

import asyncio
import random

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import Address, BlockNumber, Hash32, Version, Wei
from storage.blocks import Blocks
from storage.changes import StateChanges
from storage.forked_state import ForkedState, NotRead
from storage.memory import MemoryKeyValue
from storage.pruning import Pruning
from storage.remote import RemoteAccount, RemoteUnavailable
from storage.remote_reads import RemoteReads
from storage.steps import run
from storage.tries import Tries
from tests.storage.fake_remote import FakeRemoteChain
from tests.storage.oracle import trie_root

A, B, C = Address(b"\xaa" * 20), Address(b"\xbb" * 20), Address(b"\xcc" * 20)
CODE = b"\x60\x01"
CHANGED = Account(2, Wei(3), keccak256(CODE))


class Fork:
    """A forked state in memory, changed version by version."""

    def __init__(self, remote: FakeRemoteChain) -> None:
        self.keyvalue = MemoryKeyValue()
        self.remote = remote
        self.state = ForkedState(self.keyvalue)
        self.tries = Tries(self.keyvalue)
        self.reads = RemoteReads(remote, self.state, self.keyvalue.write)
        self.version = Version(0)
        self.root = EMPTY_ROOT

    async def apply(self, *changes: AccountChange) -> Hash32:
        """The root after one more version."""
        if self.version:
            await self.reads.ensure(tuple([change.address for change in changes]), (), self.version)
        self.version = Version(self.version + 1)
        work = StateChanges(self.state, self.tries, BlockNumber(self.version), self.version)
        self.root = run(work.run(self.root, changes))
        batch: dict[bytes, bytes | None] = {}
        run(work.put_into(batch))
        self.keyvalue.write(batch)
        work.adopt()
        return self.root

    async def account(self, address: Address, version: int | None = None) -> Account:
        at = self.version if version is None else Version(version)
        await self.reads.ensure((address,), (), at)
        return self.state.account(address, at).account

    async def slot(self, address: Address, number: int, version: int | None = None) -> int:
        at = self.version if version is None else Version(version)
        await self.reads.ensure((), ((address, number),), at)
        return self.state.slot(address, number, at)


@pytest.fixture
async def remote() -> FakeRemoteChain:
    chain = FakeRemoteChain()
    chain.accounts = {A: RemoteAccount(1, Wei(10), CODE), B: RemoteAccount(7, Wei(20), b"")}
    chain.slots = {(A, 1): 11, (A, 2): 12}
    return chain


@pytest.fixture
async def fork(remote: FakeRemoteChain) -> Fork:
    made = Fork(remote)
    await made.apply(AccountChange(C, Account(0, Wei(99)), {}))
    return made


async def test_what_was_never_read_is_no_value(fork: Fork) -> None:
    with pytest.raises(NotRead):
        fork.state.account(A, fork.version)
    with pytest.raises(NotRead):
        fork.state.slot(A, 1, fork.version)


async def test_a_value_is_read_from_the_remote_once(fork: Fork, remote: FakeRemoteChain) -> None:
    for _ in range(2):
        assert await fork.account(A) == Account(1, Wei(10), keccak256(CODE))
        assert await fork.account(Address(b"\x01" * 20)) == EMPTY_ACCOUNT
        assert [await fork.slot(A, number) for number in (1, 2, 3)] == [11, 12, 0]
    assert fork.state.code(keccak256(CODE)) == CODE
    assert len(remote.asked) == 5


async def test_what_was_read_is_there_without_the_remote_after_a_restart(fork: Fork, remote: FakeRemoteChain) -> None:
    await fork.slot(A, 1)
    await fork.account(A)
    remote.failure = RemoteUnavailable("http://x", "cannot be reached")
    again = ForkedState(fork.keyvalue)
    again.forget(fork.version)
    assert again.slot(A, 1, fork.version) == 11
    assert again.account(A, fork.version).account.balance == 10


async def test_readers_of_one_turn_share_a_request_and_later_ones_wait_for_it(
    fork: Fork, remote: FakeRemoteChain
) -> None:
    remote.go.clear()
    first = [asyncio.create_task(fork.slot(A, number)) for number in (1, 2, 1)]
    second = asyncio.create_task(fork.account(A))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    third = asyncio.create_task(fork.slot(A, 2))
    await asyncio.sleep(0)
    remote.go.set()
    assert await asyncio.gather(*first) == [11, 12, 11]
    assert (await second).nonce == 1
    assert await third == 12
    assert remote.asked == [((A,), ((A, 1), (A, 2)))]


async def test_a_failure_reaches_everyone_who_waits_and_the_next_one_asks_again(
    fork: Fork, remote: FakeRemoteChain
) -> None:
    remote.failure = RemoteUnavailable("http://x", "cannot be reached")
    failures = await asyncio.gather(fork.slot(A, 1), fork.slot(A, 1), fork.account(B), return_exceptions=True)
    assert [failure is remote.failure for failure in failures] == [True] * 3
    remote.failure = None
    assert await fork.slot(A, 1) == 11


async def test_who_gives_up_waiting_leaves_the_read_to_the_others(fork: Fork, remote: FakeRemoteChain) -> None:
    remote.go.clear()
    leaves, stays = asyncio.create_task(fork.slot(A, 1)), asyncio.create_task(fork.slot(A, 1))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    remote.go.set()
    assert await stays == 11


async def test_changes_here_stand_above_the_remote_and_older_versions_keep_its_value(fork: Fork) -> None:
    await fork.apply(AccountChange(A, Account(2, Wei(5), keccak256(CODE)), {1: 0, 2: 22}))
    assert [await fork.slot(A, number) for number in (1, 2)] == [0, 22]
    assert [await fork.slot(A, number, version=1) for number in (1, 2)] == [11, 12]
    assert (await fork.account(A)).balance == 5
    assert (await fork.account(A, version=1)).balance == 10


async def test_a_value_of_the_remote_that_is_read_late_does_not_hide_what_was_written_here(fork: Fork) -> None:
    await fork.apply(AccountChange(A, Account(2, Wei(5), keccak256(CODE)), {1: 21}))
    assert await fork.slot(A, 1, version=1) == 11
    fork.state.forget(fork.version)
    assert await fork.slot(A, 1) == 21


@pytest.mark.parametrize(
    "clearing",
    [
        AccountChange(A, EMPTY_ACCOUNT, {}, clears_storage=True),
        AccountChange(A, Account(1, Wei(0), keccak256(b"new")), {3: 33}, clears_storage=True, code=b"new"),
    ],
    ids=["destroyed", "created anew"],
)
async def test_slots_of_the_remote_do_not_come_back_once_storage_is_cleared(
    fork: Fork, remote: FakeRemoteChain, clearing: AccountChange
) -> None:
    assert await fork.slot(A, 1) == 11
    await fork.apply(clearing)
    await fork.apply(AccountChange(A, Account(1, Wei(1), keccak256(CODE)), {4: 44}, code=CODE))
    remote.asked.clear()
    assert [await fork.slot(A, number) for number in (1, 2, 3, 4, 5)] == [0, 0, clearing.slots.get(3, 0), 44, 0]
    assert remote.asked == [], "of cleared storage the remote is not asked"
    assert [await fork.slot(A, number, version=1) for number in (1, 2)] == [11, 12]


async def test_of_a_contract_created_here_the_remote_is_never_asked(fork: Fork, remote: FakeRemoteChain) -> None:
    created = Address(b"\xdd" * 20)
    await fork.apply(AccountChange(created, Account(1, Wei(0), keccak256(CODE)), {1: 5}, code=CODE))
    remote.asked.clear()
    assert [await fork.slot(created, number) for number in (1, 2)] == [5, 0]
    assert remote.asked == []


async def test_a_delegation_leaves_the_storage_of_the_account_as_the_remote_has_it(fork: Fork) -> None:
    delegation = b"\xef\x01\x00" + C
    await fork.apply(AccountChange(A, Account(2, Wei(10), keccak256(delegation)), {}, code=delegation))
    assert await fork.slot(A, 1) == 11


async def test_the_root_covers_what_was_changed_and_not_what_was_read(remote: FakeRemoteChain) -> None:
    changes = [
        (AccountChange(C, Account(0, Wei(99)), {}),),
        (AccountChange(A, Account(2, Wei(10), keccak256(CODE)), {1: 0, 2: 5}),),
        (AccountChange(B, EMPTY_ACCOUNT, {}, clears_storage=True), AccountChange(C, Account(1, Wei(98)), {})),
    ]
    reader, other = Fork(remote), Fork(remote)
    for batch in changes:
        expected = await other.apply(*batch)
        assert await reader.apply(*batch) == expected
        for address in (A, B, Address(b"\x02" * 20)):
            await reader.account(address)
            await reader.slot(address, 7)
    slots = {keccak256((1).to_bytes(32, "big")): b"\x80", keccak256((2).to_bytes(32, "big")): b"\x05"}
    rows = {
        keccak256(A): Account(2, Wei(10), keccak256(CODE)).trie_value(trie_root(slots)),
        keccak256(B): EMPTY_ACCOUNT.trie_value(),
        keccak256(C): Account(1, Wei(98)).trie_value(),
    }
    assert reader.root == trie_root(rows), "the reference's root of a trie of changes, what is gone among them"


@pytest.mark.parametrize("seed", range(6))
async def test_random_changes_read_as_a_plain_model_has_them(seed: int) -> None:
    print(f"seed {seed}")
    randomness = random.Random(seed)
    addresses = [Address(randomness.randbytes(20)) for _ in range(8)]
    remote = FakeRemoteChain()
    for address in addresses[:5]:
        remote.accounts[address] = RemoteAccount(1, Wei(randomness.getrandbits(70)), randomness.choice((b"", CODE)))
        remote.slots.update({(address, number): randomness.getrandbits(200) for number in range(4)})
    fork = Fork(remote)
    models = [dict(remote.slots)]
    gone: set[Address] = set(addresses[5:])
    await fork.apply()
    for _ in range(12):
        model = dict(models[-1])
        changes = []
        for address in randomness.sample(addresses, 3):
            destroyed = randomness.random() < 0.2 and address not in gone
            clears = destroyed or randomness.random() < 0.2
            slots = {} if destroyed else {randomness.randrange(6): randomness.choice((0, 1, 2**255)) for _ in range(2)}
            account = EMPTY_ACCOUNT if destroyed else Account(3, Wei(randomness.getrandbits(60)), keccak256(CODE))
            changes.append(AccountChange(address, account, slots, clears, None if destroyed else CODE))
            if clears or address in gone:
                model = {slot: value for slot, value in model.items() if slot[0] != address}
            model.update({(address, number): value for number, value in slots.items()})
            (gone.add if destroyed else gone.discard)(address)
        await fork.apply(*changes)
        models.append(model)
        for _ in range(10):
            version = randomness.randint(1, fork.version)
            slot = randomness.choice(addresses), randomness.randrange(6)
            assert await fork.slot(*slot, version) == models[version - 1].get(slot, 0)


async def test_pruning_keeps_the_records_that_hide_what_the_remote_has(
    fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fork.account(A)
    await fork.slot(A, 1)
    await fork.apply(AccountChange(A, Account(2, Wei(5), keccak256(CODE)), {1: 0, 2: 0, 3: 33}))
    await fork.apply(AccountChange(B, EMPTY_ACCOUNT, {}))
    await fork.apply(AccountChange(A, Account(3, Wei(4), keccak256(CODE)), {3: 34}))
    monkeypatch.setattr(Pruning, "_target", lambda pruning: fork.version)
    pruning = Pruning(fork.keyvalue, Blocks(fork.keyvalue), 0, forked=True)
    while (batch := run(pruning.next_batch())) is not None:
        fork.keyvalue.write(batch)
    fork.state.forget(fork.version)
    asked = len(fork.remote.asked)
    assert await fork.account(A) == Account(3, Wei(4), keccak256(CODE))
    assert await fork.account(B) == EMPTY_ACCOUNT
    assert [await fork.slot(A, number) for number in (1, 2, 3)] == [0, 0, 34]
    assert len(fork.remote.asked) == asked
    assert pruning.deleted > 5


async def test_what_is_here_is_listed_with_the_zeros_that_took_the_remote_s_place(fork: Fork) -> None:
    for number in (1, 2, 3):
        await fork.slot(A, number)
    nobody = Address(b"\x01" * 20)
    await fork.account(nobody)
    await fork.apply(
        AccountChange(A, Account(2, Wei(3), keccak256(CODE)), {2: 0, 4: 44}), AccountChange(B, Account(), {})
    )
    assert dict(fork.state.accounts(fork.version, None)) == {
        A: CHANGED,
        B: EMPTY_ACCOUNT,
        C: Account(0, Wei(99)),
        nobody: EMPTY_ACCOUNT,
    }
    assert list(fork.state.slots(A, fork.version, None)) == [(1, 11), (2, 0), (3, 0), (4, 44)]
    assert list(fork.state.slots(A, fork.version, 1)) == [(2, 0), (3, 0), (4, 44)]
    before = list(fork.state.slots(A, Version(1), None))
    assert before == [(1, 11), (2, 12), (3, 0)], "before the change, as it was read"


async def test_a_fork_begins_with_accounts_above_the_remote_s(remote: FakeRemoteChain) -> None:
    fork = Fork(remote)
    await fork.apply(AccountChange(A, CHANGED, {2: 0, 3: 33}), AccountChange(B, Account(), {}))
    assert await fork.account(B) == EMPTY_ACCOUNT
    assert [await fork.slot(A, number) for number in (1, 2, 3)] == [11, 0, 33]
    assert dict(fork.state.accounts(fork.version, None)) == {A: CHANGED, B: EMPTY_ACCOUNT}, "or the remote's comes back"
    assert list(fork.state.slots(A, fork.version, None)) == [(1, 11), (2, 0), (3, 33)]
