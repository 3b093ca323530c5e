"""Blocks that Hypothesis makes up: contracts of a few steps each, and transactions that get in each other's way.

Accounts, contracts and what will be created are few, so that transfers to self, to the beneficiary and to contracts
about to be created or destroyed, deploys used in the same block, chains of one sender and delegated accounts are common
and shrink to something one can read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from chain.accounts import Account, AccountChange
from chain.forks import Fork
from chain.genesis import Genesis
from chain.intrinsic_gas import floor_gas, intrinsic_gas
from chain.signing import sign
from chain.transactions import SET_CODE, AccessListEntry, Authorization, Transaction
from chain.types import Address, Gas, Wei
from execution.reader import created_address
from tests.execution.engine.small_world import assemble
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ETHER, GWEI, KEYS, contract, genesis, transaction

SENDERS = 8
POOR = 7
"""The sender who can pay for little."""
CONTRACTS = [Address(bytes([0xC0 + n]) * 20) for n in range(4)]
NOBODY = Address(b"\xee" * 20)
IDENTITY = Address(bytes(19) + b"\x04")
SLOTS = 3

Step: TypeAlias = str | tuple[str, str]
"""Assembly, or what runs only if a word is odd: (the word, assembly)."""
Program: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction to be: `kind` is call, create, or delegate (then `authority` takes the code at `delegate`).

    A number as `to` is what the transactions before have created, counted from the first.
    """

    kind: str
    sender: int
    to: Address | int
    value: int
    gas: int
    word: int
    program: Program
    authority: int
    delegate: Address
    nonce_off: int
    declares: bool


