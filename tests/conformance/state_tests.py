"""Runs Ethereum's official state tests through the engine, and says how each comes out.

A case is a state, a block, a transaction, and what must come of it: the state root and the hash of the logs, or an
exception and an unchanged state. The roots are computed with the `trie` and `rlp` packages, not with our own code.
Format: https://eest.ethereum.org, "State Tests".
"""

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rlp
from trie import HexaryTrie

from chain.accounts import Account
from chain.errors import ChainError
from chain.forks import CHAIN_FORKS, Fork, fork_named
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.transactions import decode_transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.engine import Engine, rules_of
from execution.errors import CannotInclude, GasLimitReached
from execution.evm.compiler import BlockCompiler
from execution.evm.program import Compilation, ProgramCache
from execution.outcome import Outcome, Writes


def compiling_at_once(fork: Fork) -> Engine:
    """An engine that compiles every block before it first runs."""
    engine, instruction_set = Engine(fork), rules_of(fork).programs.instruction_set
    engine.use(ProgramCache(instruction_set, Compilation(BlockCompiler(instruction_set), hot=1)))
    return engine


ENGINES = {
    "interpreter": {fork: Engine(fork, "interpreter") for fork in CHAIN_FORKS},
    "compiled": {fork: compiling_at_once(fork) for fork in CHAIN_FORKS},
}


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@dataclass
class MemoryState:
    """A whole state in memory, as a view and as what writes are applied to."""

    accounts: dict[Address, Account] = field(default_factory=dict)
    slots: dict[Address, dict[int, int]] = field(default_factory=dict)
    codes: dict[Hash32, bytes] = field(default_factory=dict)

    def account(self, address: Address) -> Account:
        return self.accounts.get(address, Account())

    def slot(self, address: Address, number: int) -> int:
        return self.slots.get(address, {}).get(number, 0)

    def code(self, code_hash: Hash32) -> bytes:
        return self.codes[code_hash]

    def block_hash(self, number: BlockNumber) -> Hash32:
        return keccak256(str(number).encode())  # as the tests' block hashes are defined

    def has_storage(self, address: Address) -> bool:
        return bool(self.slots.get(address))

    def put(self, address: Address, nonce: int, balance: int, code: bytes, slots: dict[int, int]) -> None:
        code_hash = keccak256(code)
        self.codes[code_hash] = code
        self.accounts[address] = Account(nonce, Wei(balance), code_hash)
        self.slots[address] = {number: value for number, value in slots.items() if value}

    def apply(self, writes: Writes) -> None:
        """Changes the state. Accounts that end up empty are gone (EIP-161)."""
        for address in writes.cleared:
            self.slots.pop(address, None)
        for address in {*writes.nonces, *writes.balances, *writes.codes}:
            old = self.account(address)
            code_hash = old.code_hash
            if address in writes.codes:
                code_hash = keccak256(writes.codes[address])
                self.codes[code_hash] = writes.codes[address]
            balance = Wei(old.balance + writes.balances.get(address, 0))
            assert balance >= 0, f"0x{address.hex()} is left with {balance} wei"
            account = Account(writes.nonces.get(address, old.nonce), balance, code_hash)
            self.accounts[address] = account
            if account.is_empty:
                del self.accounts[address]
        for (address, number), value in writes.slots.items():
            slots = self.slots.setdefault(address, {})
            slots[number] = value
            if not value:
                del slots[number]

    def root(self) -> bytes:
        trie = HexaryTrie({})
        for address, account in self.accounts.items():
            storage = HexaryTrie({})
            for number, value in self.slots.get(address, {}).items():
                storage[keccak256(number.to_bytes(32, "big"))] = rlp.encode(value)
            fields = [account.nonce, account.balance, storage.root_hash, account.code_hash]
            trie[keccak256(address)] = rlp.encode(fields)
        return bytes(trie.root_hash)


