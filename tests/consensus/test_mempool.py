"""The mempool's rules, with really signed transactions."""

from dataclasses import replace

import pytest

from chain.codec import encode_message
from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.messages.mempool import BlockResult, LeftOut, PooledTransaction, SenderState
from chain.operations import DropTransactions, ordered
from chain.proposals import BlockInputs, Proposal
from chain.transactions import Transaction
from chain.types import Gas, Hash32, Height, Round, ValidatorIndex, Wei
from consensus.authentication import genesis_certificate
from consensus.errors import TransactionsTooLarge, UndecodableTransaction
from consensus.mempool import Mempool, MempoolChanges, MempoolLimits
from consensus.tree import GENESIS_EXECUTED
from tests.consensus.builders import ETHER, GAS_LIMIT, GWEI, address, beneficiary, make_genesis, transfer


def pool(gas_limit: Gas = GAS_LIMIT, limits: MempoolLimits | None = None) -> Mempool:
    genesis = make_genesis(gas_limit=gas_limit)
    return Mempool(genesis) if limits is None else Mempool(genesis, limits)


def state(account: int, nonce: int = 0, balance: int = ETHER) -> SenderState:
    return SenderState(address(account), nonce, Wei(balance))


def admit(mempool: Mempool, *transactions: PooledTransaction, height: int = 0, **states: SenderState) -> MempoolChanges:
    known = {tx.sender: SenderState(tx.sender, 0, Wei(ETHER)) for tx in transactions}
    known.update({s.address: s for s in states.values()})
    return mempool.admit(transactions, tuple(known.values()), Height(height))


def block(height: int, *transactions: PooledTransaction, raw: tuple[bytes, ...] = ()) -> Proposal:
    genesis_id = make_genesis().id()
    inputs = BlockInputs(0, beneficiary(0), Hash32(bytes(32)), GAS_LIMIT)
    return Proposal(
        parent=genesis_id,
        round=Round(height),
        proposer=ValidatorIndex(0),
        certificate=genesis_certificate(genesis_id),
        timeout_certificate=None,
        height=Height(height),
        inputs=inputs,
        executed=GENESIS_EXECUTED,
        transactions=raw or tuple(tx.raw for tx in transactions),
    )


def result(
    height: int,
    included: tuple[PooledTransaction, ...] = (),
    left_out: tuple[LeftOut, ...] = (),
    senders: tuple[SenderState, ...] = (),
    next_base_fee: int = GWEI,
) -> BlockResult:
    return BlockResult(
        height=Height(height),
        proposal=keccak256(bytes((height,))),
        header_hash=keccak256(b"header" + bytes((height,))),
        gas_limit=GAS_LIMIT,
        next_base_fee=Wei(next_base_fee),
        included=tuple(tx.hash for tx in included),
        left_out=left_out,
        senders=senders,
    )


def packed(mempool: Mempool) -> list[bytes]:
    return list(mempool.pack().transactions)


def raws(*transactions: PooledTransaction) -> list[bytes]:
    return [tx.raw for tx in transactions]


def test_each_sender_in_nonce_order_and_the_best_tip_first() -> None:
    mempool = pool()
    cheap, dear, dear_next = transfer(0, 0, tip=1), transfer(1, 0, tip=5), transfer(1, 1, tip=9)
    admit(mempool, dear_next, cheap, dear)
    assert packed(mempool) == raws(dear, dear_next, cheap)


def test_equal_tips_go_by_arrival() -> None:
    mempool = pool()
    transactions = [transfer(account, 0) for account in (2, 0, 1)]
    for transaction in transactions:
        admit(mempool, transaction)
    assert packed(mempool) == raws(*transactions)


def test_a_nonce_gap_waits_until_it_is_filled() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 1))
    assert not mempool.pending().packable
    admit(mempool, transfer(0, 0))
    assert packed(mempool) == raws(transfer(0, 0), transfer(0, 1))


def test_it_tells_how_many_transactions_a_block_could_take() -> None:
    mempool = pool()
    first, second, apart = transfer(0, 0), transfer(0, 1), transfer(1, 1)
    counts = []
    for event in (
        lambda: admit(mempool, first, second, apart),
        lambda: admit(mempool, transfer(1, 0)),
        lambda: mempool.follow([block(1, first)]),
        lambda: mempool.apply_result(result(1, included=(first,), senders=(state(0, 1),))),
    ):
        event()
        counts.append(mempool.pending().transactions)
    assert counts == [2, 4, 3, 3], "one behind a gap waits for it, one in a proposed block for nothing here"


