"""Operations wait for their turn, each is proposed once, and nothing is proposed beside one."""

from dataclasses import replace

import pytest

from chain.codec import encode_message
from chain.messages.mempool import BlockResult, PooledTransaction, Production
from chain.operations import Mine, OrderedOperation, TakeSnapshot, ordered
from chain.types import Gas, Height, Wei
from consensus.errors import WrongOperation
from consensus.mempool import Mempool
from consensus.operation_queue import MAX_OPERATION_BYTES, MAX_WAITING
from consensus.payload import Pending
from consensus.production import View, Work, wanted
from consensus.tree import genesis_node
from tests.consensus.builders import GWEI, make_genesis, transfer
from tests.consensus.test_mempool import admit, block, pool, result


def executed(
    height: int, operations: int, automine: bool = True, reverted: bool = False, undone: bool = False
) -> BlockResult:
    production = Production(automine, None, operations)
    return replace(result(height), production=production, reverted=reverted, undone=undone)


def snapshot(sequence: int) -> OrderedOperation:
    return ordered(sequence, TakeSnapshot())


def test_an_operation_goes_alone_unless_it_makes_a_block_of_what_waits() -> None:
    mempool = pool()
    transaction = transfer(0, 0)
    admit(mempool, transaction)
    assert mempool.admit_operations([snapshot(0), ordered(1, Mine(1))])[0] == ""
    packed = mempool.pack()
    assert (packed.transactions, packed.operation) == ((), encode_message(snapshot(0)))
    mempool.apply_result(executed(1, operations=1))
    packed = mempool.pack()
    assert (packed.transactions, packed.operation) == ((transaction.raw,), encode_message(ordered(1, Mine(1))))


def test_nothing_is_proposed_while_an_operation_is_under_way() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0))
    mempool.admit_operations([snapshot(0), snapshot(1)])
    mempool.follow([replace(block(1), operation=encode_message(snapshot(0)))])
    assert mempool.pending() == Pending(packable=False, full=False, operation=False, transactions=1, in_step=False)
    assert mempool.pack().operation is None
    mempool.apply_result(executed(1, operations=1))
    assert mempool.pending() == Pending(packable=True, full=False, operation=True, transactions=1, in_step=False)


def test_without_automine_transactions_wait_and_operations_do_not() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0))
    mempool.apply_result(executed(1, operations=1, automine=False))
    assert mempool.pending() == Pending(packable=False, full=False, operation=False, transactions=1, in_step=False)
    mempool.admit_operations([ordered(1, Mine(1))])
    assert mempool.pending().operation


def test_an_operation_that_waits_makes_work_once_the_block_before_is_executed() -> None:
    root = genesis_node(make_genesis().id(), 0)
    pending = Pending(packable=False, full=False, operation=True)
    assert wanted(View(root, root, Height(0), due=False), pending, max_lag=3) is Work.BLOCK


def test_what_is_executed_is_not_proposed_again_however_often_it_is_sent() -> None:
    mempool = pool()
    assert mempool.admit_operations([snapshot(0)])[1] == [snapshot(0)]
    assert mempool.admit_operations([snapshot(0)])[1] == [], "it is stored already"
    changes = mempool.apply_result(executed(1, operations=1))
    assert changes.operations_done == [0]
    assert mempool.admit_operations([snapshot(0)]) == ("", [])
    assert mempool.pack().operation is None


def test_what_cannot_be_taken_is_refused_with_the_reason() -> None:
    mempool = pool()
    assert "too far ahead of 0" in mempool.admit_operations([snapshot(MAX_WAITING)])[0]
    large = OrderedOperation(0, bytes(MAX_OPERATION_BYTES + 1))
    assert f"at most {MAX_OPERATION_BYTES}" in mempool.admit_operations([large])[0]
    without = Mempool(replace(make_genesis(), dev_api=False))
    assert "--no-dev-api" in without.admit_operations([snapshot(0)])[0]
    carrying = replace(block(1), operation=encode_message(snapshot(0)))
    with pytest.raises(WrongOperation, match="--no-dev-api"):
        without.check(carrying, make_genesis().gas_limit)


@pytest.mark.parametrize(
    ("operation", "transactions", "reason"),
    [
        (b"nonsense", (), "not msgpack"),
        (encode_message(OrderedOperation(0, encode_message(snapshot(0)))), (), "OrderedOperation is no operation"),
        (encode_message(snapshot(0)), (transfer(0, 0),), "transactions beside an operation that makes no block"),
    ],
)
def test_a_proposal_may_carry_no_other_operation(
    operation: bytes, transactions: tuple[PooledTransaction, ...], reason: str
) -> None:
    with pytest.raises(WrongOperation, match=reason):
        pool().check(replace(block(1, *transactions), operation=operation), make_genesis().gas_limit)


def test_after_a_revert_a_transaction_that_was_included_may_come_again() -> None:
    mempool, transaction = pool(), transfer(0, 0)
    admit(mempool, transaction)
    mempool.apply_result(result(1, included=(transaction,)))
    admit(mempool, transaction)
    assert len(mempool) == 0
    mempool.apply_result(executed(2, operations=1, reverted=True))
    admit(mempool, transaction, height=2)
    assert mempool.pack().transactions == (transaction.raw,)


def test_what_blocks_included_that_are_taken_back_is_gone() -> None:
    """For a validator that was away: of such a height execution knows the result only."""
    mempool, transaction = pool(), transfer(0, 0)
    admit(mempool, transaction)
    mempool.follow([block(1, transaction)])
    changes = mempool.apply_result(executed(1, operations=0, undone=True))
    assert changes.evicted == [(transaction.hash, "its block was taken back")]
    assert len(mempool) == 0


def test_the_gas_limit_and_the_base_fee_of_the_next_block_are_execution_s() -> None:
    mempool = pool()
    admit(mempool, transfer(0, 0), transfer(1, 0))
    mempool.apply_result(replace(result(1), gas_limit=Gas(21_000), next_base_fee=Wei(GWEI)))
    assert len(mempool.pack().transactions) == 1
