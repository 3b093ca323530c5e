"""What a worker must be told, and how far back that goes."""

from chain.accounts import Account
from chain.types import Address, Wei
from execution.change_log import ChangeLog
from execution.known import KnownState
from execution.merged import MergedState
from execution.outcome import Writes

A, B, BENEFICIARY = (Address(bytes([n]) * 20) for n in (1, 2, 9))


def world() -> MergedState:
    known = KnownState()
    known.learn_accounts([(address, Account(balance=Wei(10))) for address in (A, B, BENEFICIARY)])
    return MergedState(known)


def merge(log: ChangeLog, merged: MergedState, writes: Writes) -> None:
    merged.merge(log.position, writes, BENEFICIARY, Wei(1))
    log.append(writes, BENEFICIARY)


def test_only_what_changed_since_is_told_with_its_newest_value() -> None:
    log, merged = ChangeLog(), world()
    merge(log, merged, Writes(balances={A: -1}, slots={(A, 1): 5}))
    position = log.position
    merge(log, merged, Writes(nonces={B: 1}, slots={(A, 2): 6}))
    merge(log, merged, Writes(codes={B: b"\x01"}, slots={(A, 2): 7}))
    new = log.since(position, merged)
    assert set(new.accounts) == {B, BENEFICIARY}
    assert new.accounts[BENEFICIARY].balance == 13
    assert new.slots == {(A, 2): 7}
    assert new.codes == (b"\x01",)


def test_a_worker_is_told_which_of_its_runs_counted_but_not_what_they_wrote() -> None:
    log, merged = ChangeLog(), world()
    for place, (worker, slot) in enumerate((("w", 1), ("v", 2), ("w", 3), ("", 1))):
        writes = Writes(slots={(A, slot): 5 + place})
        merged.merge(place, writes, BENEFICIARY, Wei(1))
        log.append(writes, BENEFICIARY, worker, place)
    new = log.since(0, merged, "w")
    assert (new.counted, new.slots) == ((0, 2), {(A, 2): 6, (A, 1): 8}), "what execution wrote after it is told"
    assert set(new.accounts) == {BENEFICIARY}
    assert log.since(0, merged).counted == ()


def test_the_log_forgets_only_what_storage_has() -> None:
    log, merged = ChangeLog(kept_changes=2), world()
    for _ in range(10):
        merge(log, merged, Writes(balances={A: 1}))
    assert log.reaches(0)
    log.settle(5)
    assert not log.reaches(4)
    assert log.reaches(5)
    log.settle(10)
    assert log.reaches(8)
    assert not log.reaches(7)
    assert log.position == 10


def test_what_was_written_before_an_account_was_cleared_is_not_told() -> None:
    log, known = ChangeLog(), KnownState()
    known.learn_accounts([(address, Account(balance=Wei(10))) for address in (A, B, BENEFICIARY)])
    known.learn_slots([((B, 1), 0)])
    merged = MergedState(known)
    merge(log, merged, Writes(slots={(A, 1): 5, (A, 2): 6, (B, 1): 7}))
    merge(log, merged, Writes(cleared=(A,), slots={(A, 2): 8}))
    merged.commit(known, log.position)
    log.settle(log.position)
    known.settle(log.position)
    known.shrink()
    new = log.since(0, MergedState(known))
    assert new.cleared == (A,)
    assert new.slots == {(A, 2): 8, (B, 1): 7}