def test_it_tells_whether_those_wait_who_were_in_the_block_before_with_one_transaction_each() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0), transfer(1, 0))
    assert not mempool.pending().in_step
    mempool.apply_result(
        result(1, included=(transfer(0, 0), transfer(1, 0)), senders=(state(0, 1), state(1, 1), state(2, 0)))
    )
    admit(mempool, transfer(0, 1), transfer(1, 1))
    assert mempool.pending().in_step
    admit(mempool, transfer(3, 0))
    assert not mempool.pending().in_step, "another sender is there"
    mempool.apply_result(result(2, included=(transfer(3, 0),), senders=(state(0, 1), state(1, 1), state(3, 1))))
    assert mempool.pending().in_step
    admit(mempool, transfer(1, 2))
    assert not mempool.pending().in_step, "one has sent two"


def test_transactions_that_no_block_can_take_now_count_as_none() -> None:
    mempool = pool()
    admit(mempool, *(transfer(0, nonce, tip=1, max_fee=1) for nonce in range(100)), transfer(1, 0, tip=1, max_fee=1))
    found = mempool.pending()
    assert (found.packable, found.transactions) == (False, 0)
    admit(mempool, transfer(2, 0), transfer(3, 0))
    found = mempool.pending()
    assert (found.packable, found.transactions) == (True, 2)
    admit(mempool, transfer(0, 100, tip=1, max_fee=1))
    assert mempool.pending().transactions == 2, "whoever is stuck sends on and goes behind no other"
    mempool.apply_result(result(1, next_base_fee=1, senders=(state(2, 0), state(3, 0, balance=ETHER + 1))))
    assert mempool.pending().transactions == 104
    mempool.apply_result(result(2, next_base_fee=GWEI, senders=(state(2, 0), state(3, 0))))
    assert (mempool.pending().transactions, mempool.pending().in_step) == (2, True)


def test_what_is_in_flight_is_not_packed_again_and_what_follows_it_is() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0), transfer(0, 1))
    mempool.follow([block(1, transfer(0, 0))])
    assert packed(mempool) == raws(transfer(0, 1))
    mempool.follow([])
    assert packed(mempool) == raws(transfer(0, 0), transfer(0, 1)), "the branch was abandoned"


def test_what_follows_a_transaction_in_flight_that_is_not_held_here_waits_for_its_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Transaction, "sender", None)
    mempool, first, second = pool(), transfer(0, 0), transfer(0, 1)
    proposed = block(1, first)
    mempool.check(proposed, GAS_LIMIT)
    mempool.follow([proposed])
    admit(mempool, second)
    assert not packed(mempool), "to recover the sender of the first would take longer"
    mempool.apply_result(result(1, included=(first,), senders=(SenderState(address(0), 1, Wei(ETHER)),)))
    assert packed(mempool) == raws(second)


def test_what_was_proposed_before_it_was_admitted_is_not_packed_again() -> None:
    mempool, first, second = pool(), transfer(0, 0), transfer(0, 1)
    proposed = block(1, first)
    mempool.check(proposed, GAS_LIMIT)
    mempool.follow([proposed])
    admit(mempool, transfer(1, 0))
    admit(mempool, first, second)
    assert packed(mempool) == raws(transfer(1, 0), second)
    mempool.follow([])
    assert sorted(packed(mempool)) == sorted(raws(first, second, transfer(1, 0)))


def test_the_fee_cap_must_cover_the_base_fee_after_full_blocks_in_flight() -> None:
    mempool = pool()
    mempool.apply_result(result(1, next_base_fee=GWEI))
    tight = transfer(0, 0, tip=1, max_fee=GWEI * 9 // 8)
    admit(mempool, tight)
    mempool.follow([block(2, transfer(1, 0))])
    assert packed(mempool) == raws(tight), "one block in flight: an eighth more at most"
    mempool.follow([block(2, transfer(1, 0)), block(3, transfer(1, 1))])
    assert not mempool.pending().packable
    assert packed(mempool) == []


def test_value_and_gas_in_flight_must_be_affordable_together() -> None:
    mempool = pool()
    cost = 1 + 21_000 * 20 * GWEI
    admit(mempool, transfer(0, 0), transfer(0, 1), sender=state(0, balance=2 * cost - 1))
    assert packed(mempool) == raws(transfer(0, 0))
    mempool.follow([block(1, transfer(0, 0))])
    assert not mempool.pending().packable


def test_a_proposal_is_packed_up_to_the_gas_limit() -> None:
    mempool = pool(gas_limit=Gas(3 * 21_000))
    admit(mempool, *(transfer(0, nonce) for nonce in range(5)))
    assert mempool.pending().full
    assert packed(mempool) == raws(*(transfer(0, nonce) for nonce in range(3)))


def test_a_transaction_too_large_for_the_rest_of_the_block_leaves_room_for_others() -> None:
    mempool = pool(gas_limit=Gas(60_000))
    large, small = transfer(0, 0, tip=9, gas=50_000), transfer(1, 0, tip=1)
    larger = transfer(2, 0, tip=5, gas=30_000)
    admit(mempool, large, small, larger)
    assert packed(mempool) == raws(large)
    admit(mempool, transfer(3, 0, tip=10, gas=21_000))
    assert packed(mempool) == raws(transfer(3, 0, tip=10, gas=21_000), larger)


def test_a_replacement_needs_a_tenth_more_of_both_fees() -> None:
    mempool = pool()
    old = transfer(0, 0, tip=100, max_fee=20 * GWEI)
    admit(mempool, old)
    cheap = transfer(0, 0, tip=109, max_fee=22 * GWEI)
    assert admit(mempool, cheap).refused == [(cheap.hash, "replacement transaction underpriced")]
    new = transfer(0, 0, tip=110, max_fee=22 * GWEI)
    changes = admit(mempool, new)
    assert changes.refused == []
    assert changes.evicted == [(old.hash, f"replaced by 0x{new.hash.hex()}")]
    assert packed(mempool) == raws(new)


def test_what_is_in_a_proposed_block_is_not_replaced() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0, tip=100))
    mempool.follow([block(1, transfer(0, 0, tip=100))])
    ((_, reason),) = admit(mempool, transfer(0, 0, tip=200, max_fee=40 * GWEI)).refused
    assert "is in a proposed block already" in reason


