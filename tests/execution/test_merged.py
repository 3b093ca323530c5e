"""The merged state: what is validated against it, what it merges, and what it tells storage."""

import pytest

from chain.accounts import Account, AccountChange
from chain.keccak import EMPTY_HASH, keccak256
from chain.records import AccessKind
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.attempts import StaleRead
from execution.known import KnownState, Missing, MissingKeys
from execution.merged import MergedState
from execution.outcome import ParentHashPending, Reads, Writes

A, B, C, BENEFICIARY = (Address(bytes([n]) * 20) for n in (1, 2, 3, 9))
CODE = b"\x60\x00"


@pytest.fixture
def known() -> KnownState:
    state = KnownState()
    rich = Account(nonce=1, balance=Wei(100))
    state.learn_accounts([(A, rich), (B, rich), (C, Account()), (BENEFICIARY, Account())])
    state.learn_slots([((A, 1), 11), ((A, 2), 0)])
    return state


def merge(state: MergedState, index: int, fee: int = 0, **writes: object) -> None:
    state.merge(index, Writes(**writes), BENEFICIARY, Wei(fee))  # type: ignore[arg-type]


def test_reads_that_still_hold_are_valid(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, balances={A: -30}, slots={(A, 2): 5})
    reads = Reads(
        nonces={A: 1},
        code_hashes={A: EMPTY_HASH},
        balances={B: Wei(100)},
        minimums={A: Wei(70)},
        empty={A: False, C: True},
        slots={(A, 1): 11},
    )
    assert not list(state.stale_reads(reads))


@pytest.mark.parametrize(
    ("reads", "stale"),
    [
        (Reads(nonces={A: 1}), (AccessKind.NONCE, A, 0, 1, 2, 4)),
        (Reads(balances={A: Wei(100)}), (AccessKind.BALANCE, A, 0, 100, 70, 5)),
        (Reads(minimums={A: Wei(71)}), (AccessKind.BALANCE_AT_LEAST, A, 0, 71, 70, 5)),
        (Reads(empty={C: True}), (AccessKind.EMPTINESS, C, 0, 1, 0, 6)),
        (Reads(slots={(A, 1): 11}), (AccessKind.SLOT, A, 1, 11, 12, 7)),
        (Reads(balances={BENEFICIARY: Wei(0)}), (AccessKind.BALANCE, BENEFICIARY, 0, 0, 3, 4)),
        (Reads(slots={(A, 2): 8}), (AccessKind.SLOT, A, 2, 8, 0, -1)),
    ],
)
def test_a_stale_read_names_what_was_seen_what_is_there_and_who_wrote_it(
    known: KnownState, reads: Reads, stale: tuple[AccessKind, Address, int, int, int, int]
) -> None:
    state = MergedState(known)
    merge(state, 4, fee=3, nonces={A: 2})
    merge(state, 5, balances={A: -30, B: 30})
    merge(state, 6, balances={C: 1})
    merge(state, 7, slots={(A, 1): 12})
    assert list(state.stale_reads(reads)) == [StaleRead(*stale)]


def test_every_stale_read_is_told(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, nonces={A: 2}, slots={(A, 1): 12, (A, 2): 1})
    stale = list(state.stale_reads(Reads(nonces={A: 1, B: 1}, slots={(A, 1): 11, (A, 2): 0})))
    assert [(read.kind, read.slot) for read in stale] == [
        (AccessKind.NONCE, 0),
        (AccessKind.SLOT, 1),
        (AccessKind.SLOT, 2),
    ]


def test_new_code_conflicts_with_a_read_of_its_absence(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 2, nonces={C: 1}, codes={C: CODE})
    (stale,) = state.stale_reads(Reads(code_hashes={C: EMPTY_HASH}))
    assert (stale.kind, stale.writer) == (AccessKind.CODE, 2)
    assert state.code(keccak256(CODE)) == CODE


def test_two_credits_to_one_account_do_not_conflict(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, balances={B: 1})
    assert not list(state.stale_reads(Reads(code_hashes={B: EMPTY_HASH}, empty={B: False})))
    merge(state, 1, balances={B: 2})
    assert state.account(B).balance == 103


def test_a_value_that_changed_back_is_no_conflict_and_no_change(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, balances={A: -1}, slots={(A, 1): 12})
    merge(state, 1, balances={A: 1}, slots={(A, 1): 11})
    assert not list(state.stale_reads(Reads(balances={A: Wei(100)}, slots={(A, 1): 11})))
    assert state.changes() == ()


def test_changes_hold_only_what_differs_from_before_the_block(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, fee=7, nonces={A: 2}, balances={A: -10, B: 0}, slots={(A, 1): 11, (A, 2): 3})
    assert set_of(state.changes()) == [
        AccountChange(A, Account(2, Wei(90)), {2: 3}),
        AccountChange(BENEFICIARY, Account(0, Wei(7)), {}),
    ]


