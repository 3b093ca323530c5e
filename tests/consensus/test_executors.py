"""Whom to believe when several executors say what became of a block, and who is wrong."""

import random

import pytest

from chain.codec import decode_value, encode_value
from chain.keccak import keccak256
from chain.messages.mempool import BlockResult, ExecutorsNews, WrongExecutor
from chain.proposals import ExecutedBlock
from chain.types import ExecutorIndex, Gas, Hash32, Height, Wei
from consensus.executors import MAX_EXECUTOR, WINDOW, Executors, Heard, StoredClaims

SEED = 20_261


def hash_of(height: int, branch: str = "right") -> Hash32:
    return keccak256(f"block {height} {branch}".encode())


def result(height: int, branch: str = "right", next_base_fee: int = 7) -> BlockResult:
    return BlockResult(
        height=Height(height),
        proposal=keccak256(b"proposal"),
        header_hash=hash_of(height, branch),
        gas_limit=Gas(1),
        next_base_fee=Wei(next_base_fee),
        included=(),
        left_out=(),
        senders=(),
    )


def wrong(
    index: int, height: int, said: str = "wrong", expected: str = "right", by_majority: bool = True
) -> WrongExecutor:
    said_hash, expected_hash = hash_of(height, said), hash_of(height, expected)
    return WrongExecutor(ExecutorIndex(index), Height(height), said_hash, expected_hash, by_majority)


def hear(executors: Executors, index: int, height: int, branch: str = "right") -> Heard:
    return executors.hear(ExecutorIndex(index), result(height, branch))


def newest_of(executors: Executors, index: int) -> int:
    return executors.newest_of(ExecutorIndex(index))


def stored(executors: Executors) -> StoredClaims:
    """As it comes back from a disk."""
    return decode_value(StoredClaims, encode_value(executors.to_store()))


def restarted(executors: Executors, count: int) -> Executors:
    """The same validator's executors after its restart."""
    known = [ExecutedBlock(Height(n), hash_of(n)) for n in range(1, executors.newest + 1)]
    return Executors(count, known, stored(executors))


def test_the_word_of_a_lone_executor_counts_at_once() -> None:
    executors = Executors(1)
    assert hear(executors, 0, 1) == Heard((result(1),))
    assert hear(executors, 0, 2) == Heard((result(2),))
    assert executors.newest == newest_of(executors, 0) == 2


def test_a_lone_executor_that_contradicts_itself_is_reported_and_its_first_word_stays() -> None:
    executors = Executors(1)
    hear(executors, 0, 1)
    assert hear(executors, 0, 1, "wrong") == Heard(contradictions=(wrong(0, 1),))
    assert executors.news() == ExecutorsNews(1, Height(0), ()), "there is nobody to believe instead"
    assert hear(executors, 0, 2) == Heard((result(2),))


def test_of_two_executors_both_must_agree() -> None:
    executors = Executors(2)
    assert hear(executors, 0, 1) == Heard()
    assert hear(executors, 0, 2) == Heard()
    assert (executors.newest, newest_of(executors, 0), newest_of(executors, 1)) == (0, 2, 0)
    assert hear(executors, 1, 1) == Heard((result(1),))
    assert hear(executors, 1, 2) == Heard((result(2),))
    assert executors.news() == ExecutorsNews(2, Height(0), ())


def test_of_three_executors_two_are_enough_and_the_third_may_be_late() -> None:
    executors = Executors(3)
    hear(executors, 0, 1)
    assert hear(executors, 2, 1) == Heard((result(1),))
    assert hear(executors, 1, 1) == Heard(), "late, and right"
    assert hear(executors, 0, 1) == Heard(), "said again"


@pytest.mark.parametrize("last", [0, 1, 2])
def test_one_of_three_that_differs_is_wrong_whenever_it_speaks(last: int) -> None:
    executors = Executors(3)
    order = [index for index in range(3) if index != last] + [last]
    heard = [hear(executors, index, 1, "wrong" if index == 1 else "right") for index in order]
    assert [r for h in heard for r in h.agreed] == [result(1)]
    assert [c for h in heard for c in h.contradictions] == [wrong(1, 1)]
    assert executors.news() == ExecutorsNews(4, Height(0), (wrong(1, 1),)), "another takes its place"


