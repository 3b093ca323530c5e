"""Random blocks: the executable specification, serial execution and every strategy come to the same.

The specification knows nothing of py-evm, which our engine is built on and which most other tests compare with.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from chain.block_case import BlockCase, CaseAccount, CaseTransaction
from chain.forks import Fork
from chain.keccak import keccak256
from chain.merkle import ordered_root
from chain.messages.execution import BlockEnvironment
from chain.receipts import bloom_of
from chain.signing import sign
from chain.transactions import SET_CODE, Authorization, Transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.assembly import receipts_of
from execution.case_run import CaseRun
from execution.state_after import state_after
from execution.strategies import STRATEGIES
from node.conformance.memory_state import MemoryState
from node.workbench import workbench
from tests.execution.engine.attacks import ABUSED, BORN_DEAD, GREEDY, MISLED
from tests.execution.engine.small_world import assemble
from tests.execution.engine.test_against_py_evm import ProgramWriter
from tests.execution.test_equivalence import EMPTY, TOKEN, Generator, world_genesis
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, GWEI, KEYS, transaction
from tests.specification.oracle import Expected, Specification, SpecificationBroke, SpecificationMissing

SEED = int(os.environ.get("TANDEM_SEED", "7"))
FORKS = (Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA)
SAMPLE, MANY = 2, 40
"""Blocks of each fork: of every day, and by scripts/test --full."""
NUMBER = 1_000
PROGRAMS = [Address(bytes([0xB0, n]) * 10) for n in range(8)]
BREAKS_IT = "a modular power of sizes beyond all memory"
"""What the specification cannot do itself: see SpecificationBroke."""
ATTACKS = {name: code for name, code in (GREEDY | MISLED | BORN_DEAD | ABUSED).items() if name != BREAKS_IT}
VICTIMS = [Address(n.to_bytes(2, "big").rjust(20, b"\xaa")) for n in range(len(ATTACKS))]


class Blocks(Generator):
    """The random blocks of the other tests, with contracts of random code, attacks and delegated accounts in them."""

    def __init__(self, seed: str, fork: Fork) -> None:
        super().__init__(0)
        self.random = random.Random(seed)
        self.fork = fork

    def case(self, size: int) -> BlockCase:
        environment = BlockEnvironment(
            chain_id=CHAIN_ID,
            fork=self.fork,
            number=BlockNumber(NUMBER),
            timestamp=1_700_000_000 + self.random.randrange(10**6),
            beneficiary=BENEFICIARY,
            prev_randao=Hash32(self.random.randbytes(32)),
            gas_limit=Gas(30_000_000),
            base_fee=Wei(GWEI),
            excess_blob_gas=Gas(0),
        )
        made = [each for each in (self.any_transaction() for _ in range(size)) if isinstance(each, Transaction)]
        signed = tuple(CaseTransaction(each.raw, each.sender()) for each in made)
        hashes = {BlockNumber(n): keccak256(str(n).encode()) for n in range(NUMBER - 256, NUMBER)}
        root = Hash32(self.random.randbytes(32))
        return BlockCase(environment, signed, self.accounts_before(), hashes, parent_beacon_root=root)

    def accounts_before(self) -> dict[Address, CaseAccount]:
        accounts = {
            row.address: CaseAccount(row.account.nonce, row.account.balance, row.code or b"", dict(row.slots))
            for row in world_genesis().accounts
        }
        for address in PROGRAMS:
            code = ProgramWriter(self.random).write(self.random.randrange(5, 120))
            slots = {slot: self.random.randrange(1, 5) for slot in range(self.random.randrange(5))}
            accounts[address] = CaseAccount(1, Wei(self.random.choice((0, 10**18))), code, slots)
        for address, program in zip(VICTIMS, ATTACKS.values(), strict=True):
            accounts[address] = CaseAccount(1, Wei(0), assemble(program), {})
        return accounts

    def any_transaction(self) -> Transaction | bytes:
        who = self.random.randrange(self.accounts)
        kinds: list[Callable[[], Transaction | bytes]] = [
            self.transaction,
            lambda: self.program(who),
            lambda: self.attack(who),
        ]
        if self.fork >= Fork.PRAGUE:
            kinds.append(lambda: self.delegate(who))
        return self.random.choices(kinds, (6, 3, 1, 1)[: len(kinds)])[0]()

    def program(self, who: int) -> Transaction:
        return self.to_contract(who, self.random.choice(PROGRAMS), self.random.randbytes(self.random.randrange(60)))

    def attack(self, who: int) -> Transaction:
        return self.to_contract(who, self.random.choice(VICTIMS), b"")

    def delegate(self, who: int) -> Transaction:
        """One to three accounts take on code, or give it up; some of the signatures are for a nonce that is not."""
        signed = []
        for _ in range(self.random.randrange(1, 4)):
            authority = self.random.randrange(self.accounts)
            nonce = self.nonces[authority] + self.random.choice((0, 0, 0, 1, 5))
            code = self.random.choice([TOKEN, *PROGRAMS, Address(bytes(20)), ADDRESSES[authority]])
            chain_id = self.random.choice((0, CHAIN_ID, CHAIN_ID, 5))
            if chain_id != 5 and nonce == self.nonces[authority]:
                self.nonces[authority] += 1
            unsigned = Authorization(chain_id, code, nonce, 0, 0, 0)
            y_parity, r, s = sign(unsigned.signing_hash(), KEYS[authority])
            signed.append(replace(unsigned, y_parity=y_parity, r=r, s=s))
        to = self.random.choice([*ADDRESSES[: self.accounts], *EMPTY, TOKEN])
        nonce = self.next_nonce(who)
        gas = Gas(self.random.choice((120_000, 300_000)))
        return transaction(KEYS[who], nonce, type=SET_CODE, to=to, gas=gas, authorizations=tuple(signed))


@pytest.fixture(scope="module")
def specification() -> Iterator[Specification]:
    try:
        made = Specification()
    except SpecificationMissing as missing:
        pytest.skip(f"the executable specification cannot be installed: {missing}")
    with made:
        yield made


def state_root_of(case: BlockCase, run: CaseRun) -> bytes:
    """Of the whole state after the run."""
    after = state_after(case, run)
    codes = {keccak256(row.code): row.code for row in case.accounts.values()}
    codes |= {keccak256(change.code): change.code for change in run.changes if change.code is not None}
    codes[keccak256(b"")] = b""
    world = MemoryState()
    for address in {*case.accounts, *after.accounts, *(address for address, _ in after.slots)}:
        nonce, balance, code_hash = after.account(address)
        before = {} if address not in case.accounts or address in after.cleared else case.accounts[address].slots
        slots = before | {slot: value for (owner, slot), value in after.slots.items() if owner == address}
        if nonce or balance or codes[code_hash]:
            world.put(address, nonce, balance, codes[code_hash], slots)
    return world.root()


def check(case: BlockCase, run: CaseRun, all_sent: Expected, included: Expected, label: str) -> None:
    turns = run.block.turns
    left_out = {index for index, turn in enumerate(turns) if turn.outcome is None}
    assert left_out == set(all_sent.rejected), f"{label}: {all_sent.rejected}"
    assert not included.rejected, label
    assert state_root_of(case, run) == included.state_root == all_sent.state_root, label
    receipts = receipts_of(run.block)
    assert ordered_root([receipt.encode() for receipt in receipts]) == included.receipts_root, label
    assert bloom_of(entry for receipt in receipts for entry in receipt.logs) == included.logs_bloom, label
    assert run.block.gas_used == included.gas_used, label
    assert run.block.requests_hash == included.requests_hash, label


async def agree(specification: Specification, fork: Fork, numbers: Sequence[int], size: int) -> None:
    broken = 0
    async with workbench(workers=2) as bench:
        for number in numbers:
            label = f"{fork.label}, seed {SEED}, block {number}"
            case = Blocks(f"{SEED}-{number}-{fork.label}", fork).case(size)
            everything = range(len(case.transactions))
            try:
                all_sent = specification.run(case, everything)
            except SpecificationBroke:
                broken += 1
                continue
            included = specification.run(case, [index for index in everything if index not in all_sent.rejected])
            for strategy in STRATEGIES:
                check(case, await bench.run(case, strategy), all_sent, included, f"{label}, {strategy}")
    assert broken * 10 <= len(numbers), "the specification broke too often to say much"


@pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.label)
async def test_random_blocks_come_out_as_the_specification_has_it(fork: Fork, specification: Specification) -> None:
    await agree(specification, fork, range(SAMPLE), size=40)


@pytest.mark.full
@pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.label)
async def test_many_random_blocks_come_out_as_the_specification_has_it(
    fork: Fork, specification: Specification
) -> None:
    await agree(specification, fork, range(SAMPLE, MANY), size=80)
