"""The pool as a value: what it lets in, what it says of nonces and costs, and what blocks do to it."""

import pytest

from chain.messages.mempool import LeftOut, SenderState
from chain.types import Hash32, ValidatorIndex, Wei
from rpc.pool import Place, PoolLimits, TransactionPool
from rpc.transaction_errors import (
    AccountLimitExceeded,
    AddressReserved,
    AlreadyKnown,
    InsufficientFunds,
    InsufficientFundsForAll,
    InsufficientFundsForReplacement,
    NonceTooLow,
    PoolFull,
    ReplacementUnderpriced,
)
from tests.rpc.pool_world import ALICE, BOB, V0, V1, execute, pooled


def pool_with(*states: SenderState, limits: PoolLimits | None = None) -> TransactionPool:
    pool = TransactionPool(limits)
    for state in states or (SenderState(ALICE, 0, Wei(10**9)), SenderState(BOB, 0, Wei(10**9))):
        pool.learn(state)
    return pool


def test_the_pending_nonce_follows_the_transactions_without_a_gap() -> None:
    pool = pool_with(SenderState(ALICE, 5, Wei(10**9)))
    assert pool.pending_nonce(ALICE) == 5
    pool.add(pooled(7))
    assert pool.pending_nonce(ALICE) == 5
    assert pool.place(pooled(7).hash) is Place.QUEUED
    assert pool.counts() == (0, 1)
    pool.add(pooled(5))
    assert pool.pending_nonce(ALICE) == 6
    assert pool.add(pooled(6)).promoted == (pooled(6), pooled(7))
    assert pool.pending_nonce(ALICE) == 8
    assert pool.place(pooled(7).hash) is Place.PENDING
    assert pool.counts() == (3, 0)
    assert pool.pending_nonce(BOB) is None


def test_what_is_known_is_refused() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    with pytest.raises(AlreadyKnown, match=r"^already known$"):
        pool.add(pooled(0))


def test_a_used_nonce_is_refused() -> None:
    pool = pool_with(SenderState(ALICE, 3, Wei(10**9)))
    with pytest.raises(NonceTooLow, match=r"^nonce too low: next nonce 3, tx nonce 2$"):
        pool.add(pooled(2))


def test_costs_are_refused_alone_and_together_in_geths_words() -> None:
    pool = pool_with(SenderState(ALICE, 0, Wei(250)))
    words = "insufficient funds for gas * price + value: balance 250, "
    with pytest.raises(InsufficientFunds) as alone:
        pool.add(pooled(0, value=151))
    assert alone.value.message == words + "tx cost 251, overshot 1"
    pool.add(pooled(0, value=50))
    with pytest.raises(InsufficientFundsForAll) as together:
        pool.add(pooled(1, value=1))
    assert together.value.message == words + "queued cost 150, tx cost 101, overshot 1"


def test_a_replacement_is_weighed_against_all_the_sender_has_pooled() -> None:
    pool = pool_with(SenderState(ALICE, 0, Wei(300)))
    pool.add(pooled(0))
    pool.add(pooled(1))
    with pytest.raises(InsufficientFundsForReplacement) as bumped:
        pool.add(pooled(1, fee=201))
    figures = "balance 300, queued cost 200, tx bumped 101, overshot 1"
    assert bumped.value.message == f"insufficient funds for gas * price + value: {figures}"
    pool.add(pooled(1, fee=200))
    assert pool.queued_cost(ALICE) == 300


@pytest.mark.parametrize(("fee", "tip"), [(100, 50), (109, 55), (110, 54), (1000, 50), (100, 1000)])
def test_a_replacement_must_raise_both_fees_by_a_tenth(fee: int, tip: int) -> None:
    pool = pool_with()
    pool.add(pooled(0, fee=100, tip=50))
    with pytest.raises(ReplacementUnderpriced, match=r"^replacement transaction underpriced$"):
        pool.add(pooled(0, fee=fee, tip=tip, value=1))


