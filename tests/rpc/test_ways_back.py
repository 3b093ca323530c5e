"""How far back the chain can go is asked of every executor."""

from dataclasses import replace

from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import FakeChain


async def test_nothing_goes_back_by_blocks_while_an_executor_cannot_say_how_far_it_could(
    process: RpcProcess, chain: FakeChain
) -> None:
    away = FakeChain().storage
    away.connected = False
    client = Client(Dispatcher(replace(process.node, storages=lambda: (chain.storage, away))))
    code, message = await client.error("anvil_rollback", 0)
    assert (code, message.split(",")[0]) == (-32000, "an executor's storage does not answer")
