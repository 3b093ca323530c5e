import contextlib
from collections.abc import AsyncIterator

import pytest

from rpc.access import AccessRules
from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import KEYS, FakeChain


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@contextlib.asynccontextmanager
async def open_process(
    chain: FakeChain, executors: int = 1, access: AccessRules | None = None
) -> AsyncIterator[RpcProcess]:
    """An rpc process over the chain, open and not listening."""
    process = RpcProcess(
        chain.genesis,
        chain.storage,
        chain.execution,
        chain.validators,
        chain.callers,
        KEYS,
        chain.faults,
        chain.processes,
        executors,
        access=access,
    )
    await process.open()
    yield process
    await process.node.admission.close()
    await process.node.consensus.close()
    await process.node.executors.close()


@pytest.fixture
async def process(chain: FakeChain) -> AsyncIterator[RpcProcess]:
    async with open_process(chain) as process:
        yield process


@pytest.fixture
def client(process: RpcProcess) -> Client:
    return Client(Dispatcher(process.node))
