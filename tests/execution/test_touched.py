"""Guessing what a call will read from what calls like it read."""

from chain.keccak import keccak256
from chain.transactions import Transaction
from chain.types import Address, Gas
from execution.touched import MAX_FIXED_SLOTS, TouchedSlots, kind_of
from tests.execution.test_equivalence import TOKEN, balance_slot, call
from tests.execution.world import ADDRESSES, KEYS, transaction

SUPPLY = (TOKEN, 2)


def transfer_from(who: int, owner: Address, to: Address) -> Transaction:
    data = call("transferFrom(address,address,uint256)", owner, to, 1)
    return transaction(KEYS[who], 0, to=TOKEN, data=data, gas=Gas(100_000))


def allowance_slot(owner: Address, spender: Address) -> int:
    inner = keccak256(owner.rjust(32, b"\0") + (1).to_bytes(32, "big"))
    return int.from_bytes(keccak256(spender.rjust(32, b"\0") + inner), "big")


def reads(spender: Address, owner: Address, to: Address) -> set[tuple[Address, int]]:
    return {
        SUPPLY,
        (TOKEN, balance_slot(owner)),
        (TOKEN, balance_slot(to)),
        (TOKEN, allowance_slot(owner, spender)),
    }


def test_one_run_teaches_the_slots_of_the_next_callers() -> None:
    touched = TouchedSlots()
    first = transfer_from(0, ADDRESSES[1], ADDRESSES[2])
    touched.remember(first, ADDRESSES[0], reads(ADDRESSES[0], ADDRESSES[1], ADDRESSES[2]))
    following = transfer_from(5, ADDRESSES[6], ADDRESSES[7])
    kind = kind_of(following)
    assert kind is not None
    guess = {*touched.fixed(kind)[1], *touched.entries(kind, following, ADDRESSES[5])}
    assert guess == reads(ADDRESSES[5], ADDRESSES[6], ADDRESSES[7])


def test_another_function_of_the_contract_is_another_matter() -> None:
    touched = TouchedSlots()
    touched.remember(transfer_from(0, ADDRESSES[1], ADDRESSES[2]), ADDRESSES[0], [SUPPLY])
    other = transaction(KEYS[0], 0, to=TOKEN, data=call("totalSupply()"), gas=Gas(100_000))
    kind = kind_of(other)
    assert kind is not None
    assert list(touched.fixed(kind)[1]) == []


def test_what_is_remembered_is_bounded() -> None:
    touched = TouchedSlots()
    tx = transfer_from(0, ADDRESSES[1], ADDRESSES[2])
    for batch in range(10):
        touched.remember(tx, ADDRESSES[0], [(TOKEN, 10**6 + batch * 50 + n) for n in range(50)])
    kind = kind_of(tx)
    assert kind is not None
    assert len(list(touched.fixed(kind)[1])) == MAX_FIXED_SLOTS


def test_calldata_cut_short_is_no_argument() -> None:
    touched = TouchedSlots()
    tx = transfer_from(0, ADDRESSES[1], ADDRESSES[2])
    touched.remember(tx, ADDRESSES[0], reads(ADDRESSES[0], ADDRESSES[1], ADDRESSES[2]))
    short = transaction(KEYS[0], 0, to=TOKEN, data=tx.data[:20], gas=Gas(100_000))
    kind = kind_of(short)
    assert kind is not None
    assert touched.entries(kind, short, ADDRESSES[0]) == []
