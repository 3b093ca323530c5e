"""Blocks to execute: each workload is a chain's beginning (contracts, tokens) and then as many blocks as wanted.

Everything is signed beforehand and every sender known, so that a block costs what executing it costs.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.signing import address_of_private_key
from chain.transactions import Transaction
from chain.types import Address, Gas
from execution.evm.call_instructions import contract_address
from tests.contracts import artifact
from tests.execution.world import ETHER, GWEI, funded, genesis, transaction

Signed: TypeAlias = tuple[Transaction, Address]
"""A transaction and its sender."""
SignedBlock: TypeAlias = Sequence[Signed]
Source: TypeAlias = Iterator[Signed]

USERS = 400
PAIRS = 12
TOKENS = 10**24
NO_DEADLINE = 2**255
BEGINNING_GAS = 25_000_000
"""Of one block of the beginning, by gas limits."""
CALL_GAS, CREATION_GAS, TRANSFER_GAS = 200_000, 5_000_000, 21_000
KECCAK_ROUNDS = 50
SEED = 20261122


@dataclass(slots=True)
class User:
    """An account that signs, and how many transactions it has signed."""

    key: bytes
    address: Address
    nonce: int = 0

    @property
    def number(self) -> int:
        """The address as an argument."""
        return int.from_bytes(self.address, "big")


@dataclass(slots=True)
class World:
    """The users of one chain, and what they signed to begin it."""

    users: Sequence[User] = field(default_factory=lambda: [_user(number) for number in range(USERS)])
    beginning: list[Signed] = field(default_factory=list)

    def genesis(self) -> Genesis:
        return genesis(funded([user.address for user in self.users], 10_000 * ETHER))

    def first_blocks(self) -> Iterator[SignedBlock]:
        """The blocks that make the contracts and hand out tokens."""
        block: list[Signed] = []
        for each in self.beginning:
            if sum(other.gas for other, _ in [*block, each]) > BEGINNING_GAS:
                yield block
                block = []
            block.append(each)
        yield block

    def sign(self, user: User, to: Address | None, data: bytes = b"", value: int = 0, gas: int = CALL_GAS) -> Signed:
        fields: dict[str, Any] = {"to": to, "data": data, "value": value, "gas": Gas(gas), "max_fee": 1000 * GWEI}
        signed = transaction(user.key, user.nonce, **fields)
        user.nonce += 1
        return signed, user.address

    def deploy(self, name: str, *arguments: int) -> Address:
        deployer = self.users[0]
        created = contract_address(deployer.address, deployer.nonce)
        code = artifact(name).bytecode + _words(*arguments)
        self.beginning.append(self.sign(deployer, None, code, gas=CREATION_GAS))
        return created

    def token(self, holders: Sequence[User]) -> Address:
        """A token that these hold."""
        token = self.deploy("Token", 0x40, 0x60, 0, 0)
        for user in holders:
            self.begin(user, token, "mint(address,uint256)", user.number, TOKENS)
        return token

    def begin(self, user: User, to: Address, signature: str, *arguments: int, gas: int = CALL_GAS) -> None:
        self.beginning.append(self.sign(user, to, _call(signature, *arguments), gas=gas))


def ether_transfers(world: World, users: Sequence[User]) -> Source:
    return (world.sign(u, r.address, value=1, gas=TRANSFER_GAS) for u, r in _senders_and_recipients(users))


def token_transfers(world: World, users: Sequence[User]) -> Source:
    token = world.token(users)
    return (
        world.sign(user, token, _call("transfer(address,uint256)", recipient.number, 1))
        for user, recipient in _senders_and_recipients(users)
    )


def increments(world: World, users: Sequence[User]) -> Source:
    counter = world.deploy("Counter")
    return (world.sign(user, counter, _call("increment()")) for user in itertools.cycle(users))


def keccak_loops(world: World, users: Sequence[User]) -> Source:
    loop = world.deploy("KeccakLoop")
    return (world.sign(user, loop, _call("run(uint256)", KECCAK_ROUNDS)) for user in itertools.cycle(users))


def swaps(world: World, users: Sequence[User]) -> Source:
    """Each user swaps in one of the pairs, always the same."""
    factory = world.deploy("Factory")
    router = world.deploy("Router", _number(factory))
    swappers: list[tuple[User, bytes]] = []
    for at in range(PAIRS):
        group = users[at::PAIRS]
        path = _pair(world, router, group)
        swappers += [(user, _swap(user, *path)) for user in group]
    random.Random(SEED).shuffle(swappers)
    return (world.sign(user, router, data) for user, data in itertools.cycle(swappers))


def _pair(world: World, router: Address, users: Sequence[User]) -> tuple[Address, Address]:
    """Two tokens with a market, and the users' leave to take theirs."""
    path = world.token(users), world.token(users)
    for user in users:
        for token in path:
            world.begin(user, token, "approve(address,uint256)", _number(router), 2**255)
    liquidity = (*map(_number, path), TOKENS // 2, TOKENS // 2, users[0].number, NO_DEADLINE)
    world.begin(
        users[0], router, "addLiquidity(address,address,uint256,uint256,address,uint256)", *liquidity, gas=CREATION_GAS
    )
    return path


def _swap(user: User, sold: Address, bought: Address) -> bytes:
    arguments = (10**6, 0, 0xA0, user.number, NO_DEADLINE, 2, _number(sold), _number(bought))
    return _call("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", *arguments)


@dataclass(frozen=True, slots=True)
class Workload:
    """`source` gives the endless transactions of a chain, `size` of them a block."""

    name: str
    description: str
    size: int
    source: Callable[[World], Source]


def _hot_share(world: World) -> Source:
    hot, cold, market = increments(world, world.users[:100]), *_calls(world)
    return _in_turn(hot, cold, market, cold, hot, market, cold, hot, market, cold)


def _mixed(world: World) -> Source:
    plain, hot = ether_transfers(world, world.users[:80]), increments(world, world.users[80:100])
    loops, cold, market = keccak_loops(world, world.users[80:100]), *_calls(world)
    return _in_turn(plain, cold, market, plain, cold, hot, plain, cold, loops, plain)


def _calls(world: World) -> tuple[Source, Source]:
    return token_transfers(world, world.users[100:250]), swaps(world, world.users[250:])


WORKLOADS = (
    Workload("swaps", f"over {PAIRS} pairs through one router", 100, lambda w: swaps(w, w.users[:200])),
    Workload("ERC-20 transfers", "between distinct users", 200, lambda w: token_transfers(w, w.users)),
    Workload("30 % hot", "write one counter; 40 % ERC-20 transfers, 30 % swaps", 150, _hot_share),
    Workload("one hot counter", "written by distinct users", 300, lambda w: increments(w, w.users)),
    Workload("one sender", "of ERC-20 transfers", 200, lambda w: token_transfers(w, w.users[:1])),
    Workload("plain transfers", "of ether between distinct users", 400, lambda w: ether_transfers(w, w.users)),
    Workload("mixed", "40 % ether, 30 % ERC-20, 10 % swaps, 10 % a counter, 10 % keccak loops", 200, _mixed),
)


def _in_turn(*sources: Source) -> Source:
    return (next(source) for source in itertools.cycle(sources))


def _senders_and_recipients(users: Sequence[User]) -> Iterator[tuple[User, User]]:
    """The first half sends to the second, for as many as there are; a sender alone sends to itself in other names."""
    half = max(1, len(users) // 2)
    senders, recipients = users[:half], users[half:] or [_user(USERS + number) for number in range(200)]
    return zip(itertools.cycle(senders), itertools.cycle(recipients), strict=False)


def _user(number: int) -> User:
    key = keccak256(b"user %d" % number)
    return User(key, address_of_private_key(key))


def _call(signature: str, *arguments: int) -> bytes:
    return keccak256(signature.encode())[:4] + _words(*arguments)


def _number(address: Address) -> int:
    return int.from_bytes(address, "big")


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)