@dataclass(frozen=True, slots=True)
class Case:
    """Contracts by their programs, blocks of transactions, and how slow each worker is at each task."""

    programs: tuple[Program, ...]
    blocks: tuple[tuple[Plan, ...], ...]
    paces: tuple[int, ...]

    def genesis(self) -> Genesis:
        people = [
            AccountChange(address, Account(balance=Wei(ETHER // 100 if number == POOR else 100 * ETHER)), {})
            for number, address in enumerate(ADDRESSES[:SENDERS])
        ]
        return genesis([*people, *map(_rich_contract, CONTRACTS, self.programs)])


def code_of(program: Program) -> bytes:
    code = b""
    for step in program:
        if isinstance(step, str):
            code += assemble(step)
        else:
            condition, body = assemble(f"{step[0]} 1 AND ISZERO"), assemble(step[1])
            after = len(code) + len(condition) + 4 + len(body)
            code += condition + b"\x61" + after.to_bytes(2, "big") + b"\x57" + body + b"\x5b"
    return code


def deploying(program: Program) -> bytes:
    """Init code that leaves this program."""
    code = code_of(program)
    size = f"0x{len(code):04x}"
    place = len(assemble(f"{size} 0x0000 0 CODECOPY {size} 0 RETURN"))
    return assemble(f"{size} 0x{place:04x} 0 CODECOPY {size} 0 RETURN") + code


def _rich_contract(address: Address, program: Program) -> AccountChange:
    """A contract that can pay one ether, and no second one."""
    made = contract(address, code_of(program))
    return replace(made, account=replace(made.account, balance=Wei(ETHER)))


class Signer:
    """Makes transactions of plans, each sender counting on. It knows what was created by whom."""

    def __init__(self) -> None:
        self._nonces = [0] * SENDERS
        self._created: list[Address] = []

    def sign_block(self, plans: Sequence[Plan], nonces: Sequence[int]) -> list[Transaction]:
        """The transactions of a block before which the senders have these nonces."""
        self._nonces = list(nonces)
        return [self._sign(plan) for plan in plans]

    def _sign(self, plan: Plan) -> Transaction:
        key, nonce = KEYS[plan.sender], max(0, self._nonces[plan.sender] + plan.nonce_off)
        self._nonces[plan.sender] += plan.nonce_off == 0
        fields = self._fields(plan)
        unsigned = transaction(key, nonce, **fields)
        gas = max(intrinsic_gas(unsigned, Fork.PRAGUE), floor_gas(unsigned, Fork.PRAGUE)) + plan.gas
        if plan.kind == "create":
            self._created.append(created_address(ADDRESSES[plan.sender], nonce))
        return transaction(key, nonce, gas=Gas(gas), **fields)

    def _fields(self, plan: Plan) -> dict[str, Any]:
        to = self._created[plan.to] if isinstance(plan.to, int) and plan.to < len(self._created) else plan.to
        target = CONTRACTS[0] if isinstance(to, int) else to
        fields: dict[str, Any] = {
            "to": target,
            "value": Wei(plan.value),
            "data": plan.word.to_bytes(32, "big") if plan.word else b"",
            "access_list": (AccessListEntry(target, tuple(range(SLOTS))),) if plan.declares else (),
            "max_fee": Wei(2 * GWEI),
        }
        if plan.kind == "create":
            fields |= {"to": None, "data": deploying(plan.program)}
        if plan.kind == "delegate":
            signed = _authorization(plan.authority, plan.delegate, self._nonces[plan.authority])
            self._nonces[plan.authority] += 1
            fields |= {"type": SET_CODE, "authorizations": (signed,)}
        return fields


def _authorization(authority: int, delegate: Address, nonce: int) -> Authorization:
    unsigned = Authorization(CHAIN_ID, delegate, nonce, 0, 0, 0)
    y_parity, r, s = sign(KEYS[authority], unsigned.signing_hash())
    return Authorization(CHAIN_ID, delegate, nonce, y_parity, r, s)


def _created() -> list[Address]:
    """What senders and contracts will create first."""
    return [created_address(who, nonce) for who in (*ADDRESSES[:3], *CONTRACTS[:2]) for nonce in (0, 1)]


ANYWHERE = st.sampled_from([*CONTRACTS, *ADDRESSES[:SENDERS], BENEFICIARY, NOBODY, IDENTITY, *_created()])
CODE = st.sampled_from([*CONTRACTS, *_created()])
SLOT = st.sampled_from([0, 0, 1, 2])
AMOUNT = st.sampled_from([0, 0, 0, 1, 10**9, ETHER])
SMALL = st.integers(0, 3)


def _hex(address: Address) -> str:
    return f"0x{address.hex()}"


WORD = st.one_of(
    SMALL.map(str),
    SLOT.map(lambda slot: f"{slot} SLOAD"),
    ANYWHERE.map(lambda at: f"{_hex(at)} BALANCE"),
    ANYWHERE.map(lambda at: f"{_hex(at)} EXTCODEHASH"),
    ANYWHERE.map(lambda at: f"{_hex(at)} EXTCODESIZE"),
    st.sampled_from(["CALLER", "CALLVALUE", "0 CALLDATALOAD", "SELFBALANCE", "GAS", "NUMBER", "ADDRESS"]),
)
STORE = st.builds(lambda word, slot: f"{word} {slot} SSTORE", WORD, SLOT)
COUNT = st.builds(lambda word, slot: f"{word} {slot} SLOAD ADD {slot} SSTORE", WORD, SLOT)
CALL = st.builds(lambda to, amount: f"0 0 0 0 {amount} {_hex(to)} GAS CALL POP", ANYWHERE, AMOUNT)
PAY = st.sampled_from([NOBODY, BENEFICIARY, *CONTRACTS]).map(lambda to: f"0 0 0 0 {ETHER} {_hex(to)} GAS CALL POP")
DELEGATE_CALL = CODE.map(lambda to: f"0 0 0 0 {_hex(to)} GAS DELEGATECALL POP")
DESTROY = ANYWHERE.map(lambda to: f"{_hex(to)} SELFDESTRUCT")
LOG = WORD.map(lambda word: f"{word} 0 MSTORE 32 0 LOG0")


def _create(init: str, amount: int, salt: int) -> str:
    code = assemble(init)
    create = "CREATE" if salt == 0 else "CREATE2"
    salted = "" if salt == 0 else f"{salt} "
    return f"0x{code.ljust(32, bytes(1)).hex()} 0 MSTORE {salted}{len(code)} 0 {amount} {create} POP"


INIT = st.sampled_from(
    [
        "",
        "CALLER SELFDESTRUCT",
        "1 0 SSTORE",
        "0 0 REVERT",
        "0x600054 0 MSTORE 3 29 RETURN",
        "0x33ff 0 MSTORE 2 30 RETURN",
    ]
)
CREATE = st.builds(_create, INIT, st.sampled_from([0, 1]), st.integers(0, 2))
FAIL = st.sampled_from(["0 0 REVERT", "INVALID", "STOP", "POP"])
PLAIN_STEP = st.one_of(STORE, COUNT, CALL, CREATE, DESTROY, LOG, DELEGATE_CALL, FAIL)
CONDITIONAL = st.tuples(WORD, PLAIN_STEP)
PROGRAM = st.lists(
    st.one_of(STORE, COUNT, COUNT, COUNT, CALL, PAY, CREATE, LOG, DELEGATE_CALL, CONDITIONAL), min_size=1, max_size=5
).map(tuple)
ENOUGH, LITTLE = st.just(400_000), st.integers(0, 60_000)
"""Gas to run on: what is too little runs out at some step."""

SENDER = st.integers(0, SENDERS - 1)
HOT_PROGRAM = st.builds(lambda first, steps: (first, *steps), COUNT, PROGRAM)
"""Of the contract that most transactions call: what it writes depends on what it reads."""
PLAN = st.builds(
    Plan,
    kind=st.sampled_from(["call"] * 6 + ["create", "delegate"]),
    sender=SENDER,
    to=st.one_of(*[st.just(CONTRACTS[0])] * 3, st.sampled_from(CONTRACTS), SMALL, SMALL, ANYWHERE),
    value=AMOUNT,
    gas=st.one_of(ENOUGH, ENOUGH, ENOUGH, LITTLE),
    word=SMALL,
    program=PROGRAM,
    authority=SENDER,
    delegate=CODE,
    nonce_off=st.sampled_from([0] * 80 + [1, -1]),
    declares=st.booleans(),
)
BLOCK = st.lists(PLAN, min_size=4, max_size=14).map(tuple)
CASE: SearchStrategy[Case] = st.builds(
    Case,
    programs=st.tuples(HOT_PROGRAM, PROGRAM, PROGRAM, PROGRAM),
    blocks=st.lists(BLOCK, min_size=1, max_size=3).map(tuple),
    paces=st.lists(st.integers(1, 12), min_size=1, max_size=6).map(tuple),
)
