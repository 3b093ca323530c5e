"""A native transfer is what the engine makes of it, and what is none is left to the engine."""

import random
from dataclasses import replace
from typing import Any

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account
from chain.forks import Fork
from chain.keccak import EMPTY_HASH, keccak256
from chain.messages.execution import BlockEnvironment
from chain.transactions import ACCESS_LIST, DYNAMIC_FEE, LEGACY, AccessListEntry, Transaction
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei
from execution.errors import CannotInclude
from execution.outcome import Outcome
from execution.transfers import run_transfer
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ENGINE, ETHER, GWEI, KEYS, transaction

CODE = bytes.fromhex("5f5ff3")
WITH_CODE = Address(b"\xcc" * 20)
NOBODY = Address(b"\xdd" * 20)
PRECOMPILE = Address(bytes(19) + b"\x02")
ENVIRONMENT = BlockEnvironment(
    CHAIN_ID, Fork.PRAGUE, BlockNumber(5), 1_700_000_000, BENEFICIARY, ZERO_HASH, Gas(30_000_000), Wei(GWEI), Gas(0)
)


class View:
    def __init__(self, accounts: dict[Address, Account]) -> None:
        self._accounts = accounts

    def account(self, address: Address) -> Account:
        return self._accounts.get(address, EMPTY_ACCOUNT)

    def slot(self, address: Address, number: int) -> int:
        return 0

    def code(self, code_hash: Hash32) -> bytes:
        return b"" if code_hash == EMPTY_HASH else CODE

    def block_hash(self, number: BlockNumber) -> Hash32:
        return ZERO_HASH


VIEW = View(
    {
        ADDRESSES[0]: Account(nonce=3, balance=Wei(10 * ETHER)),
        ADDRESSES[1]: Account(nonce=3, balance=Wei(21_000 * GWEI)),
        ADDRESSES[2]: Account(nonce=3, balance=Wei(ETHER)),
        WITH_CODE: Account(nonce=1, balance=Wei(5), code_hash=keccak256(CODE)),
    }
)


def effects(outcome: Outcome | None) -> Any:
    if outcome is None:
        return None
    writes = outcome.writes
    balances = {address: delta for address, delta in writes.balances.items() if delta}
    facts = (outcome.succeeded, outcome.gas_used, outcome.gas_price, outcome.fee, outcome.logs, outcome.error)
    return facts, writes.nonces, balances, writes.codes, writes.slots, writes.cleared, outcome.contract


def by_engine(tx: Transaction, sender: Address, environment: BlockEnvironment = ENVIRONMENT) -> Any:
    try:
        return effects(ENGINE.execute(tx, sender, environment, VIEW))
    except CannotInclude:
        return None


@pytest.mark.parametrize("seed", range(5))
def test_random_transfers_do_what_the_engine_does(seed: int) -> None:
    rng = random.Random(seed)
    native = 0
    for _ in range(300):
        who = rng.randrange(3)
        kind = rng.choice([LEGACY, ACCESS_LIST, DYNAMIC_FEE])
        max_fee = rng.choice([0, 1, GWEI, GWEI + 1, 5 * GWEI])
        priority = max_fee if kind != DYNAMIC_FEE else rng.choice([0, 1, GWEI, max_fee])
        tx = transaction(
            KEYS[who],
            rng.choice([2, 3, 3, 3, 3, 4]),
            type=kind,
            to=rng.choice([*ADDRESSES[:3], BENEFICIARY, NOBODY, WITH_CODE, PRECOMPILE]),
            value=Wei(rng.choice([0, 0, 1, ETHER, 100 * ETHER])),
            gas=Gas(rng.choice([20_999, 21_000, 21_001, 50_000])),
            max_fee=Wei(max_fee),
            max_priority_fee=Wei(priority),
        )
        environment = replace(ENVIRONMENT, beneficiary=rng.choice([BENEFICIARY, ADDRESSES[who]]))
        found = run_transfer(tx, ADDRESSES[who], environment, VIEW)
        if found is not None:
            native += 1
            assert effects(found) == by_engine(tx, ADDRESSES[who], environment), f"seed {seed}: {tx}"
        elif tx.to not in (WITH_CODE, PRECOMPILE):
            assert by_engine(tx, ADDRESSES[who], environment) is None, f"seed {seed}: left to the engine: {tx}"
    assert native > 15


@pytest.mark.parametrize(
    "fields",
    [
        {"data": b"\0", "gas": Gas(30_000)},
        {"to": WITH_CODE},
        {"to": PRECOMPILE},
        {"to": None, "gas": Gas(60_000)},
        {"access_list": (AccessListEntry(NOBODY, (1,)),), "gas": Gas(60_000)},
    ],
)
def test_whatever_could_run_code_or_cost_more_is_left_to_the_engine(fields: dict[str, Any]) -> None:
    assert run_transfer(transaction(KEYS[0], 3, **fields), ADDRESSES[0], ENVIRONMENT, VIEW) is None


def test_a_sender_with_code_is_left_to_the_engine() -> None:
    assert run_transfer(transaction(KEYS[0], 1, to=NOBODY), WITH_CODE, ENVIRONMENT, VIEW) is None
