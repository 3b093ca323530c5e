"""Blocks as test suites want them: when, how many, with which time, fee and limit, and taken back again."""

from itertools import pairwise

import pytest

from tests.e2e.chain_process import wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.operations import NOBODY, OTHER, agreed, latest, mined, number, send, timestamp
from tests.e2e.running_node import Node

STORE_NUMBER_TIME_AND_RANDOMNESS = "0x435f55426001554460025500"
"""NUMBER, TIMESTAMP and PREVRANDAO, each to a slot."""

pytestmark = pytest.mark.usefixtures("tandem_only")


@pytest.mark.parametrize("gas_limit", ["0x0", "0x1387", "0x8000000000000000"])
def test_a_gas_limit_that_no_block_may_have_is_refused(fresh: JsonRpc, gas_limit: str) -> None:
    before = fresh.call("eth_getBlockByNumber", "latest", False)["gasLimit"]
    with pytest.raises(RpcError, match="a block's gas limit is from 5000 to 9223372036854775807, not"):
        fresh.call("evm_setBlockGasLimit", gas_limit)
    fresh.call("evm_mine")
    assert fresh.call("eth_getBlockByNumber", "latest", False)["gasLimit"] == before


@pytest.mark.parametrize("method", ["anvil_setBlockTimestampInterval", "evm_setNextBlockTimestamp"])
def test_time_stands_still_at_the_last_second_of_a_header(fresh: JsonRpc, method: str) -> None:
    fresh.call(method, 2**64 - 1)
    fresh.call("eth_call", {"to": NOBODY}, "pending")
    fresh.call("anvil_mine", 3)
    assert int(fresh.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) == 2**64 - 1


def test_the_clock_cannot_be_moved_to_where_no_block_can_be(fresh: JsonRpc) -> None:
    for seconds in (2**64 - 1, -(2**40)):
        with pytest.raises(RpcError, match="a block's time is from 0 to 18446744073709551615"):
            fresh.call("evm_increaseTime", seconds)
    assert fresh.call("evm_mine") == "0x0"


def test_time_is_moved(fresh: JsonRpc) -> None:
    before = timestamp(fresh)
    moved = fresh.call("evm_increaseTime", 3600)
    fresh.call("evm_mine")
    assert 3600 <= timestamp(fresh) - before <= 3600 + 300
    assert fresh.call("evm_increaseTime", 10) == moved + 10
    fresh.call("evm_setNextBlockTimestamp", before + 10_000)
    fresh.call("evm_mine")
    assert timestamp(fresh) == before + 10_000
    fresh.call("evm_mine")
    assert before + 10_000 <= timestamp(fresh) <= before + 10_300, "the clock goes on from there"
    with pytest.raises(RpcError, match="is lower than the previous block's timestamp"):
        fresh.call("evm_setNextBlockTimestamp", before)
    start = timestamp(fresh)
    fresh.call("hardhat_mine", "0x4", "0x3c")
    assert 180 <= timestamp(fresh) - start <= 180 + 300
    fresh.call("anvil_setBlockTimestampInterval", 7)
    start = timestamp(fresh)
    fresh.call("anvil_mine", "0x2")
    assert timestamp(fresh) == start + 14
    assert fresh.call("anvil_removeBlockTimestampInterval") is True


def test_without_automine_transactions_wait_for_a_block(fresh: JsonRpc, node: Node) -> None:
    fresh.call("evm_setAutomine", False)
    before = number(fresh)
    try:
        sent = [send(fresh, address) for address in node.addresses[:3]]
        dropped = send(fresh, node.addresses[3])
        assert fresh.call("txpool_status")["pending"] == "0x4"
        assert fresh.call("eth_getBalance", OTHER, "pending") == "0x4"
        assert fresh.call("eth_getBalance", OTHER, "latest") == "0x0"
        assert fresh.call("anvil_dropTransaction", dropped) == dropped
        fresh.call("evm_mine")
        assert number(fresh) == before + 1
        assert set(latest(fresh)["transactions"]) == set(sent)
        assert fresh.call("eth_getBalance", OTHER, "pending") == "0x3"
        assert fresh.call("eth_getTransactionByHash", dropped) is None
    finally:
        fresh.call("evm_setAutomine", True)
    assert fresh.call("hardhat_getAutomine") is True