@dataclass(frozen=True)
class Case:
    """One case: `test` is a state test of a fixture file, `post` one of its outcomes. `group` is its folder."""

    name: str
    group: str
    fork: Fork
    test: dict[str, Any]
    post: dict[str, Any]

    @property
    def raw(self) -> bytes:
        return from_hex(self.post["txbytes"])

    def state(self) -> MemoryState:
        state = MemoryState()
        for address, account in self.test["pre"].items():
            slots = {int(number, 16): int(value, 16) for number, value in account["storage"].items()}
            nonce, balance = int(account["nonce"], 16), int(account["balance"], 16)
            state.put(Address(from_hex(address)), nonce, balance, from_hex(account["code"]), slots)
        return state

    def environment(self) -> BlockEnvironment:
        env = self.test["env"]
        return BlockEnvironment(
            chain_id=int(self.test.get("config", {}).get("chainid", "0x1"), 16),
            fork=self.fork,
            number=BlockNumber(int(env["currentNumber"], 16)),
            timestamp=int(env["currentTimestamp"], 16),
            beneficiary=Address(from_hex(env["currentCoinbase"])),
            prev_randao=Hash32(from_hex(env["currentRandom"]).rjust(32, b"\0")),
            gas_limit=Gas(int(env["currentGasLimit"], 16)),
            base_fee=Wei(int(env["currentBaseFee"], 16)),
            excess_blob_gas=Gas(int(env.get("currentExcessBlobGas", "0x0"), 16)),
        )


FORKS = {"Cancun": Fork.CANCUN, "Prague": Fork.PRAGUE, "Osaka": Fork.OSAKA}


def cases_in(path: Path) -> Iterator[Case]:
    """Every case for our forks in a fixture archive."""
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is None or "/.meta/" in member.name:
                continue
            group = Path(member.name).parent.name
            for name, test in json.load(file).items():
                yield from _cases_of(name, group, test)


def _cases_of(name: str, group: str, test: dict[str, Any]) -> Iterator[Case]:
    for fork_name, posts in test.get("post", {}).items():
        if fork_name in FORKS:
            for index, post in enumerate(posts):
                yield Case(f"{name}[{fork_name}-{index}]", group, FORKS[fork_name], test, post)


def case_from(plain: dict[str, Any]) -> Case:
    """A case as the committed sample holds it."""
    return Case(plain["name"], plain["group"], fork_named(plain["fork"]), plain["test"], plain["post"])


def case_to(case: Case) -> dict[str, Any]:
    test = {key: case.test[key] for key in ("env", "pre", "config") if key in case.test}
    post = {key: case.post[key] for key in ("hash", "logs", "txbytes", "expectException") if key in case.post}
    return {"name": case.name, "group": case.group, "fork": case.fork.label, "test": test, "post": post}


def logs_hash(logs: Iterable[Log]) -> bytes:
    return keccak256(rlp.encode([[log.address, list(log.topics), log.data] for log in logs]))


def run(case: Case, evm: str) -> tuple[Outcome | Exception, MemoryState]:
    """The outcome, or why the transaction was refused, and the state after it."""
    state, environment = case.state(), case.environment()
    try:
        transaction = decode_transaction(case.raw)
        if transaction.gas > environment.gas_limit:  # block assembly's rule
            raise GasLimitReached(transaction.gas, environment.gas_limit)
        outcome = ENGINES[evm][case.fork].execute(transaction, transaction.sender(), environment, state)
    except (CannotInclude, ChainError) as refusal:
        return refusal, state
    state.apply(outcome.writes)
    state.apply(Writes(balances={environment.beneficiary: outcome.fee}))
    return outcome, state


def complaint(case: Case, evm: str = "compiled") -> str | None:
    """What is wrong with how the case comes out, or None."""
    outcome, state = run(case, evm)
    expected = case.post.get("expectException")
    if isinstance(outcome, Exception) != bool(expected):
        return f"expected {expected or 'a run'}, got {outcome!r}"
    if state.root() != from_hex(case.post["hash"]):
        return f"state root differs ({outcome})"
    logs = () if isinstance(outcome, Exception) else outcome.logs
    if logs_hash(logs) != from_hex(case.post["logs"]):
        return "logs differ"
    return None
