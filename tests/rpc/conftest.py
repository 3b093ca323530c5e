import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import aiohttp
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
        chain.console,
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


@contextlib.asynccontextmanager
async def serving(process: RpcProcess) -> AsyncIterator[str]:
    """The address of the process on a free port, until the end of the block."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    server = asyncio.create_task(process.serve([listener]))
    await process.server.listening.wait()
    try:
        yield address
    finally:
        process.stop()
        await server


@pytest.fixture
async def address(process: RpcProcess) -> AsyncIterator[str]:
    async with serving(process) as address:
        yield address


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
