"""What accounts and dag let transactions wait for, and what they learn it from."""

from pathlib import Path

from chain.keccak import EMPTY_HASH
from chain.records import AccessKind, BlockRecord, Dependency
from chain.transactions import ACCESS_LIST, AccessListEntry, Transaction
from chain.types import Address, Gas, Wei
from execution.accesses import Accesses, Key, LearnedAccesses
from execution.dependency_rule import Dependencies, Expected
from execution.outcome import Outcome, Reads, Slot, Writes
from execution.strategies.accounts import Locks, dependencies_by_account
from execution.strategies.dag import dependencies_by_key
from tests.execution.test_equivalence import COUNTER, TOKEN, balance_slot, call, world_genesis
from tests.execution.test_optimistic import increments, to_contract, token_transfers
from tests.execution.world import ADDRESSES, KEYS, Chain, transaction

A, B, C = (Address(bytes([n]) * 20) for n in (0xAA, 0xBB, 0xCC))


def slot(number: int) -> Key:
    return AccessKind.SLOT, A, number


def balance(address: Address) -> Key:
    return AccessKind.BALANCE, address, 0


def waits(rule: Dependencies, *accesses: tuple[list[Key], list[Key]]) -> dict[int, list[int]]:
    """Whom each transaction waits for, by what it reads and writes."""
    expected = [
        Expected(index, transaction(KEYS[0], 0, to=A), Accesses(dict.fromkeys(reads), dict.fromkeys(writes)), True)
        for index, (reads, writes) in enumerate(accesses)
    ]
    return {index: [w.writer for w in waited] for index, waited in rule(expected).items() if waited}


def test_readers_of_an_account_share_it_and_a_writer_waits_for_all_of_them() -> None:
    locks = Locks()
    taken = [locks.take(0, [A], []), locks.take(1, [], [A]), locks.take(2, [], [A]), locks.take(3, [A], [])]
    assert [[waited.writer for waited in waits] for waits in taken] == [[], [0], [0], [1, 2]]
    assert [waited.writer for waited in locks.take(4, [A, B], [])] == [3]


def test_an_account_is_locked_however_its_slots_lie() -> None:
    rows: list[tuple[list[Key], list[Key]]] = [([], [slot(1)]), ([], [slot(2)]), ([slot(3)], []), ([balance(B)], [])]
    assert waits(dependencies_by_account, *rows) == {1: [0], 2: [1]}


def test_in_the_graph_only_who_reads_what_was_written_waits_and_only_for_the_last_writer() -> None:
    rows: list[tuple[list[Key], list[Key]]] = [
        ([], [slot(1)]), ([], [slot(1)]), ([slot(1)], [slot(2)]), ([slot(2), slot(1)], []), ([slot(3)], []),
    ]  # fmt: skip
    assert waits(dependencies_by_key, *rows) == {2: [1], 3: [1, 2]}


def test_who_reads_a_balance_waits_for_all_who_changed_it() -> None:
    rows: list[tuple[list[Key], list[Key]]] = [([], [balance(B)]), ([], [balance(B)]), ([balance(B)], [])]
    assert waits(dependencies_by_key, *rows) == {2: [0, 1]}


def outcome(reads: dict[Slot, int], writes: dict[Slot, int]) -> Outcome:
    read = Reads(slots=reads, code_hashes={TOKEN: EMPTY_HASH})
    return Outcome(True, Gas(1), Wei(1), Wei(0), (), b"", "", None, read, Writes(slots=writes))


def transfer(who: int, to: Address, **fields: object) -> Transaction:
    data = call("transfer(address,uint256)", to, 1)
    return transaction(KEYS[who], 0, to=TOKEN, data=data, gas=Gas(100_000), **fields)


def ran(who: int, to: Address) -> Outcome:
    slots = {(TOKEN, balance_slot(holder)): 5 for holder in (ADDRESSES[who], to)}
    return outcome(slots | {(TOKEN, 2): 7}, dict(slots))


def test_a_mapping_entry_is_expected_under_the_words_of_the_call() -> None:
    learned = LearnedAccesses()
    learned.remember(transfer(0, A), ADDRESSES[0], ran(0, A), surprised=False)
    expected = learned.expected(transfer(1, B), ADDRESSES[1])
    slots = {balance_slot(ADDRESSES[1]), balance_slot(B)}
    assert {number for kind, _, number in expected.reads if kind == AccessKind.SLOT} == slots | {2}
    assert {number for kind, _, number in expected.writes if kind == AccessKind.SLOT} == slots


def test_what_words_do_not_explain_is_expected_from_the_run_most_alike() -> None:
    learned = LearnedAccesses()
    for to, number in ((A, 1001), (B, 1002), (C, 1003)):
        learned.remember(transfer(0, to), ADDRESSES[0], outcome({(TOKEN, number): 1}, {}), surprised=False)
    expected = learned.expected(transfer(1, B), ADDRESSES[1])
    assert {number for kind, _, number in expected.reads if kind == AccessKind.SLOT} == {1002}


def test_an_access_list_says_what_is_read_and_of_a_function_never_seen_also_what_is_written() -> None:
    learned = LearnedAccesses()
    listed = transfer(0, A, type=ACCESS_LIST, max_priority_fee=Wei(10**10), access_list=(AccessListEntry(B, (4, 5)),))
    declared = {(AccessKind.SLOT, B, 4), (AccessKind.SLOT, B, 5)}
    expected = learned.expected(listed, ADDRESSES[0])
    assert declared <= expected.reads.keys()
    assert declared <= expected.writes.keys()
    learned.remember(transfer(0, A), ADDRESSES[0], ran(0, A), surprised=False)
    expected = learned.expected(listed, ADDRESSES[0])
    assert declared <= expected.reads.keys()
    assert not declared & expected.writes.keys()


async def records(strategy: str, folder: Path, *blocks: list[Transaction]) -> list[BlockRecord]:
    chain = Chain(world_genesis(), strategy, 2, folder)
    found = [(await chain.run(block)).record for block in blocks]
    await chain.stop()
    return found


async def test_under_locks_token_transfers_wait_for_the_token_and_the_record_calls_it_an_artefact(
    tmp_path: Path,
) -> None:
    _, record = await records("accounts", tmp_path, token_transfers(20), token_transfers(20, 1))
    waited = [wait for each in record.transactions for wait in each.waits]
    assert [wait.writer for wait in waited] == list(range(19))
    assert {(w.kind, w.address, w.dependency) for w in waited} == {(AccessKind.ACCOUNT, TOKEN, Dependency.ARTEFACT)}
    assert record.retries == 0
    assert len({each.attempts[-1].worker for each in record.transactions}) == 1


async def test_in_the_graph_token_transfers_wait_for_nobody_and_increments_for_each_other(tmp_path: Path) -> None:
    mixed = [increments(4, n) for n in range(5)]
    first = [tx for block in mixed for tx in block]
    again = [tx for n in range(5, 15) for tx in increments(4, n)]
    transfers = [to_contract(n, 0, TOKEN, call("transfer(address,uint256)", bytes([n]) * 20, 1)) for n in range(4, 24)]
    _, _, record = await records("dag", tmp_path, first, transfers, [*again, *token_transfers(4, 15)])
    waits_of = [[(wait.kind, wait.address, wait.writer) for wait in each.waits] for each in record.transactions]
    assert waits_of[:3] == [[], [(AccessKind.SLOT, COUNTER, 0)], [(AccessKind.SLOT, COUNTER, 1)]]
    assert waits_of[40:] == [[]] * 4
    assert {wait.dependency for each in record.transactions for wait in each.waits} == {Dependency.REAL}
    assert record.retries == 0