def test_a_replaced_transaction_is_gone_and_says_why() -> None:
    pool = pool_with()
    old, new = pooled(0, fee=100, tip=50), pooled(0, fee=110, tip=55)
    pool.add(old)
    added = pool.add(new)
    assert added.replaced == old
    assert added.promoted == (new,)
    assert old.hash not in pool
    assert pool.eviction(old.hash) == f"replaced by 0x{new.hash.hex()}"
    assert pool.pending_nonce(ALICE) == 1
    assert pool.queued_cost(ALICE) == 110


def test_tiny_fees_must_be_raised_too() -> None:
    # 110 % of 1 wei, in whole wei, is 1 wei: the rule of a tenth alone would let an equal fee replace.
    pool = pool_with()
    pool.add(pooled(0, fee=1, tip=1))
    with pytest.raises(ReplacementUnderpriced):
        pool.add(pooled(0, fee=1, tip=1, value=1))
    pool.add(pooled(0, fee=2, tip=2))
    pool.add(pooled(0, BOB, fee=1, tip=0))
    with pytest.raises(ReplacementUnderpriced):
        pool.add(pooled(0, BOB, fee=1, tip=1))


def test_a_full_pool_takes_only_replacements() -> None:
    pool = pool_with(limits=PoolLimits(transactions=2))
    pool.add(pooled(0))
    pool.add(pooled(0, BOB))
    with pytest.raises(PoolFull, match=r"^txpool is full$"):
        pool.add(pooled(1))
    pool.add(pooled(0, fee=110))


def test_the_bytes_of_the_pool_are_bounded() -> None:
    pool = pool_with(limits=PoolLimits(raw_bytes=len(pooled(0).raw) + 10))
    pool.add(pooled(0))
    with pytest.raises(PoolFull):
        pool.add(pooled(1))
    assert pool.raw_bytes == len(pooled(0).raw)


def test_transactions_behind_a_gap_are_bounded_for_each_sender() -> None:
    pool = pool_with(limits=PoolLimits(queued_of_one_sender=2))
    pool.add(pooled(5))
    pool.add(pooled(6))
    with pytest.raises(AccountLimitExceeded, match=r"^account limit exceeded: pooled 2 txs$"):
        pool.add(pooled(7))
    pool.add(pooled(5, BOB))
    for nonce in range(5):
        pool.add(pooled(nonce))
    pool.add(pooled(7))
    assert pool.pending_nonce(ALICE) == 8


def test_a_block_takes_what_it_included_and_the_costs_with_it() -> None:
    pool = pool_with()
    for nonce in range(3):
        pool.add(pooled(nonce))
    assert execute(pool, [pooled(0), pooled(1)], [SenderState(ALICE, 2, Wei(500))]) == []
    assert list(pool) == [pooled(2)]
    assert pool.pending_nonce(ALICE) == 3
    assert pool.queued_cost(ALICE) == 100
    assert pool.eviction(pooled(0).hash) is None
    assert pool.state(ALICE) == SenderState(ALICE, 2, Wei(500))


def test_a_transaction_whose_nonce_another_one_used_is_given_up() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.add(pooled(1))
    reason = "nonce too low: next nonce 1, tx nonce 0"
    assert execute(pool, [], [SenderState(ALICE, 1, Wei(10**9))]) == [(pooled(0).hash, reason)]
    assert pool.eviction(pooled(0).hash) == reason
    assert list(pool) == [pooled(1)]


def test_what_a_block_left_out_for_good_is_given_up_and_the_rest_waits() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.add(pooled(0, BOB))
    left_out = [LeftOut(pooled(0).hash, "too poor", retry=False), LeftOut(pooled(0, BOB).hash, "low fee", retry=True)]
    assert execute(pool, [], [], left_out) == [(pooled(0).hash, "too poor")]
    assert pool.eviction(pooled(0).hash) == "too poor"
    assert list(pool) == [pooled(0, BOB)]


def test_a_state_ahead_of_the_news_does_not_count_what_is_executed_already() -> None:
    pool = pool_with(SenderState(ALICE, 0, Wei(200)))
    pool.add(pooled(0))
    pool.learn(SenderState(ALICE, 1, Wei(100)))
    assert pool.queued_cost(ALICE) == 0
    assert pool.pending_nonce(ALICE) == 1
    pool.add(pooled(1))
    assert pooled(0).hash in pool
    execute(pool, [pooled(0)], [SenderState(ALICE, 1, Wei(100))])
    assert list(pool) == [pooled(1)]


