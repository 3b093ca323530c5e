"""What a run recorded is all it depended on: on any other state with the same read values it does the same."""

import random

import pytest

from chain.accounts import Account
from chain.keccak import EMPTY_HASH, keccak256
from chain.transactions import decode_transaction
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.outcome import Outcome, Reads
from node.conformance.engines import engine_for
from node.conformance.memory_state import MemoryState
from node.conformance.state_case import StateCase
from tests.conformance import sample

RUNNING = [case for case in sample.load() if "expectException" not in case.post]


class Elsewhere:
    """A state that agrees with the reads and is made up in everything else."""

    def __init__(self, reads: Reads, real: MemoryState, seed: int) -> None:
        self._reads = reads
        self._real = real
        self._random = random.Random(seed)
        self._accounts: dict[Address, Account] = {}

    def account(self, address: Address) -> Account:
        if address not in self._accounts:
            self._accounts[address] = self._make_up(address)
        return self._accounts[address]

    def _make_up(self, address: Address) -> Account:
        reads = self._reads
        if reads.empty.get(address):
            return Account()
        nonce = reads.nonces.get(address, self._random.randrange(2**32))
        code_hash = reads.code_hashes.get(address, Hash32(self._random.randbytes(32)))
        balance = reads.balances.get(address)
        if balance is None:
            balance = Wei(max(reads.minimums.get(address, 0), 1) + self._random.randrange(10**18))
        assert address not in reads.empty or nonce or balance or code_hash != EMPTY_HASH
        return Account(nonce, balance, code_hash)

    def slot(self, address: Address, number: int) -> int:
        return self._reads.slots.get((address, number), self._random.randrange(2**256))

    def code(self, code_hash: Hash32) -> bytes:
        return self._real.code(code_hash)

    def block_hash(self, number: BlockNumber) -> Hash32:
        return keccak256(str(number).encode())

    def has_storage(self, address: Address) -> bool:
        return self._real.has_storage(address)


def execute(case: StateCase, view: MemoryState | Elsewhere) -> Outcome:
    transaction = decode_transaction(case.raw)
    return engine_for(case.fork, "compiled").execute(transaction, transaction.sender(), case.environment(), view)


@pytest.mark.parametrize("case", RUNNING, ids=lambda case: case.name)
def test_a_run_depends_on_its_reads_alone(case: StateCase) -> None:
    real = case.state()
    outcome = execute(case, real)
    for seed in (1, 2):
        assert execute(case, Elsewhere(outcome.reads, real, seed)) == outcome, f"seed {seed}"
