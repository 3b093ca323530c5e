"""Real blocks come out as their headers say and leave the state that py-evm leaves, under every strategy.

A few small ones always (derived from the data of risechain/pevm, MIT); with the marker `full` all that lie in
the folder that TANDEM_MAINNET_BLOCKS names.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chain.block_case import BlockCase
from chain.forks import Fork
from execution.case_differences import against_header, against_state
from execution.engine import EVMS
from execution.evm.py_evm_serial import run_serially
from execution.state_after import StateAfter, state_after
from execution.strategies import STRATEGIES
from node.case_files import case_files
from node.workbench import Workbench, workbench

FEW = Path(__file__).parent / "fixtures" / "blocks"


def cases_in(folder: Path) -> list[tuple[BlockCase, StateAfter]]:
    """Each block, and the state that py-evm leaves after it."""
    cases = [file.read() for file in case_files(folder)]
    return [(case, run_serially(case)) for case in cases]


async def differences(bench: Workbench, case: BlockCase, wanted: StateAfter, strategy: str) -> list[str]:
    run = await bench.run(case, strategy)
    return against_header(case, run.block) + against_state(state_after(case, run), wanted, "py-evm")


@pytest.fixture(scope="module")
def small_blocks() -> list[tuple[BlockCase, StateAfter]]:
    return cases_in(FEW)


@pytest.fixture
async def bench() -> AsyncIterator[Workbench]:
    async with workbench(workers=2) as bench:
        yield bench


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_small_blocks_of_mainnet_come_out_as_they_did(
    strategy: str, bench: Workbench, small_blocks: list[tuple[BlockCase, StateAfter]]
) -> None:
    for case, wanted in small_blocks:
        assert await differences(bench, case, wanted, strategy) == [], case.environment.number


async def test_small_blocks_come_out_the_same_when_interpreted(
    small_blocks: list[tuple[BlockCase, StateAfter]],
) -> None:
    async with workbench(workers=0, evm="interpreter") as bench:
        for case, wanted in small_blocks:
            assert await differences(bench, case, wanted, "serial") == [], case.environment.number


def test_the_small_blocks_are_of_many_forks(small_blocks: list[tuple[BlockCase, StateAfter]]) -> None:
    forks = {case.environment.fork for case, _ in small_blocks}
    assert {Fork.FRONTIER, Fork.HOMESTEAD, Fork.TANGERINE_WHISTLE, Fork.SPURIOUS_DRAGON, Fork.CANCUN} <= forks


@pytest.fixture(scope="module")
def all_blocks() -> list[tuple[BlockCase, StateAfter]]:
    return cases_in(Path(os.environ["TANDEM_MAINNET_BLOCKS"]))


@pytest.mark.full
@pytest.mark.skipif("TANDEM_MAINNET_BLOCKS" not in os.environ, reason="TANDEM_MAINNET_BLOCKS names no folder")
@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_every_block_of_mainnet_comes_out_as_it_did(
    strategy: str, evm: str, all_blocks: list[tuple[BlockCase, StateAfter]]
) -> None:
    async with workbench(workers=2, evm=evm) as bench:
        for case, wanted in all_blocks:
            assert await differences(bench, case, wanted, strategy) == [], case.environment.number
