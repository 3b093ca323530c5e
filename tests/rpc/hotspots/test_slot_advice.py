"""Which remedy a slot has, by how transactions changed the variables in it. Layouts are as solc 0.8.37 writes them."""

import itertools
from typing import Any

import pytest

from chain.keccak import keccak256
from chain.records import AccessKind
from chain.types import Address
from rpc.hotspots import Hotspot
from rpc.naming.contract import contract_from
from rpc.naming.names import Names
from rpc.naming.preimages import Preimages
from rpc.slot_advice import SETTLE_TOGETHER, remedy_of_slot, variable_of

MARKET = Address(b"\x11" * 20)
USER = "0x" + "77" * 20


def plain(size: int, label: str) -> dict[str, str]:
    return {"encoding": "inplace", "label": label, "numberOfBytes": str(size)}


def mapping(key: str) -> dict[str, str]:
    return {"encoding": "mapping", "key": key, "label": "mapping", "numberOfBytes": "32", "value": "t_uint256"}


TYPES: dict[str, Any] = {
    "t_uint256": plain(32, "uint256"),
    "t_uint112": plain(14, "uint112"),
    "t_uint32": plain(4, "uint32"),
    "t_uint16": plain(2, "uint16"),
    "t_address": plain(20, "address"),
    "t_array": {"base": "t_uint16", **plain(32, "uint16[16]")},
    "t_string": {"encoding": "bytes", "label": "string", "numberOfBytes": "32"},
    "t_by_user": mapping("t_address"),
    "t_by_number": mapping("t_uint256"),
}
VARIABLES = [
    ("reserve0", 0, 0, "t_uint112"),
    ("reserve1", 0, 14, "t_uint112"),
    ("stamp", 0, 28, "t_uint32"),
    ("sales", 1, 0, "t_array"),
    ("title", 2, 0, "t_string"),
    ("owed", 3, 0, "t_by_user"),
    ("votes", 4, 0, "t_by_number"),
    ("leader", 5, 0, "t_address"),
    ("totalSupply", 6, 0, "t_uint256"),
]
LAYOUT = {
    "storage": [{"label": name, "slot": str(slot), "offset": at, "type": type} for name, slot, at, type in VARIABLES],
    "types": TYPES,
}
PREIMAGES = [
    (2).to_bytes(32, "big"),
    bytes.fromhex(USER[2:]).rjust(32, b"\0") + (3).to_bytes(32, "big"),
    (9).to_bytes(32, "big") + (4).to_bytes(32, "big"),
]
TEXT, OWED, VOTES = (int.from_bytes(keccak256(preimage), "big") for preimage in PREIMAGES)
RESERVES = 10**24 | 10**24 << 112
PULL, SPLIT, ADDED = "one entry of a mapping", "Split it by user", "each adds its share"
COUNTED, APART = "each changes it by 1.", "Give each a slot of its own"


NAMES = Names(
    {MARKET: (contract_from("Market", [], LAYOUT, None),)},
    Preimages({keccak256(preimage): preimage for preimage in PREIMAGES}),
)


def changed(slot: int, values: list[int]) -> Hotspot:
    """A slot that had these values one after the other."""
    spot = Hotspot(AccessKind.SLOT, MARKET, slot, changes=list(itertools.pairwise(values)))
    for before, after in spot.changes:
        spot.changed_bits |= before ^ after
    return spot


def swapped(*amounts: int) -> list[int]:
    values = [RESERVES]
    for amount in amounts:
        values.append(values[-1] + amount - (amount - 1 << 112))
    return values


@pytest.mark.parametrize(
    ("slot", "values", "variable", "remedy"),
    [
        (0, swapped(5, 9, 3), "Market.reserve0, Market.reserve1", SPLIT),
        (0, swapped(5, 5, 5), "Market.reserve0, Market.reserve1", SPLIT),
        (0, [RESERVES, RESERVES + 7, RESERVES + 9], "Market.reserve0", ADDED),
        (1, [0, 1, 1 | 1 << 16, 1 | 1 << 16 | 1 << 64], "Market.sales[0], Market.sales[1], Market.sales[4]", APART),
        (1, [0, 1, 2, 3, 3 | 1 << 16], "Market.sales[0], Market.sales[1]", COUNTED),
        (1, [0, 1, 1 | 1 << 16, 2 | 1 << 16, 2 | 2 << 16, 3 | 2 << 16], "Market.sales[0], Market.sales[1]", APART),
        (TEXT, [5 << 240, 6 << 240, 7 << 240], "Market.title bytes 0..31", SPLIT),
        (OWED, [0, 4, 9], f"Market.owed[{USER}]", PULL),
        (OWED, [0, 1, 2], f"Market.owed[{USER}]", COUNTED),
        (VOTES, [0, 1, 2], "Market.votes[9]", COUNTED),
        (VOTES, [0, 3, 5], "Market.votes[9]", ADDED),
        (5, [1 << 100, 5 << 120, 7 << 150], "Market.leader", SPLIT),
    ],
)
def test_the_remedy_goes_by_the_variables_that_changed(
    slot: int, values: list[int], variable: str, remedy: str
) -> None:
    spot = changed(slot, values)
    assert variable_of(spot, NAMES) == variable
    assert remedy in remedy_of_slot(spot, NAMES)


@pytest.mark.parametrize(
    ("slot", "values", "is_total"),
    [
        (6, [0, 10**18, 3 * 10**18, 10**19], True),
        (6, [0, 5, 10, 15], True),
        (6, [100, 140, 90, 95], True),
        (6, [0, 1, 2, 3], False),
        (0, swapped(5, 9, 3), False),
        (5, [1 << 100, 5 << 120, 7 << 150], False),
        (OWED, [0, 4, 9], False),
    ],
    ids=["deposits", "equal deposits", "deposits and withdrawals", "a counter", "reserves", "an address", "an entry"],
)
def test_calls_that_compute_with_a_total_are_told_to_settle_together(
    slot: int, values: list[int], is_total: bool
) -> None:
    """As a vault's with its supply of shares, which summing up elsewhere would have them read just as well."""
    assert (SETTLE_TOGETHER in remedy_of_slot(changed(slot, values), NAMES)) == is_total
