"""RLP, against the `rlp` package."""

import pytest
import rlp as reference
from hypothesis import given
from hypothesis import strategies as st

from chain import rlp

items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@given(items)
def test_items_encode_as_the_reference_does_and_decode_again(item: rlp.Item) -> None:
    encoded = rlp.encode(item)
    assert encoded == reference.encode(item)
    assert rlp.decode(encoded) == item


@given(st.integers(0, 2**256 - 1))
def test_numbers_encode_as_the_reference_does(number: int) -> None:
    assert rlp.encode_int(number) == reference.encode(number)
    assert rlp.decode_int(rlp.decode(rlp.encode_int(number))) == number


@given(st.binary(max_size=60))
def test_what_the_reference_refuses_is_refused_and_what_it_takes_is_taken(data: bytes) -> None:
    try:
        expected = reference.decode(data)
    except reference.DecodingError:
        with pytest.raises(rlp.RLPError):
            rlp.decode(data)
    else:
        assert rlp.decode(data) == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends where an item should begin"),
        (b"\x81\x05", "encoded with a prefix"),
        (b"\xb8\x01\xff", "a long length for 1 bytes"),
        (b"\xb9\x00\x38" + bytes(56), "a length with leading zeros"),
        (b"\x83ab", "value size exceeds available input length"),
        (b"\x01\x02", "input contains more than one value"),
    ],
)
def test_encodings_that_are_not_canonical_are_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(rlp.RLPError, match=words):
        rlp.decode(data)


def test_lists_nested_without_end_are_refused() -> None:
    data = b"\x80"
    for _ in range(rlp.MAX_DEPTH + 2):
        data = rlp.encode_list([data])
    with pytest.raises(rlp.RLPError, match="nested more than"):
        rlp.decode(data)