def test_two_that_differ_are_a_dispute_which_one_more_executor_decides() -> None:
    executors = Executors(2)
    hear(executors, 0, 1, "wrong")
    assert hear(executors, 1, 1) == Heard()
    assert executors.news() == ExecutorsNews(3, Height(1), ())
    assert hear(executors, 2, 1) == Heard((result(1),), (wrong(0, 1),))
    assert executors.news() == ExecutorsNews(3, Height(0), (wrong(0, 1),)), "no more are wanted by that"


def test_after_a_dispute_the_chain_goes_on_with_the_two_that_agree() -> None:
    executors = Executors(2)
    for index, branch in enumerate(("wrong", "right", "right")):
        hear(executors, index, 1, branch)
    assert hear(executors, 1, 2) == Heard(), "one is not enough"
    assert executors.news().disputed == 0
    assert hear(executors, 2, 2) == Heard((result(2),))


def test_an_executor_found_wrong_cannot_clear_itself() -> None:
    executors = Executors(3)
    for index, branch in enumerate(("right", "wrong", "right")):
        hear(executors, index, 1, branch)
    assert hear(executors, 1, 1) == Heard()
    hear(executors, 0, 2)
    assert hear(executors, 1, 2) == Heard(), "its word does not make a majority"
    assert not executors.counts(ExecutorIndex(1))
    assert executors.news().wrong == (wrong(1, 1),)


def test_an_executor_that_says_two_hashes_of_one_block_is_wrong() -> None:
    executors = Executors(2)
    hear(executors, 0, 1)
    contradiction = wrong(0, 1, "other", "right", by_majority=False)
    assert hear(executors, 0, 1, "other") == Heard(contradictions=(contradiction,))
    assert hear(executors, 1, 1) == Heard(), "what it said first does not count either"
    assert hear(executors, 2, 1) == Heard((result(1),))


def test_what_follows_a_disputed_block_waits_for_it() -> None:
    executors = Executors(3)
    for height in (1, 2, 3):
        hear(executors, 0, height)
    for height in (1, 2, 3):
        hear(executors, 1, height, "wrong")
    assert executors.newest == 0
    assert hear(executors, 2, 1) == Heard((result(1),), (wrong(1, 1),))
    assert hear(executors, 2, 2) == Heard((result(2),))
    assert executors.to_store().open == tuple(claim for claim in executors.to_store().open if claim.executor == 0), (
        "the wrong one's claims are gone"
    )


def test_three_different_results_of_two_executors_and_a_third_want_a_fourth() -> None:
    executors = Executors(2)
    for index, branch in enumerate(("right", "wrong", "odd")):
        assert hear(executors, index, 1, branch) == Heard()
    assert executors.news() == ExecutorsNews(4, Height(1), ())
    assert hear(executors, 3, 1) == Heard(), "two of four are not more than half"
    assert executors.news() == ExecutorsNews(5, Height(1), ())
    assert hear(executors, 4, 1) == Heard((result(1),), (wrong(1, 1), wrong(2, 1, "odd")))


def test_an_executor_that_is_down_is_no_dispute() -> None:
    executors = Executors(3)
    hear(executors, 0, 1)
    hear(executors, 1, 1, "wrong")
    assert executors.news() == ExecutorsNews(3, Height(0), ()), "the third has yet to speak"


def test_results_of_one_executor_are_taken_in_order() -> None:
    executors = Executors(2)
    assert hear(executors, 0, 3) == Heard()
    assert newest_of(executors, 0) == 0
    assert executors.to_store().open == (), "nothing is kept of what is too early"
    hear(executors, 1, 1)
    hear(executors, 0, 1)
    assert (executors.newest, newest_of(executors, 0)) == (1, 1)


