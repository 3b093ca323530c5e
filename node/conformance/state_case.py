"""State tests: a state, a block, a transaction, and what must come of it.

That is the state root and the hash of the logs, or a refusal and an unchanged state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chain import rlp
from chain.errors import ChainError
from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.transactions import decode_transaction
from chain.types import BlockNumber, Gas, Hash32, Wei
from execution.errors import CannotInclude, GasLimitReached
from execution.outcome import Outcome, Writes
from node.conformance.engines import engine_for
from node.conformance.memory_state import MemoryState
from node.conformance.networks import FORKS
from node.conformance.outcomes import Failed, Unsupported
from node.conformance.plain import Fields, address, data, fields_of, word
from node.conformance.signing import signed_transaction

DEFAULT_BASE_FEE = "0x0a"
"""What tests for London and later mean that do not say."""


@dataclass(frozen=True, slots=True)
class StateCase:
    """One outcome of a state test: `test` is the test as the file has it, `post` one of its outcomes."""

    name: str
    network: str
    test: dict[str, Any]
    post: dict[str, Any]

    @property
    def kind(self) -> str:
        return "state"

    @property
    def fork(self) -> Fork:
        """Raises Unsupported."""
        if self.network not in FORKS:
            raise Unsupported(f"network {self.network} is not one of ours")
        return FORKS[self.network]

    @property
    def raw(self) -> bytes:
        """The signed transaction."""
        if self.post.get("txbytes"):
            return data(self.post["txbytes"])
        transaction, indexes = Fields(self.test).fields("transaction"), Fields(self.post, "post").fields("indexes")
        return signed_transaction(transaction, indexes, self.environment().chain_id)

    def state(self) -> MemoryState:
        return state_of(Fields(self.test)["pre"], self.fork)

    def environment(self) -> BlockEnvironment:
        test, fork = Fields(self.test), self.fork
        env = test.fields("env")
        random = env.get("currentRandom" if fork >= Fork.PARIS else "currentDifficulty", "0x0")
        base_fee = word(env.get("currentBaseFee", DEFAULT_BASE_FEE)) if fork >= Fork.LONDON else 0
        return BlockEnvironment(
            chain_id=word(test.fields("config").get("chainid", "0x1")),
            fork=fork,
            number=BlockNumber(word(env["currentNumber"])),
            timestamp=word(env["currentTimestamp"]),
            beneficiary=address(env["currentCoinbase"]),
            prev_randao=Hash32(word(random).to_bytes(32, "big")),
            gas_limit=Gas(word(env["currentGasLimit"])),
            base_fee=Wei(base_fee),
            excess_blob_gas=Gas(word(env.get("currentExcessBlobGas", "0x0"))),
        )

    def check(self, evm: str) -> None:
        """Raises Failed and Unsupported."""
        post = Fields(self.post, "post")
        wanted_root, wanted_logs = data(post["hash"]), data(post["logs"])
        outcome, state = self.run(evm)
        expected = self.post.get("expectException")
        if self._names_refusals and isinstance(outcome, Exception) != bool(expected):
            raise Failed(f"expected {expected or 'that it runs'}, got {_words(outcome)}")
        root = state.root()
        if root != wanted_root:
            raise Failed(f"state root is 0x{root.hex()}, expected {self.post['hash']} ({_words(outcome)})")
        logs = () if isinstance(outcome, Exception) else outcome.logs
        if logs_hash(logs) != wanted_logs:
            raise Failed(f"the hash of the logs is 0x{logs_hash(logs).hex()}, expected {self.post['logs']}")

    @property
    def _names_refusals(self) -> bool:
        """Those of ethereum/legacytests, which have no signed transaction either, tell them by the state root alone."""
        return "expectException" in self.post or "txbytes" in self.post

    def run(self, evm: str) -> tuple[Outcome | Exception, MemoryState]:
        """The outcome, or why the transaction was refused, and the state after it."""
        state, environment, fork = self.state(), self.environment(), self.fork
        any_s = fork < Fork.HOMESTEAD
        try:
            transaction = decode_transaction(self.raw, any_s=any_s)
            if transaction.gas > environment.gas_limit:  # block assembly's rule
                raise GasLimitReached(transaction.gas, environment.gas_limit)
            sender = transaction.sender(any_s=any_s)
            outcome = engine_for(fork, evm).execute(transaction, sender, environment, state)
        except (CannotInclude, ChainError) as refusal:
            if fork < Fork.SPURIOUS_DRAGON:  # a reward of nothing is paid all the same, and makes an account
                state.apply(Writes(touched=(environment.beneficiary,)))
            return refusal, state
        state.apply(outcome.writes)
        state.apply(Writes(balances={environment.beneficiary: outcome.fee}))
        return outcome, state


def state_of(pre: dict[str, Any], fork: Fork) -> MemoryState:
    """The accounts that a test begins with. Raises Failed."""
    state = MemoryState()
    for name, account in fields_of(pre, "pre").each():
        slots = {word(slot): word(value) for slot, value in account.fields("storage").items()}
        nonce, balance = word(account.get("nonce", "0x0")), word(account.get("balance", "0x0"))
        state.put(address(name), nonce, balance, data(account.get("code", "0x")), slots, fork)
    return state


def state_cases(name: str, test: dict[str, Any]) -> Iterator[StateCase]:
    """Every outcome of a state test. Raises Failed."""
    posts = fields_of(Fields(test)["post"], "post")
    for network in posts.values:
        for index, post in enumerate(posts.rows(network)):
            yield StateCase(f"{name}[{network}-{index}]", network, test, post.values)


def logs_hash(logs: tuple[Log, ...]) -> bytes:
    return keccak256(rlp.encode([[log.address, list(log.topics), log.data] for log in logs]))


def _words(outcome: Outcome | Exception) -> str:
    if isinstance(outcome, Exception):
        return f"{type(outcome).__name__}: {outcome}"
    return f"{'success' if outcome.succeeded else outcome.error or 'failure'} with {outcome.gas_used} gas"
