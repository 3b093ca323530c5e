"""When the chain needs another proposal."""

from dataclasses import replace

import pytest

from chain.proposals import ExecutedBlock
from chain.types import Hash32, Height
from consensus.payload import Pending
from consensus.production import View, Work, wanted
from consensus.tree import Node, genesis_node

NOTHING, SOME, FULL = Pending(False, False), Pending(True, False), Pending(True, True)
ROOT = genesis_node(Hash32(b"g" * 32), 0)
MAX_LAG = 3


def node(height: int, executed: int) -> Node:
    return replace(ROOT, height=Height(height), executed=ExecutedBlock(Height(executed), Hash32(b"h" * 32)))


@pytest.mark.parametrize(
    ("tip", "committed", "result", "pending", "work"),
    [
        (node(5, 5), node(5, 5), 5, NOTHING, Work.NOTHING),
        (node(5, 5), node(5, 5), 5, SOME, Work.BLOCK),
        (node(5, 4), node(4, 4), 4, NOTHING, Work.EMPTY),
        (node(5, 4), node(4, 4), 4, SOME, Work.EMPTY),
        (node(5, 4), node(4, 4), 4, FULL, Work.BLOCK),
        (node(5, 4), node(5, 4), 4, SOME, Work.NOTHING),
        (node(5, 4), node(5, 4), 5, NOTHING, Work.UNHURRIED),
        (node(5, 5), node(5, 4), 5, NOTHING, Work.EMPTY),
        (node(5, 5), node(5, 4), 5, SOME, Work.BLOCK),
        (node(5, 5), node(5, 4), 4, FULL, Work.EMPTY),
        (node(5, 2), node(5, 2), 2, FULL, Work.NOTHING),
        (node(5, 3), node(5, 3), 3, FULL, Work.BLOCK),
        (node(5, 5), node(5, 5), 9, FULL, Work.NOTHING),
    ],
    ids=[
        "all is verified",
        "transactions wait and all is executed",
        "a block is not committed",
        "a block is not committed and not executed, though transactions wait",
        "transactions fill a block",
        "waiting for execution is not work",
        "a result is not carried yet",
        "a result is carried but not committed",
        "a block carries the result as well",
        "peers know a result that we lack: no block, but it must be committed",
        "execution is too far behind",
        "execution is just near enough",
        "execution is ahead of what we know: we are behind, others make the blocks",
    ],
)
def test_what_is_wanted(tip: Node, committed: Node, result: int, pending: Pending, work: Work) -> None:
    assert wanted(View(tip, committed, Height(result), due=False), pending, MAX_LAG) is work


def test_a_block_after_one_with_several_transactions_may_wait_for_more() -> None:
    for transactions, work in ((1, Work.BLOCK), (2, Work.GATHERING), (500, Work.GATHERING)):
        tip = replace(node(5, 5), transactions=transactions)
        assert wanted(View(tip, tip, Height(5), due=False), SOME, MAX_LAG) is work
        assert wanted(View(tip, tip, Height(5), due=False), NOTHING, MAX_LAG) is Work.NOTHING


@pytest.mark.parametrize(
    ("due", "pending"), [(True, SOME), (False, FULL), (False, replace(SOME, operation=True))], ids=str
)
def test_a_block_that_is_due_or_full_or_has_an_operation_waits_for_nothing(due: bool, pending: Pending) -> None:
    tip = replace(node(5, 5), transactions=9)
    assert wanted(View(tip, tip, Height(5), due), pending, MAX_LAG) is Work.BLOCK


def test_a_block_that_is_due_is_made_without_transactions_but_never_beyond_the_lag() -> None:
    assert wanted(View(node(5, 5), node(5, 5), Height(5), due=True), NOTHING, MAX_LAG) is Work.BLOCK
    assert wanted(View(node(5, 2), node(5, 2), Height(2), due=True), NOTHING, MAX_LAG) is Work.NOTHING


def test_a_block_leaves_at_once_when_as_many_senders_wait_as_each_of_the_two_blocks_before_had_transactions() -> None:
    for before, newest, waiting, in_step, work in (
        (16, 16, 16, True, Work.BLOCK),
        (16, 16, 20, True, Work.BLOCK),
        (16, 16, 15, True, Work.GATHERING),
        (16, 16, 16, False, Work.GATHERING),
        (15, 16, 16, True, Work.GATHERING),
        (17, 16, 16, True, Work.GATHERING),
    ):
        tip = replace(node(5, 5), transactions=newest, transactions_before=before)
        pending = replace(SOME, transactions=waiting, in_step=in_step)
        assert wanted(View(tip, tip, Height(5), due=False), pending, MAX_LAG) is work
