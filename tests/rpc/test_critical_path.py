"""The longest chain of real dependencies of a block."""

import pytest

from chain.block_case import CaseAccount
from chain.messages.traces import Access, TransactionTrace
from chain.records import AccessKind
from chain.types import Address, Gas, Wei
from rpc.critical_path import CriticalPath, critical_path

A, B, C = (Address(bytes([n]) * 20) for n in (1, 2, 3))
RICH = {A: CaseAccount(0, Wei(100), b"", {})}
NONCE, BALANCE, SLOT = AccessKind.NONCE, AccessKind.BALANCE, AccessKind.SLOT
AT_LEAST, EMPTINESS, CODE = AccessKind.BALANCE_AT_LEAST, AccessKind.EMPTINESS, AccessKind.CODE


def run(reads: list[Access], writes: list[Access]) -> TransactionTrace:
    return TransactionTrace(tuple(reads), tuple(writes), (), (), {}, 0, Gas(21_000))


def slot(number: int, value: int = 1) -> Access:
    return Access(SLOT, C, number, value)


def balance(of: Address, value: int) -> Access:
    return Access(BALANCE, of, 0, value)


def path(*runs: TransactionTrace, us: list[int] | None = None) -> CriticalPath:
    return critical_path(runs, RICH, us or [10] * len(runs))


def test_an_empty_block_has_an_empty_path() -> None:
    assert path() == CriticalPath((), 0)


def test_of_independent_transactions_the_longest_is_the_path() -> None:
    runs = [run([slot(n)], [slot(n, 2)]) for n in range(4)]
    assert path(*runs, us=[5, 9, 9, 3]) == CriticalPath((1,), 9)


def test_who_reads_what_an_earlier_one_wrote_waits_for_it() -> None:
    increments = [run([slot(0, n)], [slot(0, n + 1)]) for n in range(4)]
    assert path(*increments) == CriticalPath((0, 1, 2, 3), 40)


def test_of_several_it_waits_for_the_one_that_ends_last() -> None:
    long, short, both = run([], [slot(1)]), run([], [slot(2)]), run([slot(2), slot(1)], [])
    assert path(short, long, both, us=[10, 50, 1]) == CriticalPath((1, 2), 51)


def test_of_several_writers_of_a_slot_only_the_last_counts() -> None:
    first, last, reader = run([], [slot(1, 5)]), run([], [slot(1, 6)]), run([slot(1, 6)], [])
    assert path(first, last, reader, us=[90, 10, 10]) == CriticalPath((0,), 90)
    assert path(first, last, reader, us=[10, 10, 10]) == CriticalPath((1, 2), 20)


def test_slots_of_different_contracts_and_earlier_readers_are_no_dependencies() -> None:
    elsewhere = Access(SLOT, B, 0, 7)
    assert path(run([slot(0)], []), run([], [slot(0, 2)]), run([elsewhere], [])) == CriticalPath((0,), 10)


def test_being_paid_depends_on_nothing() -> None:
    credits = [run([Access(EMPTINESS, A, 0, 0), Access(CODE, A, 0, 5)], [balance(A, 100 + n)]) for n in range(4)]
    assert path(*credits).us == 10


def test_who_looks_at_a_balance_waits_for_all_that_changed_it() -> None:
    credits = [run([], [balance(A, 100 + n)]) for n in range(3)]
    assert path(*credits, run([balance(A, 102)], []), us=[10, 70, 10, 5]) == CriticalPath((1, 3), 75)


@pytest.mark.parametrize(("needed", "expected"), [(100, (0,)), (101, (0, 1))])
def test_a_payer_waits_only_for_money_that_it_did_not_have_before_the_block(
    needed: int, expected: tuple[int, ...]
) -> None:
    payer = run([Access(AT_LEAST, A, 0, needed)], [balance(A, 1)])
    assert path(run([], [balance(A, 150)]), payer).places == expected


def test_who_finds_an_account_there_waits_for_the_one_that_made_it() -> None:
    made, paid_again = run([], [balance(B, 1)]), run([], [balance(B, 2)])
    found = run([Access(EMPTINESS, B, 0, 0)], [])
    assert path(made, paid_again, found, us=[10, 10, 5]) == CriticalPath((0, 2), 15)
    found_empty = run([Access(EMPTINESS, B, 0, 1)], [])
    assert path(found_empty, made, us=[10, 5]) == CriticalPath((0,), 10)


def test_who_only_wrote_slots_of_an_account_did_not_make_it() -> None:
    stored, made = run([], [Access(SLOT, B, 1, 1)]), run([], [balance(B, 1)])
    found = run([Access(EMPTINESS, B, 0, 0)], [])
    assert path(stored, made, found, us=[90, 10, 85]) == CriticalPath((1, 2), 95)


def test_a_senders_transactions_are_a_chain() -> None:
    sent = [run([Access(NONCE, A, 0, n)], [Access(NONCE, A, 0, n + 1)]) for n in range(3)]
    other = run([Access(NONCE, B, 0, 0)], [Access(NONCE, B, 0, 1)])
    assert path(sent[0], other, *sent[1:]) == CriticalPath((0, 2, 3), 30)
