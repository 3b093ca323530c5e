from collections.abc import AsyncIterator, Callable

import pytest

from chain.types import ValidatorIndex
from consensus.process import ValidatorProcess
from tests.consensus.builders import CrashableDatabase
from tests.consensus.processes import KEYS, LoopbackPeers, genesis_of


@pytest.fixture
async def chain() -> AsyncIterator[Callable[[int], list[ValidatorProcess]]]:
    started: list[ValidatorProcess] = []

    def start(validators: int) -> list[ValidatorProcess]:
        genesis = genesis_of(validators)
        processes: list[ValidatorProcess] = []
        for i in range(validators):
            peers = LoopbackPeers(i, processes)
            processes.append(ValidatorProcess(ValidatorIndex(i), genesis, KEYS[i], CrashableDatabase(), peers))
        for process in processes:
            process.start()
        started.extend(processes)
        return processes

    yield start
    for process in started:
        await process.close()