def test_the_same_transaction_again_changes_nothing_even_after_its_block() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0))
    assert admit(mempool, transfer(0, 0)) == MempoolChanges()
    mempool.apply_result(result(1, included=(transfer(0, 0),), senders=(state(0, nonce=1),)))
    assert admit(mempool, transfer(0, 0)).refused == []
    assert len(mempool) == 0


def test_a_transaction_whose_block_was_taken_back_comes_again_also_before_this_validator_hears_of_it() -> None:
    mempool = pool()
    mempool.apply_result(result(1, included=(transfer(0, 0),), senders=(state(0, nonce=1),)))
    admit(mempool, transfer(0, 0), height=2)  # rpc has seen the way back, which is height 2
    mempool.apply_result(replace(result(2, senders=(state(0, nonce=0),)), reverted=True))
    assert packed(mempool) == raws(transfer(0, 0))


def test_a_used_nonce_is_refused() -> None:
    mempool = pool()
    changes = admit(mempool, transfer(0, 0), sender=state(0, nonce=3))
    ((_, reason),) = changes.refused
    assert reason == f"nonce too low: address 0x{address(0).hex()}, tx: 0 state: 3"


def test_an_older_state_never_replaces_a_newer_one() -> None:
    mempool = pool()
    mempool.apply_result(result(5, senders=(state(0, nonce=4),)))
    admit(mempool, transfer(0, 4), height=3)
    assert packed(mempool) == raws(transfer(0, 4))


def test_included_transactions_leave_silently_and_overtaken_ones_with_the_reason() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0), transfer(0, 1))
    other = transfer(0, 1, tip=7)
    changes = mempool.apply_result(result(1, included=(transfer(0, 0), other), senders=(state(0, nonce=2),)))
    assert sorted(changes.deleted) == sorted([transfer(0, 0).hash, transfer(0, 1).hash])
    reason = f"nonce too low: address 0x{address(0).hex()}, tx: 1 state: 2"
    assert changes.evicted == [(transfer(0, 1).hash, reason)]
    assert len(mempool) == 0


def test_a_transaction_left_out_waits_again_three_times_and_then_goes() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0))
    left = LeftOut(transfer(0, 0).hash, "gas limit reached", retry=True)
    for height in (1, 2, 3):
        mempool.follow([block(height, transfer(0, 0))])
        assert not mempool.pending().packable
        assert mempool.apply_result(result(height, left_out=(left,))).evicted == []
        assert packed(mempool) == raws(transfer(0, 0))
    assert mempool.apply_result(result(3, left_out=(left,))).evicted == [], "a result counts once"
    assert mempool.apply_result(result(4, left_out=(left,))).evicted == [(left.hash, "gas limit reached")]


def test_a_transaction_left_out_for_good_goes_at_once() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0))
    left = LeftOut(transfer(0, 0).hash, "max initcode size exceeded", retry=False)
    assert mempool.apply_result(result(1, left_out=(left,))).evicted == [(left.hash, left.reason)]


def test_what_its_sender_cannot_pay_any_more_is_evicted() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 1))
    changes = mempool.apply_result(result(1, senders=(state(0, nonce=1, balance=5),)))
    ((_, reason),) = changes.evicted
    assert reason == (
        f"insufficient funds for gas * price + value: address 0x{address(0).hex()} have 5 want {1 + 21_000 * 20 * GWEI}"
    )


