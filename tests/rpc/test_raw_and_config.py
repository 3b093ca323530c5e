"""Raw encodings, the chain's configuration, and sending that waits for the receipt."""

import asyncio

import pytest

from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.keccak import keccak256
from chain.types import Hash32
from rpc.chain_config import fork_id
from rpc.process import RpcProcess
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, TOKEN, FakeChain, transfer
from tests.rpc.small_chain import turns

# From ethereum/execution-apis at 033ca6e6: genesis.json, and the answer of eth_config/get-config.io.
OFFICIAL_GENESIS = Hash32(bytes.fromhex("44fd89d504659cd58f48f4796b77a7e7012cf296a2409afa2f6c3cb99b5b3d99"))
OFFICIAL_BLOCKS = (0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36)
OFFICIAL_TIMES = (390, 420, 450, 480, 510, 540)
OFFICIAL_FORK_ID = 0xE272ECBE


async def test_raw_encodings_hash_to_what_they_encode(client: Client, chain: FakeChain) -> None:
    chain.append(transfer(0), transfer(1))
    await chain.execution.tell(chain.news())
    block = chain.head
    header = bytes.fromhex((await client.result("debug_getRawHeader", "latest"))[2:])
    assert keccak256(header) == block.hash
    whole = bytes.fromhex((await client.result("debug_getRawBlock", data_json(block.hash)))[2:])
    assert header in whole
    assert len(whole) == int((await client.result("eth_getBlockByNumber", "0x1", False))["size"], 16)
    assert await client.result("debug_getRawReceipts", "0x1") == [data_json(r.encode()) for r in block.receipts]
    assert await client.result("debug_getRawTransaction", data_json(transfer(1).hash)) == data_json(transfer(1).raw)
    assert await client.result("debug_getRawTransactions", "0x1") == [data_json(transfer(n).raw) for n in range(2)]
    assert await client.result("debug_getRawTransaction", word_json(1)) == "0x"
    assert await client.error("debug_getRawBlock", "0x9") == (-32000, "not found")
    for method in ("debug_getRawBlock", "debug_getRawHeader", "debug_getRawReceipts"):
        assert await client.error(method, "pending") == (-32000, "pending block is not available")
    shown = await client.result("eth_getHeaderByNumber", "0x1")
    assert shown["hash"] == data_json(block.hash)
    assert "transactions" not in shown
    assert await client.result("eth_getHeaderByHash", shown["hash"]) == shown


async def test_many_slots_are_read_at_once(client: Client) -> None:
    wanted = {data_json(TOKEN): [word_json(0), word_json(1)], data_json(ALICE): [word_json(7)]}
    expected = {data_json(TOKEN): [word_json(42), word_json(0)], data_json(ALICE): [word_json(0)]}
    assert await client.result("eth_getStorageValues", wanted, "latest") == expected
    assert await client.error("eth_getStorageValues", {}, "latest") == (-32602, "empty request")
    many = {data_json(TOKEN): [word_json(0)] * 1025}
    assert await client.error("eth_getStorageValues", many) == (-38026, "too many slots (max 1024)")


async def test_the_configuration_is_that_of_the_fork_in_force(client: Client) -> None:
    config = await client.result("eth_config")
    assert (config["next"], config["last"]) == (None, None)
    current = config["current"]
    assert current["blobSchedule"] == {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716}
    assert "BLS12_G1ADD" in current["precompiles"]
    assert "P256VERIFY" not in current["precompiles"], "Prague has none"
    assert current["systemContracts"]["HISTORY_STORAGE_ADDRESS"] == "0x0000f90827f1c53a10cb7a02335b175320002935"


def test_the_fork_id_is_the_one_that_geth_works_out() -> None:
    schedule = ForkSchedule(
        tuple((number, Fork.LONDON) for number in OFFICIAL_BLOCKS), tuple((time, Fork.BPO2) for time in OFFICIAL_TIMES)
    )
    assert fork_id(schedule, OFFICIAL_GENESIS, 0, 540) == OFFICIAL_FORK_ID


async def test_a_synchronous_sending_answers_with_the_receipt(client: Client, chain: FakeChain) -> None:
    signed = transfer(0)
    sending = asyncio.ensure_future(client.result("eth_sendRawTransactionSync", data_json(signed.raw)))
    await turns()
    assert not sending.done()
    chain.append(signed)
    await chain.execution.tell(chain.news())
    receipt = await sending
    assert (receipt["transactionHash"], receipt["blockNumber"]) == (data_json(signed.hash), "0x1")


@pytest.mark.parametrize(("wait_ms", "words"), [(5, "5ms")])
async def test_a_synchronous_sending_gives_up_and_says_which_transaction_waits(
    client: Client, process: RpcProcess, wait_ms: int, words: str
) -> None:
    signed = transfer(3)
    answer = await client.ask("eth_sendRawTransactionSync", data_json(signed.raw), wait_ms)
    message = f"The transaction was added to the transaction pool but wasn't processed in {words}"
    assert answer["error"] == {"code": 4, "message": message, "data": data_json(signed.hash)}
    assert signed.hash in process.node.admission.pool
