"""Which calls will meet at a key, from those that met there."""

from chain.transactions import Transaction
from chain.types import Address
from execution.contention import FORGET_AFTER_BLOCKS, MANY_MET, MAX_KEYS, Call, Contention
from tests.execution.test_equivalence import call
from tests.execution.world import ADDRESSES, KEYS, transaction

ROUTER, TOKEN, COUNTER, A, B, C, D = (Address(bytes([n]) * 20) for n in range(200, 207))
RESERVES, SUPPLY, COUNT = (A, 8), (TOKEN, 2), (COUNTER, 0)


def sent(who: int, to: Address, signature: str, *arguments: Address | int) -> Call:
    signed: Transaction = transaction(KEYS[who], 0, to=to, data=call(signature, *arguments))
    return Call(signed, ADDRESSES[who])


def swap(who: int, sold: Address, bought: Address, amount: int = 5) -> Call:
    return sent(who, ROUTER, "swap(address,address,uint256)", sold, bought, amount)


def mint(who: int, amount: int) -> Call:
    return sent(who, TOKEN, "mint(uint256)", amount)


def test_calls_that_name_what_those_that_met_had_in_common_will_meet_there() -> None:
    contention = Contention()
    contention.met(swap(0, A, B, 1), swap(1, A, B, 2), RESERVES)
    contention.end_looked()
    assert contention.keys(swap(2, A, B, 3)) == (RESERVES,)
    assert contention.keys(swap(2, B, A, 3)) == (RESERVES,)
    assert contention.keys(swap(2, C, D, 3)) == ()
    assert contention.keys(mint(2, 3)) == ()


def test_what_is_in_common_by_chance_is_found_out() -> None:
    contention = Contention()
    for n in range(4):
        contention.ran(mint(n, 7))
    contention.met(mint(0, 7), mint(1, 7), SUPPLY)
    contention.end_looked()
    assert contention.keys(mint(2, 7)) == (SUPPLY,)
    assert contention.keys(mint(2, 8)) == ()
    for n in range(4):
        contention.ran(mint(n, n))
    contention.met(mint(2, 8), mint(3, 9), SUPPLY)
    contention.met(mint(4, 10), mint(3, 9), SUPPLY)
    contention.end_looked()
    assert contention.keys(mint(5, 11)) == (SUPPLY,)


def test_where_only_few_of_all_calls_meet_nobody_is_expected() -> None:
    contention = Contention()
    for n in range(20):
        contention.ran(mint(n, n))
    contention.met(mint(0, 0), mint(1, 1), SUPPLY)
    contention.end_looked()
    assert contention.keys(mint(2, 2)) == ()


def test_where_many_met_in_one_block_others_are_expected_though_more_did_not() -> None:
    contention = Contention()
    for n in range(100):
        contention.ran(mint(n % 50, n))
    for n in range(MANY_MET):
        contention.met(mint(n, n), mint(n + 1, 50 + n), SUPPLY)
    contention.end_looked()
    assert contention.keys(mint(40, 99)) == (SUPPLY,)


def test_functions_that_met_each_other_meet_at_the_same_key() -> None:
    contention = Contention()
    other = sent(1, ROUTER, "addLiquidity(address,address)", A, B)
    contention.met(swap(0, A, B), other, RESERVES)
    contention.end_looked()
    assert contention.keys(swap(0, A, B)) == contention.keys(other) == (RESERVES,)


def test_a_call_without_arguments_meets_its_like() -> None:
    contention = Contention()
    increments = [sent(n, COUNTER, "increment()") for n in range(3)]
    contention.ran(increments[0])
    contention.met(increments[0], increments[1], COUNT)
    contention.end_looked()
    assert contention.keys(increments[2]) == (COUNT,)


def test_contention_is_forgotten_after_a_while() -> None:
    contention = Contention()
    contention.met(swap(0, A, B), swap(1, A, B), RESERVES)
    assert contention.end_looked()
    assert contention.keys(swap(2, A, B)) != ()
    for _ in range(FORGET_AFTER_BLOCKS):
        contention.end_block()
    assert contention.keys(swap(2, A, B)) == ()


def test_what_is_remembered_is_bounded() -> None:
    contention = Contention()
    for number in range(2 * MAX_KEYS):
        contention.met(swap(0, A, B), swap(1, A, B), (A, number))
    contention.end_looked()
    assert len(contention.keys(swap(2, A, B))) == MAX_KEYS


def test_creations_meet_nobody() -> None:
    contention = Contention()
    creation = Call(transaction(KEYS[0], 0, to=None, data=b"\0"), ADDRESSES[0])
    contention.ran(creation)
    contention.met(creation, None, COUNT)
    contention.end_looked()
    assert contention.keys(creation) == ()