def set_of(changes: tuple[AccountChange, ...]) -> list[AccountChange]:
    return sorted(changes, key=lambda change: change.address)


def test_a_touched_account_that_stays_empty_is_no_change(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, balances={C: 0})
    assert state.changes() == ()


def test_an_account_that_becomes_empty_is_removed_with_its_storage(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, nonces={A: 0}, balances={A: -100}, cleared=(A,))
    (change,) = state.changes()
    assert change == AccountChange(A, Account(), {}, clears_storage=True)


def test_an_account_made_and_destroyed_within_the_block_leaves_nothing(known: KnownState) -> None:
    state = MergedState(known)
    known.learn_slots([((C, 1), 0)])
    merge(state, 0, nonces={C: 1}, codes={C: CODE}, slots={(C, 1): 5})
    merge(state, 1, nonces={C: 0}, codes={C: b""}, cleared=(C,))
    assert state.slot(C, 1) == 0
    assert state.changes() == ()


def test_cleared_storage_reads_as_zero_and_is_told_with_all_that_came_after(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, codes={A: CODE}, cleared=(A,), slots={(A, 2): 9})
    assert [state.slot(A, n) for n in (1, 2, 77)] == [0, 9, 0]
    (change,) = state.changes()
    assert (change.clears_storage, change.slots, change.code) == (True, {2: 9}, CODE)


def test_merging_with_an_unknown_account_changes_nothing(known: KnownState) -> None:
    state = MergedState(known)
    unknown = Address(b"\x77" * 20)
    with pytest.raises(Missing) as raised:
        merge(state, 0, balances={A: -5, unknown: 5}, slots={(A, 1): 99})
    assert raised.value.keys == MissingKeys(accounts=(unknown,))
    assert (state.account(A).balance, state.slot(A, 1)) == (100, 11)


def test_a_committed_block_is_what_the_next_one_starts_from(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, nonces={C: 1}, codes={C: CODE}, slots={(A, 1): 0})
    state.commit(known, 1)
    following = MergedState(known)
    assert following.code(following.account(C).code_hash) == CODE
    assert following.slot(A, 1) == 0


def test_what_a_block_changed_is_the_same_once_it_is_committed(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, nonces={C: 1}, balances={A: -5, B: 5}, slots={(A, 1): 12, (A, 2): 0})
    merge(state, 1, codes={B: CODE}, cleared=(B,), slots={(B, 3): 4})
    changes, before = state.changes(), state.before(A)
    state.commit(known, 1)
    assert changes
    assert (state.changes(), state.before(A)) == (changes, before)


def test_learned_values_never_replace_changed_ones(known: KnownState) -> None:
    known.change(1, {A: Account(nonce=9)}, {(A, 1): 99})
    known.learn_accounts([(A, Account(nonce=1))])
    known.learn_slots([((A, 1), 11)])
    assert (known.account(A).nonce, known.slot((A, 1))) == (9, 99)


def test_shrinking_keeps_what_storage_does_not_have_yet(known: KnownState) -> None:
    small = KnownState(max_values=1)
    small.learn_accounts([(A, Account()), (B, Account())])
    small.change(5, {C: Account(nonce=3)}, {(C, 1): 1})
    small.settle(4)
    assert small.shrink()
    assert small.account(C).nonce == 3
    with pytest.raises(Missing):
        small.account(A)
    small.settle(5)
    assert small.shrink()
    with pytest.raises(Missing):
        small.slot((C, 1))


def test_a_promised_slot_waits_for_the_hash(known: KnownState) -> None:
    key = (B, 4)
    known.promise(key, BlockNumber(3))
    with pytest.raises(ParentHashPending):
        known.slot(key)
    known.learn_hash(BlockNumber(3), Hash32(b"\x05" * 32))
    assert known.slot(key) == int.from_bytes(b"\x05" * 32, "big")
    other = KnownState()
    other.set_promises(known.promises())
    assert other.slot(key) == known.slot(key)
    assert known.keep_promise(key, 1) == known.slot(key)
    assert known.promises() == ()


def test_a_balance_grows_to_what_a_word_holds(known: KnownState) -> None:
    state = MergedState(known)
    merge(state, 0, balances={A: 2**256 - 101})
    assert state.account(A).balance == 2**256 - 1
    merge(state, 1, fee=5, balances={A: 7, BENEFICIARY: 2**256 - 3})
    assert state.account(A).balance == state.account(BENEFICIARY).balance == 2**256 - 1
    merge(state, 2, balances={A: -(2**256 - 1)})
    assert state.account(A).balance == 0
