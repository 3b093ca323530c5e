"""One transaction after the other through an EVM alone: ours, interpreted and compiled, and py-evm as it comes.

py-evm runs with its own interpreter and its own account database, on a state in memory. Nobody recovers a sender: every
transaction comes with it.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction

from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.engine import Engine
from execution.evm.call_instructions import contract_address
from node.conformance.memory_state import MemoryState
from scripts.benchmarks.figures import Figure
from tests.contracts import artifact

EVMS = ("compiled", "interpreter", "py-evm")
CHAIN_ID = 31337
SENDER, RECIPIENT, BENEFICIARY = (Address(bytes((byte,)) * 20) for byte in (0xA1, 0xB0, 0xBE))
EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
BALANCE = 10**24
TOKENS = 10**21
MAX_FEE, TIP, BASE_FEE = 100, 1, 7
GAS = 10_000_000
ENVIRONMENT = BlockEnvironment(
    chain_id=CHAIN_ID,
    fork=Fork.PRAGUE,
    number=BlockNumber(1),
    timestamp=1_700_000_000,
    beneficiary=BENEFICIARY,
    prev_randao=Hash32(bytes(32)),
    gas_limit=Gas(3 * GAS),
    base_fee=Wei(BASE_FEE),
    excess_blob_gas=Gas(0),
)
WARM_UP, REPEATS = 30, 5


@dataclass(frozen=True, slots=True)
class EvmLoad:
    """How many plain transfers make a round; of what takes longer there are fewer."""

    transactions: int


class TransactionFailed(Exception):
    """A benchmark's transaction did not succeed: its figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class EvmSubject:
    name: str

    @property
    def description(self) -> str:
        return "py-evm with its own interpreter and account database" if self.name == "py-evm" else "Tandem's engine"


class Evm(Protocol):
    def run(self, nonce: int, to: Address | None, data: bytes, value: int) -> bytes:
        """Runs a transaction on the state left by the one before. Gives its output; raises TransactionFailed."""
        ...


class OurEvm:
    def __init__(self, kind: str) -> None:
        self._engine = Engine(Fork.PRAGUE, kind)
        self._state = MemoryState()
        self._state.put(SENDER, 0, BALANCE, b"", {})

    def run(self, nonce: int, to: Address | None, data: bytes, value: int) -> bytes:
        transaction = Transaction(
            type=DYNAMIC_FEE,
            chain_id=CHAIN_ID,
            nonce=nonce,
            max_fee=Wei(MAX_FEE),
            max_priority_fee=Wei(TIP),
            gas=Gas(GAS),
            to=to,
            value=Wei(value),
            data=data,
        )
        outcome = self._engine.execute(transaction, SENDER, ENVIRONMENT, self._state)
        self._state.apply(outcome.writes)
        if not outcome.succeeded:
            raise TransactionFailed(f"transaction {nonce}: {outcome.error} {outcome.output.hex()}")
        return outcome.output


class PyEvm:
    def __init__(self) -> None:
        context = ExecutionContext(
            coinbase=ENVIRONMENT.beneficiary,
            timestamp=ENVIRONMENT.timestamp,
            block_number=ENVIRONMENT.number,
            difficulty=0,
            mix_hash=ENVIRONMENT.prev_randao,
            gas_limit=ENVIRONMENT.gas_limit,
            prev_hashes=(),
            chain_id=CHAIN_ID,
            base_fee_per_gas=ENVIRONMENT.base_fee,
            excess_blob_gas=ENVIRONMENT.excess_blob_gas,
        )
        self._state = PragueState(AtomicDB(), context, EMPTY_ROOT)
        self._state.set_balance(SENDER, BALANCE)
        self._state.lock_changes()

    def run(self, nonce: int, to: Address | None, data: bytes, value: int) -> bytes:
        unsigned = PragueTransactionBuilder.new_unsigned_dynamic_fee_transaction(
            CHAIN_ID, nonce, TIP, MAX_FEE, GAS, to or b"", value, data, ()
        )
        computation = self._state.apply_transaction(SpoofTransaction(unsigned, from_=SENDER))
        self._state.lock_changes()
        if computation.is_error:
            raise TransactionFailed(f"transaction {nonce}: {computation.error!r}")
        return bytes(computation.output)


@dataclass(slots=True)
class Workshop:
    """An EVM with the contracts on it, and the next nonce."""

    evm: Evm
    nonce: int = 0

    def send(self, to: Address | None, data: bytes = b"", value: int = 0) -> bytes:
        self.nonce += 1
        return self.evm.run(self.nonce - 1, to, data, value)

    def deploy(self, name: str, *arguments: int) -> Address:
        created = contract_address(SENDER, self.nonce)
        self.send(None, artifact(name).bytecode + _words(*arguments))
        return created

    def call(self, to: Address, signature: str, *arguments: int) -> bytes:
        return self.send(to, keccak256(signature.encode())[:4] + _words(*arguments))


def measure_evm(subject: EvmSubject, load: EvmLoad) -> Iterator[Figure]:
    """Microseconds of CPU that a transaction takes: the median of several rounds, warm."""
    workshop = Workshop(PyEvm() if subject.name == "py-evm" else OurEvm(subject.name))
    for name, share, work in _works(workshop):
        count = max(3, load.transactions // share)
        for _ in range(min(WARM_UP, count)):
            work()
        yield Figure(name, statistics.median(_round(work, count) for _ in range(REPEATS)), "us")


def _round(work: Callable[[], object], count: int) -> float:
    began = time.thread_time()
    for _ in range(count):
        work()
    return (time.thread_time() - began) / count * 1e6


def _works(workshop: Workshop) -> Sequence[tuple[str, int, Callable[[], object]]]:
    """What is measured; the second says how many fewer of it there are than of transfers."""
    call, number = workshop.call, _number
    token, other = (workshop.deploy("Token", 0x40, 0x60, 0, 0) for _ in range(2))
    factory = workshop.deploy("Factory")
    router = workshop.deploy("Router", number(factory))
    for each in (token, other):
        call(each, "mint(address,uint256)", number(SENDER), TOKENS)
        call(each, "approve(address,uint256)", number(router), TOKENS)
    liquidity = (number(token), number(other), TOKENS // 4, TOKENS // 4, number(SENDER), 2**255)
    call(router, "addLiquidity(address,address,uint256,uint256,address,uint256)", *liquidity)
    swap = (10**6, 0, 0xA0, number(SENDER), 2**255, 2, number(token), number(other))
    keccak_loop, sorter = workshop.deploy("KeccakLoop"), workshop.deploy("Sorter")
    return (
        ("plain transfer", 1, lambda: workshop.send(RECIPIENT, value=1)),
        ("ERC-20 transfer", 2, lambda: call(token, "transfer(address,uint256)", number(RECIPIENT), 1)),
        (
            "Uniswap-V2 swap",
            6,
            lambda: call(router, "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", *swap),
        ),
        ("keccak loop, 1,000 rounds", 60, lambda: call(keccak_loop, "run(uint256)", 1_000)),
        ("sort of 48 numbers in memory", 60, lambda: call(sorter, "run(uint256,uint256)", 7, 48)),
    )


def _number(address: Address) -> int:
    return int.from_bytes(address, "big")


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)
