"""Headers of every fork's shape, as another client wrote them: the official RPC tests' chain."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from chain import rlp
from chain.fork_schedule import ForkSchedule, only
from chain.forks import Fork
from chain.headers import count_fields, decode_header, fields_of, header_of_item
from chain.types import Wei

CHAIN = Path(__file__).parents[1] / "conformance" / "fixtures" / "rpc_spec" / "chain.rlp"


def items(data: bytes) -> list[rlp.Item]:
    """The items that stand one after the other, as a list of them would hold them."""
    return list(rlp.decode_list(rlp.decode(rlp.encode_list([data]))))


HEADERS = [rlp.decode_list(block)[0] for block in items(CHAIN.read_bytes())]


def test_a_header_of_any_fork_encodes_to_what_it_was_decoded_from() -> None:
    shapes = {len(rlp.decode_list(item)) for item in HEADERS}
    assert shapes == {15, 16, 17, 20, 21}
    for item in HEADERS:
        assert header_of_item(item).encode() == rlp.encode(item)


def test_the_hash_of_a_header_is_what_the_next_one_names_as_its_parent() -> None:
    headers = [header_of_item(item) for item in HEADERS]
    for parent, child in pairwise(headers):
        assert child.parent_hash == parent.hash()


def test_the_fields_of_a_header_are_those_of_its_fork() -> None:
    schedule = ForkSchedule(
        ((0, Fork.HOMESTEAD), (27, Fork.LONDON), (36, Fork.PARIS)),
        ((390, Fork.SHANGHAI), (420, Fork.CANCUN), (450, Fork.PRAGUE), (480, Fork.OSAKA)),
    )
    for item in HEADERS:
        header = header_of_item(item)
        fork = schedule.at(header.number, header.timestamp)
        assert fields_of(fork) == count_fields(header) == len(rlp.decode_list(item)), header.number


def test_a_header_with_a_number_of_fields_that_no_fork_has_is_refused() -> None:
    fields = rlp.decode_list(HEADERS[-1])
    with pytest.raises(rlp.RLPError, match="a header of 19 fields"):
        decode_header(rlp.encode(list(fields[:19])))


def test_a_header_whose_time_exceeds_64_bits_is_refused() -> None:
    header = header_of_item(HEADERS[0])
    with pytest.raises(rlp.RLPError, match="64 bits"):
        decode_header(replace(header, timestamp=2**64).encode())


def test_times_do_not_count_before_the_merge() -> None:
    schedule = ForkSchedule(((0, Fork.LONDON), (10, Fork.PARIS)), ((100, Fork.SHANGHAI),))
    assert [schedule.at(*block) for block in ((9, 200), (10, 99), (10, 100))] == [
        Fork.LONDON,
        Fork.PARIS,
        Fork.SHANGHAI,
    ]
    assert schedule.newest == Fork.SHANGHAI


def test_a_schedule_of_one_fork_has_it_from_the_start() -> None:
    assert only(Fork.PRAGUE).at(0, 0) == only(Fork.PRAGUE).at(10**9, 2**40) == Fork.PRAGUE


def test_a_base_fee_of_zero_is_not_the_lack_of_one() -> None:
    header = replace(header_of_item(HEADERS[-1]), base_fee=Wei(0))
    assert decode_header(header.encode()) == header
