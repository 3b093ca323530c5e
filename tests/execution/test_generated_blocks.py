"""Whatever contracts and transactions one can think of: every strategy gives what serial execution gives."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from chain.accounts import EMPTY_ACCOUNT
from chain.forks import Fork
from chain.records import AccessKind
from chain.transactions import Transaction
from execution.assembly import ExecutedBlock
from execution.attempts import StaleRead
from execution.block_run import BlockRun
from execution.engine import COMPILED, EVMS, INTERPRETER, Engine
from execution.evm.compiler import BlockCompiler
from execution.evm.instruction_sets import PRAGUE
from execution.evm.program import Compilation, ProgramCache
from execution.outcome import Outcome
from execution.strategies import RULES
from tests.execution.generated_blocks import CASE, CONTRACTS, NOBODY, SENDERS, Case, Plan, Signer
from tests.execution.test_equivalence import by_address
from tests.execution.world import ADDRESSES, Chain

EXAMPLES, EXAMPLES_IN_FULL = 40, 1_500
BROKEN_EXAMPLES, BROKEN_EXAMPLES_IN_FULL = 40, 600
"""Within how many examples broken validation is caught at the latest. As measured, a strategy that skips it was
caught by the 10th; one that overlooks a single kind of read takes up to some hundred."""
SMALL_TASK_US = 1
UNBOUNDED = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


def engine(evm: str) -> Engine:
    """Compiled means from the first run on."""
    made = Engine(Fork.PRAGUE, evm)
    if evm == COMPILED:
        made.use(ProgramCache(PRAGUE, Compilation(BlockCompiler(PRAGUE), hot=1)))
    return made


@contextmanager
def eager_scheduling(case: Case) -> Iterator[None]:
    """Everything goes to the workers, in small tasks that do not depend on how fast this machine is; in four of five
    cases of every fourth chain only the first half does, and the rest stays in the execution process.
    """
    kept = sum(case.paces) % 5
    with (
        patch(
            "execution.strategies.optimistic.for_workers",
            lambda chains, *_: [
                part
                for number, chain in enumerate(chains)
                if (part := chain[: len(chain) // (2 - (number % 4 != kept))])
            ],
        ),
        patch("execution.speculative_strategy.DISPATCH_WORTH_US", 0),
        patch("execution.dependency_rule.pays", lambda *_: True),
        patch("execution.run_times.RunTimes.took", lambda *_: None),
        patch("execution.chain_scheduler.MOST_TASK_US", SMALL_TASK_US),
        patch("execution.dependency_scheduler.TASK_US", SMALL_TASK_US),
        patch("execution.strategies.block_stm.TASK_US", SMALL_TASK_US),
    ):
        yield


Blocks: TypeAlias = list[list[Transaction]]


async def run_serially(case: Case) -> tuple[Blocks, list[ExecutedBlock]]:
    """The transactions of the case, and what they come to, interpreted."""
    chain, signer = Chain(case.genesis(), engine=engine(INTERPRETER)), Signer()
    signed, executed = [], []
    for plans in case.blocks:
        accounts = [chain.storage.accounts.get(address, EMPTY_ACCOUNT) for address in ADDRESSES[:SENDERS]]
        signed.append(signer.sign_block(plans, [account.nonce for account in accounts]))
        executed.append(await chain.run(signed[-1]))
    return signed, executed


async def run(case: Case, blocks: Blocks, strategy: str, evm: str) -> list[ExecutedBlock]:
    chain = Chain(case.genesis(), strategy, 2, engine=engine(evm))
    paces = cycle(case.paces)
    for worker in chain.workers:
        worker.pace = paces
    executed = [await chain.run(block) for block in blocks]
    await chain.stop()
    return executed


def differences(case: Case, evm: str, strategies: Iterable[str] = RULES) -> list[str]:
    """In what the blocks of these strategies differ from those of serial execution, interpreted."""
    with eager_scheduling(case):
        blocks, expected = asyncio.run(run_serially(case))
        return [
            f"{strategy}, block {number}: {name}"
            for strategy in strategies
            for number, (mine, serial) in enumerate(
                zip(asyncio.run(run(case, blocks, strategy, evm)), expected, strict=True)
            )
            for name, one, other in facts(mine, serial)
            if one != other
        ]


def facts(mine: ExecutedBlock, serial: ExecutedBlock) -> Iterator[tuple[str, object, object]]:
    for name in ("header", "transactions", "receipts", "parent_hash_slot"):
        yield name, getattr(mine.apply, name), getattr(serial.apply, name)
    yield "changes", by_address(mine.apply.changes), by_address(serial.apply.changes)
    yield "left out", mine.left_out, serial.left_out
    yield "senders", by_address(mine.senders), by_address(serial.senders)


@pytest.mark.parametrize("evm", EVMS)
@settings(UNBOUNDED, max_examples=EXAMPLES, derandomize=True)
@given(case=CASE)
def test_a_generated_block_comes_out_as_serial_execution_makes_it(evm: str, case: Case) -> None:
    assert differences(case, evm) == []


@pytest.mark.full
@pytest.mark.parametrize("evm", EVMS)
@settings(UNBOUNDED, max_examples=EXAMPLES_IN_FULL, print_blob=True)
@given(case=CASE)
def test_many_generated_blocks_come_out_as_serial_execution_makes_them(evm: str, case: Case) -> None:
    assert differences(case, evm) == []


def overlooking(kinds: Collection[AccessKind]) -> Any:
    """A validation that takes stale reads of these kinds for good ones."""
    validate = BlockRun.stale_reads

    async def stale_reads(block: BlockRun, outcome: Outcome) -> tuple[StaleRead, ...]:
        return tuple(read for read in await validate(block, outcome) if read.kind not in kinds)

    return patch("execution.block_run.BlockRun.stale_reads", stale_reads)


def first_example_that_shows(defect: Any, strategy: str, examples: int) -> int:
    """Its number, 0 if none of so many does."""
    tried, shown = 0, 0

    @settings(UNBOUNDED, max_examples=examples, derandomize=True, phases=[Phase.generate])
    @given(case=CASE)
    def search(case: Case) -> None:
        nonlocal tried, shown
        if not shown:
            tried += 1
            try:
                shown = tried if differences(case, INTERPRETER, [strategy]) else 0
            except AssertionError:  # somebody spent what they do not have
                shown = tried

    with defect:
        search()
    return shown


@pytest.mark.parametrize("strategy", RULES)
def test_a_strategy_that_skips_validation_is_caught_within_so_many_examples(strategy: str) -> None:
    shown = first_example_that_shows(overlooking(tuple(AccessKind)), strategy, BROKEN_EXAMPLES)
    assert shown, f"{BROKEN_EXAMPLES} examples did not show that {strategy} skips validation"


@pytest.mark.full
@pytest.mark.parametrize("kind", [AccessKind.NONCE, AccessKind.BALANCE, AccessKind.SLOT])
def test_a_validation_that_overlooks_one_kind_of_read_is_caught_within_so_many_examples(kind: AccessKind) -> None:
    shown = first_example_that_shows(overlooking([kind]), "optimistic", BROKEN_EXAMPLES_IN_FULL)
    assert shown, f"{BROKEN_EXAMPLES_IN_FULL} examples did not show that {kind.name} is overlooked"


@pytest.mark.parametrize("evm", EVMS)
def test_running_out_of_gas_at_any_step_comes_out_as_in_serial_execution(evm: str) -> None:
    pays = f"0 0 0 0 1 0x{NOBODY.hex()} GAS CALL POP"
    creates = f"0x{bytes(32).hex()} 0 MSTORE 1 0 0 CREATE POP"
    busy = ("1 0 SLOAD ADD 0 SSTORE", "7 0 MSTORE 32 0 LOG0", pays, "1 0 SLOAD ADD 0 SSTORE", creates, "3 1 SSTORE")
    plans = [
        Plan("call", number % SENDERS, CONTRACTS[0], 0, gas, 0, (), 0, CONTRACTS[0], 0, False)
        for number, gas in enumerate(range(0, 150_000, 750))
    ]
    blocks = tuple(tuple(plans[at : at + 40]) for at in range(0, len(plans), 40))
    case = Case((busy,), blocks, (1, 3, 2))
    _, executed = asyncio.run(run_serially(case))
    succeeded = [receipt.succeeded for block in executed for receipt in block.apply.receipts]
    assert 20 < succeeded.count(True) < succeeded.count(False)
    assert differences(case, evm) == []