def test_a_full_mempool_gives_up_the_cheapest_for_a_better_one_only() -> None:
    mempool = pool(limits=MempoolLimits(transactions=2))
    admit(mempool, transfer(0, 0, tip=10), transfer(1, 0, tip=20))
    cheaper = transfer(2, 0, tip=5)
    assert admit(mempool, cheaper).refused == [(cheaper.hash, "transaction underpriced")]
    changes = admit(mempool, transfer(3, 0, tip=30))
    assert [hash for hash, _ in changes.evicted] == [transfer(0, 0, tip=10).hash]
    assert len(mempool) == 2


def test_who_pays_least_is_known_however_many_have_come_and_gone_since_room_was_sought() -> None:
    mempool = pool(limits=MempoolLimits(transactions=2))
    admit(mempool, transfer(0, 0, tip=10), transfer(1, 0, tip=20), transfer(2, 0, tip=30))
    newest = transfer(2, 0, tip=30)
    for nonce in range(1_200):
        mempool.apply_result(replace(result(1, included=(newest,)), height=Height(nonce + 1)))
        newest = transfer(3, nonce, tip=30)
        admit(mempool, newest)
    changes = admit(mempool, transfer(4, 0, tip=40))
    assert [hash for hash, _ in changes.evicted] == [transfer(1, 0, tip=20).hash]


def test_a_full_mempool_keeps_what_is_in_a_proposed_block() -> None:
    mempool = pool(limits=MempoolLimits(transactions=2))
    admit(mempool, transfer(0, 0, tip=10), transfer(1, 0, tip=20))
    mempool.follow([block(1, transfer(0, 0, tip=10))])
    changes = admit(mempool, transfer(3, 0, tip=30))
    assert [hash for hash, _ in changes.evicted] == [transfer(1, 0, tip=20).hash]


def test_a_mempool_full_of_what_is_in_proposed_blocks_has_no_room_at_any_price() -> None:
    mempool = pool(limits=MempoolLimits(transactions=1))
    admit(mempool, transfer(0, 0, tip=10))
    mempool.follow([block(1, transfer(0, 0, tip=10))])
    better = transfer(3, 0, tip=30)
    assert admit(mempool, better).refused == [(better.hash, "txpool is full")]


def test_bytes_are_bounded_too() -> None:
    size = len(transfer(0, 0).raw)
    mempool = pool(limits=MempoolLimits(bytes=2 * size + 1))
    admit(mempool, transfer(0, 0), transfer(1, 0))
    assert admit(mempool, transfer(2, 0)).refused == [(transfer(2, 0).hash, "transaction underpriced")]
    assert mempool.size_bytes == 2 * size


def test_pages_hold_every_transaction_once() -> None:
    mempool = pool()
    transactions = [transfer(account, nonce) for account in range(3) for nonce in range(5)]
    admit(mempool, *transactions)
    seen, after, more = [], b"", True
    while more:
        page, more = mempool.transactions_after(after, 4)
        seen += [tx.hash for tx in page]
        after = seen[-1]
    assert seen == sorted(tx.hash for tx in transactions)


@pytest.mark.parametrize(
    ("proposal", "gas_limit", "error"),
    [
        (block(1, transfer(0, 0), transfer(0, 1)), Gas(41_999), TransactionsTooLarge),
        (block(1, raw=(bytes(3 * 1024 * 1024),)), GAS_LIMIT, TransactionsTooLarge),
        (block(1, raw=(b"\x02nonsense",)), GAS_LIMIT, UndecodableTransaction),
    ],
)
def test_a_proposal_of_a_peer_may_not_hold_more_than_a_block_does(
    proposal: Proposal, gas_limit: Gas, error: type[Exception]
) -> None:
    with pytest.raises(error):
        pool(gas_limit=gas_limit).check(proposal, gas_limit)


def test_what_a_store_gives_back_is_packed_as_before() -> None:
    mempool, restored = pool(), pool()
    changes = admit(mempool, transfer(0, 0), transfer(0, 1), transfer(1, 0, tip=9 * GWEI))
    senders = [sender for sender in changes.senders.values() if sender is not None]
    restored.restore(changes.stored, senders, Height(0), None)
    assert packed(restored) == packed(mempool)


def test_genesis_has_a_base_fee_before_the_first_result() -> None:
    genesis: Genesis = make_genesis()
    mempool = Mempool(genesis)
    enough = transfer(0, 0, tip=1, max_fee=genesis.base_fee * 7 // 8)
    admit(mempool, enough)
    assert packed(mempool) == raws(enough)


def test_a_block_that_is_due_while_an_operation_is_under_way_takes_nothing() -> None:
    """The operation may have taken back, dropped or overtaken what waits."""
    mempool = pool()
    admit(mempool, transfer(0, 0))
    operation = encode_message(ordered(0, DropTransactions((transfer(0, 0).hash,))))
    mempool.follow([replace(block(1), operation=operation)])
    assert packed(mempool) == []
    mempool.apply_result(result(1))
    assert packed(mempool) == raws(transfer(0, 0))