def test_waiting_transactions_fill_as_many_of_the_mined_blocks_as_they_need(fresh: JsonRpc, node: Node) -> None:
    fresh.call("evm_setAutomine", False)
    before = number(fresh)
    fresh.call("evm_setBlockGasLimit", 3 * 21_000)
    try:
        for _ in range(7):
            send(fresh, node.addresses[0], gas=hex(21_000))
        send(fresh, node.addresses[1], gas=hex(21_000), nonce="0xff")  # which never fits
        fresh.call("hardhat_mine", "0x40", "0xa")
        found = [fresh.call("eth_getBlockByNumber", hex(before + n), False) for n in range(1, 65)]
        assert [len(block["transactions"]) for block in found] == [3, 3, 1] + 61 * [0]
        times = [int(block["timestamp"], 16) for block in found]
        assert [later - time for time, later in pairwise(times)] == 63 * [10]
    finally:
        fresh.call("anvil_dropAllTransactions")
        fresh.call("evm_setAutomine", True)


def test_blocks_have_what_was_set_for_them(fresh: JsonRpc) -> None:
    fresh.call("hardhat_setCoinbase", NOBODY)
    fresh.call("evm_setBlockGasLimit", hex(12_345_678))
    fresh.call("hardhat_setNextBlockBaseFeePerGas", hex(3_000_000_000))
    fresh.call("hardhat_setPrevRandao", "0x" + "ab" * 32)
    fresh.call("evm_mine")
    block = latest(fresh)
    assert (block["miner"], int(block["gasLimit"], 16)) == (NOBODY, 12_345_678)
    assert (int(block["baseFeePerGas"], 16), block["mixHash"]) == (3_000_000_000, "0x" + "ab" * 32)
    assert fresh.call("eth_coinbase") == NOBODY
    fresh.call("evm_mine")
    block = latest(fresh)
    assert int(block["baseFeePerGas"], 16) < 3_000_000_000
    assert block["mixHash"] != "0x" + "ab" * 32
    assert block["miner"] == NOBODY


def test_an_interval_below_a_second_is_told_as_it_is(fresh: JsonRpc) -> None:
    assert fresh.call("anvil_getIntervalMining") is None
    for set_to, told in ((1_500, 1.5), (2_000, 2), (0, None)):
        fresh.call("evm_setIntervalMining", set_to)
        assert fresh.call("anvil_getIntervalMining") == told
    with pytest.raises(RpcError, match="give an interval, or the least and the greatest"):
        fresh.call("evm_setIntervalMining", [2_000, 1_000])


def test_blocks_that_are_answered_whole_are_few(fresh: JsonRpc) -> None:
    before = number(fresh)
    made = fresh.call("anvil_mine_detailed", {"blocks": 3})
    assert [block["number"] for block in made] == [hex(before + n) for n in (1, 2, 3)]
    with pytest.raises(RpcError, match="1001 blocks: at most 1000 are answered"):
        fresh.call("anvil_mine_detailed", {"blocks": 1_001})
    assert number(fresh) == before + 3


def test_blocks_are_replaced_and_taken_back(fresh: JsonRpc, node: Node) -> None:
    fresh.call("anvil_mine", 5)
    before, replaced = number(fresh), latest(fresh)
    fresh.call("anvil_reorg", 2, [[{"from": node.addresses[0], "to": OTHER, "value": "0x9"}, 1]])
    assert number(fresh) == before
    assert latest(fresh)["hash"] != replaced["hash"]
    assert len(latest(fresh)["transactions"]) == 1
    length, nonce = number(fresh), fresh.call("eth_getTransactionCount", node.addresses[1], "latest")
    sent = [{"from": node.addresses[1], "to": OTHER, "nonce": nonce, "gas": "0x5208"}] * 2
    with pytest.raises(RpcError, match="without what could not be sent: transaction 1: "):
        fresh.call("anvil_reorg", 2, [[sent[0], 0], [sent[1], 1]])
    assert (number(fresh), latest(fresh)["transactions"]) == (length, []), "the chain is as long as it was"
    with pytest.raises(RpcError, match="unknown account"):
        fresh.call("anvil_reorg", 1, [[{"from": NOBODY, "to": OTHER}, 0]])
    assert fresh.call("anvil_getAutomine") is True
    fresh.call("anvil_rollback", 3)
    assert number(fresh) == before - 3
    fresh.call("debug_setHead", hex(before - 4))
    assert number(fresh) == before - 4
    with pytest.raises(RpcError, match="cannot be taken back"):
        fresh.call("anvil_rollback", 100_000)
    with pytest.raises(RpcError, match=f"block {before} is not there: the chain is at block {before - 4}"):
        fresh.call("debug_setHead", before)


