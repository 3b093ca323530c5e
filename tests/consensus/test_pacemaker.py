"""How long a round is waited for: learnt, growing without commits, falling back with them."""

import pytest

from chain.types import Round, ValidatorIndex
from consensus.leaders import RoundRobin
from consensus.pacemaker import (
    BASE_TIMEOUT_MS,
    MAX_REPEAT_MS,
    MAX_TIMEOUT_MS,
    MEASURED_ROUNDS,
    SUSPECTED_TIMEOUT_MS,
    Pacemaker,
)
from consensus.validators import ValidatorSet
from tests.consensus.builders import make_genesis


def pacemaker(validators: int = 4) -> Pacemaker:
    stakes = (1,) * validators
    return Pacemaker(RoundRobin(stakes), ValidatorSet(make_genesis(validators).validators), Round(1))


def certify(pacemaker: Pacemaker, took_ms: int) -> None:
    """The round that it is in gets its certificate after so long."""
    pacemaker.begin_wait(0)
    pacemaker.now_ms += took_ms
    assert pacemaker.advance_by_certificate(pacemaker.round)


def time_out(pacemaker: Pacemaker, proposed: bool = True) -> int:
    wait_ms = pacemaker.begin_wait(0)
    assert pacemaker.advance_by_timeout(pacemaker.round, proposed)
    return wait_ms


def test_the_wait_grows_by_half_with_each_round_without_a_commit_up_to_a_bound() -> None:
    paced = pacemaker()
    waits = [time_out(paced) for _ in range(12)]
    assert waits[:4] == [200, 300, 450, 675]
    assert waits[-1] == MAX_TIMEOUT_MS


def test_a_certificate_alone_does_not_end_the_patience_that_a_commit_needs() -> None:
    paced = pacemaker()
    for _ in range(3):
        time_out(paced)
    certify(paced, took_ms=0)
    assert paced.begin_wait(0) == 675
    paced.committed()
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


def test_the_wait_is_twice_what_rounds_usually_take() -> None:
    paced = pacemaker()
    for took_ms in (400, 500, 600):
        certify(paced, took_ms)
    assert paced.begin_wait(0) == 1_000


def test_one_slow_leader_of_four_does_not_make_the_others_wait_longer() -> None:
    paced = pacemaker()
    for round in range(2 * MEASURED_ROUNDS):
        certify(paced, took_ms=4_000 if round % 4 == 0 else 10)
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


def test_what_was_slow_is_forgotten_when_rounds_are_quick_again() -> None:
    paced = pacemaker()
    for _ in range(MEASURED_ROUNDS):
        certify(paced, took_ms=1_000)
    assert paced.begin_wait(0) == 2_000
    for _ in range(MEASURED_ROUNDS // 2 + 1):
        certify(paced, took_ms=5)
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


def test_the_time_before_anything_was_expected_of_a_round_is_not_counted() -> None:
    paced = pacemaker()
    paced.now_ms += 60_000
    paced.advance_by_certificate(paced.round)
    certify(paced, took_ms=5)
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


def test_a_jumping_clock_cannot_make_it_wait_longer_than_the_bound() -> None:
    paced = pacemaker()
    for _ in range(MEASURED_ROUNDS):
        certify(paced, took_ms=86_400_000)
    assert paced.begin_wait(0) == MAX_TIMEOUT_MS


def test_a_timeout_is_said_again_at_growing_but_short_intervals() -> None:
    paced = pacemaker()
    for _ in range(10):
        time_out(paced)
    assert [paced.begin_wait(attempt) for attempt in (1, 2, 3)] == [300, 450, 675]
    assert paced.begin_wait(20) == MAX_REPEAT_MS


def test_a_leader_that_did_not_propose_is_waited_for_briefly_next_time() -> None:
    paced = pacemaker()
    time_out(paced, proposed=False)
    for _ in range(3):
        certify(paced, took_ms=5)
        paced.committed()
    assert paced.leader == 1
    assert paced.suspects(ValidatorIndex(1))
    assert paced.begin_wait(0) == SUSPECTED_TIMEOUT_MS
    paced.heard_from(ValidatorIndex(1))
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


def test_a_brief_wait_says_nothing_about_how_slow_the_network_is() -> None:
    paced = pacemaker(7)
    time_out(paced, proposed=False)
    for _ in range(6):
        certify(paced, took_ms=5)
        paced.committed()
    assert time_out(paced, proposed=False) == SUSPECTED_TIMEOUT_MS
    assert paced.begin_wait(0) == BASE_TIMEOUT_MS


@pytest.mark.parametrize(("suspects", "wait_ms"), [(1, SUSPECTED_TIMEOUT_MS), (2, BASE_TIMEOUT_MS)])
def test_nobody_is_hurried_when_a_third_of_the_stake_is_suspected(suspects: int, wait_ms: int) -> None:
    paced = pacemaker(5)
    for _ in range(suspects):
        time_out(paced, proposed=False)
    for _ in range(5 - suspects):
        certify(paced, took_ms=5)
        paced.committed()
    assert paced.begin_wait(0) == wait_ms
