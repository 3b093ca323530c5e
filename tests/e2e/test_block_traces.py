"""A stored block run again on a running chain: its access list, its case and its critical path."""

import json
from typing import Any

import pytest
from eth_typing import ChecksumAddress
from web3 import Web3
from web3.types import Nonce

from chain.block_case_json import case_from_json
from chain.types import BlockNumber
from tests.e2e.command_line import tandem
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy, mined

pytestmark = pytest.mark.usefixtures("tandem_only")

Block = dict[str, Any]


@pytest.fixture(scope="module")
def block(w3: Web3, rpc: JsonRpc, node: Node) -> Block:
    """One with token transfers of one sender, which are a chain, and one of somebody else."""
    one, other, friend = (Web3.to_checksum_address(address) for address in node.addresses[1:4])
    token = deploy(w3, "Token", "Gold", "GLD", sender=one)
    mined(w3, token.functions.mint(one, 100).transact({"from": one}))
    mined(w3, token.functions.mint(other, 100).transact({"from": one}))

    def transfer(sender: ChecksumAddress, nonce: int) -> Any:
        return token.functions.transfer(friend, 7).transact({"from": sender, "nonce": Nonce(nonce), "gas": 100_000})

    first = w3.eth.get_transaction_count(one)
    # What comes before its turn waits, so that all of them are in the block of the last one sent.
    sent = [transfer(one, first + ahead) for ahead in (3, 2, 1)]
    sent.append(transfer(one, first))
    receipts = [mined(w3, one_hash) for one_hash in sent]
    mined(w3, transfer(other, w3.eth.get_transaction_count(other)))
    numbers = {receipt["blockNumber"] for receipt in receipts}
    found: Block = rpc.call("eth_getBlockByNumber", hex(max(numbers)), False)
    assert len(found["transactions"]) > 1, f"the transfers are in the blocks {numbers}"
    return found


def test_the_access_list_says_how_the_block_changed_every_account_it_names(rpc: JsonRpc, block: Block) -> None:
    number = int(block["number"], 16)
    listed = rpc.call("tandem_getBlockAccessList", block["number"])
    assert rpc.call("tandem_getBlockAccessList", block["hash"]) == listed
    assert block["miner"].lower() in [entry["address"] for entry in listed]
    for entry in listed:
        for method, changes in (
            ("eth_getBalance", entry["balanceChanges"]),
            ("eth_getTransactionCount", entry["nonceChanges"]),
        ):
            before, after = (rpc.call(method, entry["address"], hex(at)) for at in (number - 1, number))
            assert (changes[-1]["value"] if changes else before) == after
        for slot in entry["storageChanges"]:
            assert (
                rpc.call("eth_getStorageAt", entry["address"], slot["key"], hex(number)) == slot["changes"][-1]["value"]
            )
        for key in entry["storageReads"]:
            before, after = (
                rpc.call("eth_getStorageAt", entry["address"], key, hex(at)) for at in (number - 1, number)
            )
            assert before == after


def test_a_sender_s_transfers_are_the_critical_path_of_their_block(rpc: JsonRpc, block: Block) -> None:
    execution = rpc.call("tandem_getBlockExecution", block["number"])
    count = len(block["transactions"])
    assert execution["criticalPath"] == list(range(count))
    assert execution["criticalPathUs"] == sum(each["attempts"][-1]["threadUs"] for each in execution["transactions"])


def test_the_case_of_a_block_holds_its_transactions_and_the_state_before_it(rpc: JsonRpc, block: Block) -> None:
    case = case_from_json(rpc.call("tandem_getBlockCase", block["number"]))
    assert ["0x" + Web3.keccak(tx.raw).hex() for tx in case.transactions] == block["transactions"]
    assert case.expected is not None
    assert case.expected.gas_used == int(block["gasUsed"], 16)
    parent = int(block["number"], 16) - 1
    assert case.block_hashes[BlockNumber(parent)].hex() == block["parentHash"][2:]
    for address, account in case.accounts.items():
        at = "0x" + address.hex()
        assert account.nonce == int(rpc.call("eth_getTransactionCount", at, hex(parent)), 16)
        assert account.balance == int(rpc.call("eth_getBalance", at, hex(parent)), 16)
        assert account.code.hex() == rpc.call("eth_getCode", at, hex(parent))[2:]
        for slot, value in account.slots.items():
            assert int(rpc.call("eth_getStorageAt", at, hex(slot), hex(parent)), 16) == value


def test_genesis_and_blocks_that_are_not_there_have_no_trace(rpc: JsonRpc) -> None:
    with pytest.raises(RpcError, match="block 0 is genesis"):
        rpc.call("tandem_getBlockAccessList", "0x0")
    assert rpc.call("tandem_getBlockCase", "0xffffff") is None


def test_a_stored_block_is_compared_beside_the_running_chain(rpc: JsonRpc, node: Node, block: Block) -> None:
    options = ("--url", node.http_url, "--strategies", "optimistic,dag", "--repeats", "1", "--json")
    run = tandem("compare", "--block", str(int(block["number"], 16)), *options)
    assert (run.returncode, run.stderr) == (0, "")
    told = json.loads(run.stdout)
    assert [row["strategy"] for row in told["strategies"]] == ["serial", "optimistic", "dag"]
    assert (told["same"], told["gasUsed"]) == (True, int(block["gasUsed"], 16))
    assert told["criticalPath"] == list(range(len(block["transactions"])))
    missing = tandem("compare", "--block", "999999", "--url", node.http_url)
    newest = int(rpc.call("eth_blockNumber"), 16)
    assert missing.stderr == f"tandem: there is no block 999999: the newest is {newest}\n"