def test_viem_s_mine_keeps_to_the_interval_that_is_set(fresh: JsonRpc) -> None:
    fresh.call("evm_mine")
    before = int(fresh.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    fresh.call("anvil_setBlockTimestampInterval", 5)
    fresh.call("anvil_mine", "0x2", "0x0")
    assert int(fresh.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) == before + 10


def test_a_clock_put_back_stands_still_until_it_has_passed_the_newest_block(fresh: JsonRpc) -> None:
    """Tests that moved the time put it back so; ganache and anvil take any time."""
    now = timestamp(fresh)
    fresh.call("evm_increaseTime", 3600)
    fresh.call("evm_mine")
    newest = timestamp(fresh)
    assert -3_900 <= fresh.call("evm_setTime", now) <= -3_600
    fresh.call("evm_mine")
    assert timestamp(fresh) == newest, "no block is before its parent"
    assert fresh.call("evm_setTime", newest + 60) >= 3_360
    fresh.call("evm_mine")
    assert newest + 60 <= timestamp(fresh) <= newest + 360


def test_anvil_s_mine_puts_the_interval_before_its_first_block_too(fresh: JsonRpc) -> None:
    fresh.call("evm_setTime", 4_000_000_000)
    fresh.call("evm_mine")
    before = timestamp(fresh)
    fresh.call("anvil_mine", "0x2", "0xe10")
    assert 7_200 <= timestamp(fresh) - before < 7_500  # the clock goes on meanwhile


def test_who_stores_the_block_it_is_in_is_estimated_for_another_block(fresh: JsonRpc, node: Node) -> None:
    """In the newest block's place it would store what is there already, which costs less than it will."""
    fresh.call("anvil_setCode", OTHER, STORE_NUMBER_TIME_AND_RANDOMNESS)
    for _ in range(3):
        assert mined(fresh, node.addresses[0])["status"] == "0x1"


def test_a_history_of_fees_ends_with_the_fee_that_was_set_for_the_block_after_it(fresh: JsonRpc) -> None:
    fresh.call("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))
    for _ in range(2):  # before that block, and when it and another are there
        before = hex(number(fresh))
        assert fresh.call("eth_feeHistory", 1, before, [])["baseFeePerGas"][1] == hex(7 * 10**9)
        fresh.call("evm_mine")
        assert fresh.call("eth_feeHistory", 1, before, [])["baseFeePerGas"][1] == latest(fresh)["baseFeePerGas"]
        fresh.call("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))


def test_a_fee_that_the_next_block_takes_is_enough_to_be_estimated_with(fresh: JsonRpc, node: Node) -> None:
    fresh.call("evm_mine")
    coming = fresh.call("eth_feeHistory", 1, "latest", [])["baseFeePerGas"][1]
    assert int(coming, 16) < int(latest(fresh)["baseFeePerGas"], 16)
    assert mined(fresh, node.addresses[0], gasPrice=coming)["effectiveGasPrice"] == coming


def test_validators_agree_on_all_of_it(rpc: JsonRpc) -> None:
    """Every height becomes verified, and no validator has refused anything."""
    wait_until(lambda: agreed(rpc), "all verified")
    assert [v["rejections"] for v in rpc.call("tandem_status")["validators"]] == [[]] * 4
