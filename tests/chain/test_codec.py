"""Messages come out as they went in, and nothing else comes in."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import messages
from chain.accounts import Account, AccountChange
from chain.codec import (
    MessageError,
    decode_message,
    decode_value,
    encode_message,
    encode_value,
    pack,
    unpack,
)
from chain.forks import Fork
from chain.messages import calls, execution, faults, link, mempool, storage, tasks, watching
from chain.messages.mempool import Admit, PooledTransaction, SenderState
from chain.messages.storage import ReadState, StateValues
from chain.proposals import (
    BlockInputs,
    Certificate,
    ExecutedBlock,
    Proposal,
    SignedVote,
    decode_proposal,
    encode_proposal,
)
from chain.types import Address, Gas, Hash32, Height, Round, ValidatorIndex, Version, Wei
from tests.execution.pool_workers import CALL

assert messages.__doc__


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=100))
def test_integers_of_any_size_survive(balance: int, nonce: int, raw: bytes) -> None:
    sender = SenderState(Address(b"a" * 20), nonce, Wei(balance))
    pooled = PooledTransaction(
        Hash32(b"h" * 32), raw, sender.address, nonce, Gas(1), Wei(balance), Wei(balance), Wei(balance)
    )
    admit = Admit((pooled, pooled), (sender,), Height(5))
    assert decode_message(encode_message(admit)) == admit


def test_optional_fields_pairs_and_nested_values_survive() -> None:
    for version in (None, Version(3)):
        read = ReadState(version, (Address(b"a" * 20),), ((Address(b"b" * 20), 2**255),), ())
        assert decode_message(encode_message(read)) == read
    values = StateValues(Version(1), (Account(1, Wei(2**100)), Account()), (0, 2**256 - 1), (b"", b"code"))
    assert decode_message(encode_message(values)) == values


def test_what_recurs_is_the_same_object_again_and_checked_like_everything_else() -> None:
    first, second = (decode_message(encode_message(CALL._replace(call_id=number))) for number in (1, 2))
    assert first == CALL._replace(call_id=1)
    assert first.environment is second.environment
    plain = unpack(encode_message(CALL))
    for wrong in (None, b"", list(unpack(plain[3])), pack([*unpack(plain[3])[:-1], 5])):
        with pytest.raises(MessageError):
            decode_message(pack([*plain[:3], wrong, *plain[4:]]))


def test_equal_values_have_equal_encodings_whatever_their_order_of_making() -> None:
    one = AccountChange(Address(b"a" * 20), Account(), {1: 2, 3: 4})
    other = AccountChange(Address(b"a" * 20), Account(), {3: 4, 1: 2})
    assert encode_value(one) == encode_value(other)
    assert decode_value(AccountChange, encode_value(one)) == other


def test_a_proposal_keeps_its_id_and_another_has_another() -> None:
    def proposal(round: int) -> Proposal:
        return Proposal(
            parent=Hash32(b"p" * 32),
            round=Round(round),
            proposer=ValidatorIndex(1),
            certificate=Certificate(Hash32(b"p" * 32), Round(0), (SignedVote(ValidatorIndex(0), b"s" * 64),)),
            timeout_certificate=None,
            height=Height(1),
            inputs=BlockInputs(1, Address(b"b" * 20), Hash32(b"r" * 32), Gas(30)),
            executed=ExecutedBlock(Height(0), Hash32(b"e" * 32)),
            transactions=(b"one", b"two"),
        )

    decoded = decode_proposal(encode_proposal(proposal(1)))
    assert decoded == proposal(1)
    assert decoded.id == proposal(1).id
    assert decoded.id != proposal(2).id


@dataclass(frozen=True, slots=True)
class Crossing:
    fork: Fork
    name: str
    weights: dict[str, int]


@dataclass(frozen=True, slots=True)
class Branch:
    name: str
    below: "tuple[Branch, ...]" = ()


def test_a_class_that_contains_itself_survives_and_is_checked_at_every_depth() -> None:
    tree = Branch("trunk", (Branch("left", (Branch("leaf"),)), Branch("right")))
    assert decode_value(Branch, encode_value(tree)) == tree
    with pytest.raises(MessageError, match="name"):
        decode_value(Branch, pack(["trunk", [["left", [[5, []]]]]]))


def test_enumerations_and_mappings_survive() -> None:
    crossing = Crossing(Fork.PRAGUE, "x", {"b": 1, "a": 2})
    assert decode_value(Crossing, encode_value(crossing)) == crossing


@pytest.mark.parametrize("fork", [99, -99, "prague", None, [], {}, 2**80])
def test_a_value_that_the_enumeration_has_not_is_refused(fork: object) -> None:
    with pytest.raises(MessageError, match="fork"):
        decode_value(Crossing, pack([fork, "x", {}]))


@pytest.mark.parametrize(
    "plain",
    [
        [],
        "text",
        {},
        [None],
        [255],
        [[50]],
        [50],
        [50, None, [], [], []][:3],
        [50, "1", [], [], []],
        [50, None, "accounts", [], []],
        [50, None, [5], [], []],
        [50, None, [], [[b"a", 1, 2]], []],
        [50, True, [], [], []],
    ],
)
def test_what_is_not_a_message_is_refused(plain: object) -> None:
    with pytest.raises(MessageError):
        decode_message(pack(plain))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_message_error(data: bytes) -> None:
    try:
        decode_message(data)
    except MessageError:
        return


REGISTERED = (calls, execution, faults, link, mempool, storage, tasks, watching)
"""Importing these registers their messages."""
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**70) | st.binary(max_size=40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 3), inner, max_size=2),
    max_leaves=12,
)


@given(st.integers(0, 130), st.lists(PLAIN, max_size=15))
def test_no_fields_of_any_message_raise_anything_but_a_message_error(tag: int, fields: list[object]) -> None:
    try:
        decode_message(pack([tag, *fields]))
    except MessageError:
        return
