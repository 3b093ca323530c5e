"""Whatever the strategy, a block is what serial execution makes of it."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.transactions import ACCESS_LIST, LEGACY, AccessListEntry, Transaction
from chain.types import Address, Gas, Wei
from execution.assembly import ExecutedBlock
from execution.reader import created_address
from execution.strategies import RULES
from tests.contracts import artifact
from tests.execution.world import (
    ADDRESSES,
    BENEFICIARY,
    ETHER,
    GWEI,
    KEYS,
    Chain,
    contract,
    funded,
    genesis,
    transaction,
)

TOKEN, COUNTER, LOOP = (Address(bytes([n]) * 20) for n in (0xA1, 0xA2, 0xA3))
BALANCE_READER = Address(b"\xa4" * 20)
HASH_READER = Address(b"\xa5" * 20)
SUICIDE_INIT = bytes.fromhex("33ff")  # CALLER SELFDESTRUCT as init code
STORE_BALANCE = bytes.fromhex("73" + BENEFICIARY.hex() + "315f55" + "00")  # slot 0 = BALANCE(beneficiary)
STORE_HASH = bytes.fromhex("6001430340" + "5f5500")  # slot 0 = BLOCKHASH(number - 1)
EMPTY = [Address(keccak256(b"nobody %d" % i)[:20]) for i in range(6)]


def call(signature: str, *arguments: int | bytes) -> bytes:
    words = (a.rjust(32, b"\0") if isinstance(a, bytes) else a.to_bytes(32, "big") for a in arguments)
    return keccak256(signature.encode())[:4] + b"".join(words)


def balance_slot(holder: Address, mapping: int = 0) -> int:
    return int.from_bytes(keccak256(holder.rjust(32, b"\0") + mapping.to_bytes(32, "big")), "big")


def world_genesis(accounts: int = 24) -> Genesis:
    token_slots = {balance_slot(address): 10**24 for address in ADDRESSES[:accounts]} | {2: accounts * 10**24}
    return genesis(
        [
            *funded(ADDRESSES[:accounts]),
            *funded(ADDRESSES[60:61], 21_000 * 3 * GWEI),
            contract(TOKEN, artifact("Token").deployed_bytecode, token_slots),
            contract(COUNTER, artifact("Counter").deployed_bytecode),
            contract(LOOP, artifact("KeccakLoop").deployed_bytecode),
            contract(BALANCE_READER, STORE_BALANCE),
            contract(HASH_READER, STORE_HASH),
        ]
    )


_Maker: TypeAlias = Callable[[int], Transaction | bytes]


class Generator:
    """Random blocks over a few accounts, nonces kept, with mistakes among them."""

    def __init__(self, seed: int, accounts: int = 24) -> None:
        self.random = random.Random(seed)
        self.nonces = [0] * accounts
        self.accounts = accounts
        self.deployed: list[Address] = []

    def block(self, size: int) -> list[Transaction | bytes]:
        return [self.transaction() for _ in range(size)]

    def transaction(self) -> Transaction | bytes:
        who = self.random.randrange(self.accounts)
        makers: list[tuple[int, _Maker]] = [
            (30, self.transfer), (30, self.token), (10, self.counter), (6, self.deploy), (6, self.call_deployed),
            (4, self.read_beneficiary), (3, self.read_hash), (4, self.loop), (3, self.nonce_gap),
            (2, self.unaffordable), (2, self.used_nonce), (2, self.low_fee), (2, self.short_gas),
            (2, self.self_destruct), (2, self.refused), (1, self.malformed), (2, self.poor),
        ]  # fmt: skip
        make = self.random.choices([m for _, m in makers], [w for w, _ in makers])[0]
        return make(who)

    def next_nonce(self, who: int) -> int:
        self.nonces[who] += 1
        return self.nonces[who] - 1

    def somebody(self, who: int) -> Address:
        known = [*ADDRESSES[: self.accounts], *EMPTY, BENEFICIARY, ADDRESSES[who], *self.deployed[-3:]]
        return self.random.choice([*known, Address(bytes(19) + b"\x04")])

    def transfer(self, who: int) -> Transaction:
        kind = self.random.choice([LEGACY, ACCESS_LIST, 2])
        value = self.random.choice([0, 1, ETHER, 100 * ETHER])
        gas = self.random.choice([21_000, 30_000, 100_000])
        return transaction(
            KEYS[who], self.next_nonce(who), to=self.somebody(who), value=Wei(value), gas=Gas(gas), type=kind,
            max_priority_fee=Wei(10 * GWEI) if kind != 2 else Wei(self.random.choice([0, GWEI])),
        )  # fmt: skip

    def token(self, who: int) -> Transaction:
        to = self.random.choice([ADDRESSES[self.random.randrange(self.accounts)], *EMPTY])
        listed: tuple[AccessListEntry, ...] = ()
        if self.random.random() < 0.2:
            listed = (AccessListEntry(TOKEN, (balance_slot(ADDRESSES[who]),)),)
        return self.to_contract(who, TOKEN, call("transfer(address,uint256)", to, 10**18), access_list=listed)

    def counter(self, who: int) -> Transaction:
        return self.to_contract(who, COUNTER, call("increment()"))

    def loop(self, who: int) -> Transaction:
        return self.to_contract(who, LOOP, call("run(uint256)", 5))

    def read_beneficiary(self, who: int) -> Transaction:
        return self.to_contract(who, BALANCE_READER, b"")

    def read_hash(self, who: int) -> Transaction:
        return self.to_contract(who, HASH_READER, b"")

    def refused(self, who: int) -> Transaction:
        return self.to_contract(who, TOKEN, call("transfer(address,uint256)", EMPTY[0], 10**30))

    def deploy(self, who: int) -> Transaction:
        nonce = self.next_nonce(who)
        self.deployed.append(created_address(ADDRESSES[who], nonce))
        code = artifact("Counter").bytecode
        return transaction(KEYS[who], nonce, to=None, data=code, gas=Gas(400_000))

    def self_destruct(self, who: int) -> Transaction:
        return transaction(KEYS[who], self.next_nonce(who), to=None, data=SUICIDE_INIT, gas=Gas(100_000), value=Wei(7))

    def call_deployed(self, who: int) -> Transaction:
        if not self.deployed:
            return self.deploy(who)
        return self.to_contract(who, self.random.choice(self.deployed[-4:]), call("increment()"))

    def to_contract(self, who: int, to: Address, data: bytes, **fields: Any) -> Transaction:
        return transaction(KEYS[who], self.next_nonce(who), to=to, data=data, gas=Gas(120_000), **fields)

    def nonce_gap(self, who: int) -> Transaction:
        return transaction(KEYS[who], self.nonces[who] + 2, to=EMPTY[0], value=Wei(1))

    def used_nonce(self, who: int) -> Transaction:
        return transaction(
            KEYS[who], max(0, self.nonces[who] - 1), to=EMPTY[1], value=Wei(1), data=b"\1", gas=Gas(90_000)
        )

    def unaffordable(self, who: int) -> Transaction:
        return transaction(KEYS[who], self.nonces[who], to=EMPTY[2], value=Wei(10**6 * ETHER))

    def low_fee(self, who: int) -> Transaction:
        return transaction(KEYS[who], self.nonces[who], to=EMPTY[3], max_fee=Wei(1), max_priority_fee=Wei(1))

    def short_gas(self, who: int) -> Transaction:
        return transaction(KEYS[who], self.nonces[who], to=EMPTY[3], gas=Gas(20_999))

    def poor(self, who: int) -> Transaction:
        return transaction(KEYS[60], self.random.randrange(2), to=EMPTY[4], value=Wei(1), max_fee=Wei(3 * GWEI))

    def malformed(self, who: int) -> bytes:
        raw = transaction(KEYS[who], self.nonces[who]).raw
        return self.random.choice([raw[:-1], b"", b"\x7f", transaction(KEYS[who], 0, chain_id=1).raw])


async def both(
    seed: int, blocks: int, size: int, strategy: str, cases: Path, known_values: int | None = None
) -> tuple[Chain, Chain]:
    of = world_genesis()
    serial = Chain(of)
    with pytest.MonkeyPatch.context() as patch:
        if known_values is not None:
            patch.setattr("execution.known.KnownState.__init__.__defaults__", (known_values,))
        parallel = Chain(of, strategy, 2, cases)
    generator = Generator(seed)
    for _ in range(blocks):
        block = generator.block(size)
        expected, found = await serial.run(block), await parallel.run(block)
        assert_same(found, expected, seed)
        assert parallel.storage.head.hash == serial.storage.head.hash, f"seed {seed}"
    await parallel.stop()
    return serial, parallel


def assert_same(found: ExecutedBlock, expected: ExecutedBlock, seed: int) -> None:
    for name in ("header", "transactions", "senders", "receipts", "parent_hash_slot"):
        assert getattr(found.apply, name) == getattr(expected.apply, name), f"seed {seed}: {name}"
    assert by_address(found.apply.changes) == by_address(expected.apply.changes), f"seed {seed}"
    assert found.left_out == expected.left_out, f"seed {seed}"
    assert by_address(found.senders) == by_address(expected.senders), f"seed {seed}"


def by_address(rows: Sequence[Any]) -> dict[Address, Any]:
    return {row.address: row for row in rows}


@pytest.mark.parametrize("strategy", RULES)
@pytest.mark.parametrize("seed", range(5))
async def test_random_blocks_come_out_as_serial_execution_makes_them(seed: int, strategy: str, tmp_path: Path) -> None:
    await both(seed, blocks=4, size=40, strategy=strategy, cases=tmp_path)


@pytest.mark.parametrize("strategy", RULES)
@pytest.mark.parametrize("seed", range(20, 22))
async def test_forgetting_all_that_storage_has_changes_nothing(seed: int, strategy: str, tmp_path: Path) -> None:
    await both(seed, blocks=4, size=30, strategy=strategy, cases=tmp_path, known_values=3)