def test_a_transaction_leaves_when_no_validator_that_is_there_holds_it() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.held_by(pooled(0).hash, V0)
    pool.held_by(pooled(0).hash, V1)
    assert not pool.given_up_by(pooled(0).hash, V0, "no room", others=0b10)
    assert pool.given_up_by(pooled(0).hash, V1, "no room", others=0b01)
    assert pool.eviction(pooled(0).hash) == "no room"


def test_what_only_an_absent_validator_holds_is_not_waited_for() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.held_by(pooled(0).hash, V0)
    pool.held_by(pooled(0).hash, V1)
    assert pool.given_up_by(pooled(0).hash, V1, "gave up", others=0)


def test_sent_again_after_its_eviction_it_is_pending_again() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.given_up_by(pooled(0).hash, V0, "gave up", others=0)
    pool.add(pooled(0))
    assert pool.eviction(pooled(0).hash) is None
    assert pool.place(pooled(0).hash) is Place.PENDING


def test_included_after_all_is_no_eviction() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    pool.given_up_by(pooled(0).hash, V0, "gave up", others=0)
    execute(pool, [pooled(0)], [SenderState(ALICE, 1, Wei(1))])
    assert pool.eviction(pooled(0).hash) is None


def test_a_withdrawn_replacement_gives_its_place_back() -> None:
    pool = pool_with()
    pool.add(pooled(0))
    added = pool.add(pooled(0, fee=110))
    pool.withdraw(pooled(0, fee=110).hash, added.replaced)
    assert list(pool) == [pooled(0)]
    assert pool.eviction(pooled(0).hash) is None
    assert pool.pending_nonce(ALICE) == 1


def test_reasons_and_idle_senders_are_bounded() -> None:
    pool = pool_with(limits=PoolLimits(idle_senders=1, evictions=1))
    assert pool.state(ALICE) is None
    pool.learn(SenderState(ALICE, 0, Wei(10**9)))
    assert pool.state(BOB) is None
    for nonce in range(2):
        pool.add(pooled(nonce))
        pool.given_up_by(pooled(nonce).hash, V0, "gave up", others=0)
    assert pool.eviction(pooled(0).hash) is None
    assert pool.eviction(pooled(1).hash) == "gave up"


def test_a_sender_with_transactions_is_never_forgotten() -> None:
    pool = pool_with(limits=PoolLimits(idle_senders=1))
    pool.learn(SenderState(ALICE, 0, Wei(10**9)))
    pool.add(pooled(0))
    pool.learn(SenderState(BOB, 0, Wei(1)))
    execute(pool, [], [], number=7)  # out of sequence: idle senders are forgotten
    assert pool.state(ALICE) is not None
    assert pool.state(BOB) is None


def test_the_reason_of_an_eviction_from_before_a_restart_is_kept() -> None:
    pool = TransactionPool()
    gone = Hash32(b"g" * 32)
    assert not pool.given_up_by(gone, ValidatorIndex(0), "replaced", others=0)
    assert pool.eviction(gone) == "replaced"


def test_blob_transactions_do_not_wait_beside_others_of_their_sender() -> None:
    pool = pool_with()
    with_blobs = [pooled(nonce)._replace(raw=b"\x03", hash=Hash32(bytes([nonce]) * 32)) for nonce in range(3)]
    pool.add(pooled(0))
    with pytest.raises(AddressReserved, match=r"^address already reserved$"):
        pool.add(with_blobs[1])
    execute(pool, [pooled(0)], [SenderState(ALICE, 1, Wei(10**9))])
    pool.add(with_blobs[1])
    with pytest.raises(AddressReserved):
        pool.add(pooled(2))
    pool.learn(SenderState(ALICE, 2, Wei(10**9)))  # in a block whose news is not here yet
    pool.add(pooled(2))
    with pytest.raises(AddressReserved):
        pool.add(with_blobs[2]._replace(nonce=3))
    pool.add(pooled(0, sender=BOB))
