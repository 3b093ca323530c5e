"""What the rpc process writes to its log at level info: a line for each call, and what becomes of transactions."""

import logging
import re

import orjson
import pytest

from chain.messages.mempool import Evicted
from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.conftest import open_process
from tests.rpc.fake_chain import KEYS, FakeChain, transfer

LOGGER = "tandem.rpc"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


@pytest.fixture
def talkative(process: RpcProcess, caplog: pytest.LogCaptureFixture) -> Client:
    caplog.set_level(logging.INFO, LOGGER)
    return Client(Dispatcher(process.node))


async def test_each_call_has_a_line_with_its_method_and_duration(
    talkative: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await talkative.result("eth_chainId")
    calls = [{"jsonrpc": "2.0", "id": 1, "method": name} for name in ("eth_blockNumber", "net_version")]
    await talkative.post(orjson.dumps(calls))
    found = [re.fullmatch(r"(\w+) (\d+\.\d) ms", line) for line in lines(caplog)]
    assert [match and match[1] for match in found] == ["eth_chainId", "eth_blockNumber", "net_version"]


async def test_the_line_of_a_failed_call_has_the_error(
    talkative: Client, chain: FakeChain, caplog: pytest.LogCaptureFixture
) -> None:
    await talkative.error("eth_getBalance")
    chain.storage.connected = False
    await talkative.error("eth_getBalance", "0x" + "05" * 20)
    first, second = lines(caplog)
    assert re.fullmatch(r"eth_getBalance \d+\.\d ms failed: 'missing value for required argument 0'", first)
    assert re.fullmatch(r"eth_getBalance \d+\.\d ms failed: 'TimeoutError'", second)


async def test_what_a_client_makes_up_stays_one_short_line(talkative: Client, caplog: pytest.LogCaptureFixture) -> None:
    await talkative.error("eth_\nforged line" + "x" * 10_000)
    [line] = lines(caplog)
    assert line.startswith("unknown method ")
    assert "\n" not in line
    assert len(line) < 400


async def test_nothing_is_written_where_info_is_off(
    client: Client, process: RpcProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)  # too late: the level was looked at when the process opened
    await client.result("eth_chainId")
    await process.node.admission.submit(transfer(0).raw)
    assert lines(caplog) == []


async def test_transactions_that_come_and_go_are_named(chain: FakeChain, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    async with open_process(chain) as process:
        executed, evicted = transfer(0), transfer(0, key=KEYS[1])
        for transaction in (executed, evicted):
            await process.node.admission.submit(transaction.raw)
        chain.append(executed)
        await chain.execution.tell(chain.news())
        for validator in chain.validators.values():
            await validator.tell(Evicted(evicted.hash, "no room"))
        assert lines(caplog) == [
            f"admitted 0x{executed.hash.hex()}: nonce 0 of 0x{executed.sender().hex()}",
            f"admitted 0x{evicted.hash.hex()}: nonce 0 of 0x{evicted.sender().hex()}",
            f"evicted 0x{evicted.hash.hex()}: no room",
        ]
