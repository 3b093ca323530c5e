"""What the faults in force mean for a message from one validator to another."""

import pytest

from chain.codec import decode_message, encode_message
from chain.messages.faults import SetNetworkFaults
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ValidatorIndex

A, B, C, D = (ValidatorIndex(index) for index in range(4))
HALVES = ((A, B), (C, D))


def test_a_whole_network_lets_everything_through_at_once() -> None:
    assert not WHOLE_NETWORK.cuts(A, B)
    assert WHOLE_NETWORK.delay_ms(A, B) == 0
    assert WHOLE_NETWORK.passing_probability(A, B) == 1


def test_a_partition_cuts_between_groups_and_not_within() -> None:
    faults = NetworkFaults(groups=HALVES)
    assert [faults.cuts(A, to) for to in (B, C, D)] == [False, True, True]
    assert [faults.cuts(D, to) for to in (A, B, C)] == [True, True, False]


def test_a_one_way_partition_loses_only_what_the_first_group_says() -> None:
    faults = NetworkFaults(groups=HALVES, one_way=True)
    assert faults.cuts(A, C)
    assert not faults.cuts(C, A)
    assert not faults.cuts(A, B)


def test_a_slow_validator_is_slow_to_say_and_to_hear_and_two_of_them_add_up() -> None:
    faults = NetworkFaults(delays_ms={A: 200, B: 50})
    assert faults.delay_ms(A, C) == faults.delay_ms(C, A) == 200
    assert faults.delay_ms(A, B) == 250
    assert faults.delay_ms(C, D) == 0


def test_a_message_between_two_bad_links_must_survive_both() -> None:
    faults = NetworkFaults(drops_percent={A: 50.0, B: 20.0})
    assert faults.passing_probability(A, B) == pytest.approx(0.4)
    assert faults.passing_probability(C, A) == 0.5
    assert faults.passing_probability(C, D) == 1


def test_faults_are_the_same_after_a_journey_between_processes() -> None:
    told = SetNetworkFaults(7, NetworkFaults(HALVES, True, {A: 200}, {B: 0.5}))
    assert decode_message(encode_message(told)) == told