def test_a_restart_keeps_what_each_executor_said_and_who_is_wrong() -> None:
    executors = Executors(3)
    for index, branch in enumerate(("right", "wrong", "right")):
        hear(executors, index, 1, branch)
    hear(executors, 0, 2)
    again = restarted(executors, 3)
    assert again.news() == executors.news()
    assert hear(again, 1, 2) == Heard()
    assert hear(again, 0, 2, "other") == Heard(contradictions=(wrong(0, 2, "other", by_majority=False),))


def test_a_result_known_by_its_hash_only_is_asked_for_again_after_a_restart() -> None:
    executors = Executors(2)
    hear(executors, 0, 1)
    again = restarted(executors, 2)
    assert newest_of(again, 0) == 0
    assert hear(again, 1, 1) == Heard((result(1),)), "the other one's is as good"


def test_an_old_wrong_result_is_recognised_as_long_as_the_agreed_one_is_kept() -> None:
    executors = Executors(3)
    for height in range(1, WINDOW + 2):
        hear(executors, 0, height)
        hear(executors, 2, height)
    assert hear(executors, 1, 1, "wrong") == Heard(), "nobody remembers block 1"
    assert hear(executors, 1, 2, "wrong") == Heard(contradictions=(wrong(1, 2),))


def test_an_executor_far_ahead_of_the_others_must_wait() -> None:
    executors = Executors(2)
    first = ExecutorIndex(0)
    for height in range(1, WINDOW + 1):
        hear(executors, 0, height)
        assert not executors.must_wait(first, Height(height))
    hear(executors, 0, WINDOW + 1)
    assert executors.must_wait(first, Height(WINDOW + 1))
    assert not executors.must_wait(first, Height(WINDOW + 9)), "it was not taken, so its answer tells what to say"
    hear(executors, 1, 1)
    assert not executors.must_wait(first, Height(WINDOW + 1))


def test_no_other_executor_than_there_can_be_is_heard() -> None:
    executors = Executors(1)
    for index in (-1, MAX_EXECUTOR + 1):
        assert hear(executors, index, 1) == Heard()
    assert executors.to_store() == StoredClaims((), ())


def test_a_chain_begun_with_two_executors_and_continued_with_one_settles_its_dispute() -> None:
    executors = Executors(2)
    hear(executors, 0, 1)
    hear(executors, 1, 1, "wrong")
    again = restarted(executors, 1)
    assert again.news().wanted == 3
    assert hear(again, 0, 1) == Heard(), "its own word is not more than half of what was said"
    assert hear(again, 2, 1) == Heard((result(1),), (wrong(1, 1),))


@pytest.mark.parametrize("seed", range(SEED, SEED + 200))
def test_a_wrong_minority_is_found_and_never_followed_in_any_order(seed: int) -> None:
    chance, blocks = random.Random(seed), 8
    count = chance.choice([3, 4, 5, 7])
    wrong_ones = chance.sample(range(count), (count - 1) // 2)
    wrong_from = {index: chance.randint(1, blocks) for index in wrong_ones}
    executors = Executors(count)
    agreed: list[BlockResult] = []
    cursors = dict.fromkeys(range(count), 0)
    while speaking := [index for index in cursors if cursors[index] < blocks]:
        index = chance.choice(speaking)
        height = cursors[index] = min(cursors[index], newest_of(executors, index)) + 1
        branch = f"wrong {index}" if height >= wrong_from.get(index, blocks + 1) else "right"
        agreed += hear(executors, index, height, branch).agreed
        if not executors.counts(ExecutorIndex(index)):
            del cursors[index]
        if chance.random() < 0.1:
            executors = restarted(executors, count)
            cursors = {index: min(cursor, newest_of(executors, index)) for index, cursor in cursors.items()}
    assert agreed == [result(height) for height in range(1, blocks + 1)], f"seed {seed}"
    assert {wrong.executor for wrong in executors.news().wrong} == set(wrong_ones), f"seed {seed}"
