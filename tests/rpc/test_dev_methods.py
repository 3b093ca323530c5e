"""Developer methods, as far as they are not about the state: what they give up, and where they do not exist."""

from dataclasses import replace
from typing import Any

import pytest

from chain.operations import DropTransactions, Operation, RevertToBlock, SetChainId
from chain.types import BlockNumber
from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.conftest import open_process
from tests.rpc.fake_chain import CHAIN_ID, GWEI, FakeChain, transfer


class KeptOperations:
    """An operator that only notes what it is to carry out."""

    def __init__(self) -> None:
        self.seen: list[Operation] = []

    async def execute(self, operation: Operation) -> int:
        self.seen.append(operation)
        return 0


@pytest.fixture
def operations(process: RpcProcess) -> list[Operation]:
    operator = KeptOperations()
    object.__setattr__(process.node, "operator", operator)
    return operator.seen


async def test_what_waits_for_the_old_chain_id_is_given_up_first(client: Client, operations: list[Operation]) -> None:
    waiting = transfer(1)
    await client.result("eth_sendRawTransaction", data_json(waiting.raw))
    await client.result("anvil_setChainId", CHAIN_ID)
    await client.result("anvil_setChainId", 5)
    assert operations == [SetChainId(CHAIN_ID), DropTransactions((waiting.hash,)), SetChainId(5)]


async def test_a_reset_takes_the_least_tip_back(client: Client, operations: list[Operation]) -> None:
    await client.result("miner_setGasPrice", hex(2 * GWEI))
    await client.result("hardhat_reset")
    assert operations == [RevertToBlock(BlockNumber(0), fresh=True)]
    assert await client.result("eth_maxPriorityFeePerGas") == hex(GWEI)
    await client.result("eth_sendRawTransaction", data_json(transfer(0).raw))


@pytest.mark.parametrize(
    ("method", "params"), [("anvil_setChainId", []), ("anvil_loadState", ["zz"]), ("evm_mine", [1, 2, 3])]
)
async def test_without_developer_methods_wrong_arguments_do_not_tell_that_there_are_any(
    chain: FakeChain, method: str, params: list[Any]
) -> None:
    chain.genesis = replace(chain.genesis, dev_api=False)
    async with open_process(chain) as process:
        refused = await Client(Dispatcher(process.node)).error(method, *params)
    assert refused == (-32601, f"the method {method} does not exist/is not available")
