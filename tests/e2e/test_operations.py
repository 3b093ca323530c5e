"""What test suites do with a devnet: change accounts, take snapshots and go back to them; over RPC, on four validators,
every block checked against serial execution.
"""

import contextlib
from pathlib import Path

import eth_account
import pytest

from chain.system_contracts import CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS, SystemContract
from tests.e2e.chain_process import chain, wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.operations import ETHER, NOBODY, OTHER, agreed, mined, number, send
from tests.e2e.running_node import Node

BLOCKHASH_OF_PARENT = "0x600143034060005260206000f3"
"""Returns the hash of the block before: PUSH1 1 NUMBER SUB BLOCKHASH, MSTORE, RETURN."""
LOG_NUMBER = "0x43600052600060206000a1"
"""LOG1 with the topic 0 and the block's number."""


pytestmark = pytest.mark.usefixtures("tandem_only")


def test_accounts_are_changed_without_a_block(fresh: JsonRpc) -> None:
    before = number(fresh)
    assert fresh.call("hardhat_setBalance", NOBODY, hex(5 * ETHER)) is True
    assert fresh.call("anvil_addBalance", NOBODY, hex(ETHER)) is None, "as anvil answers"
    fresh.call("anvil_setNonce", NOBODY, 7)
    fresh.call("anvil_setCode", NOBODY, BLOCKHASH_OF_PARENT)
    fresh.call("hardhat_setStorageAt", NOBODY, "0x2", "0x" + "00" * 31 + "2a")
    fresh.call("anvil_setStorageAt", OTHER, "0x2", "0x" + "00" * 31 + "2b")
    assert int(fresh.call("eth_getBalance", NOBODY, "latest"), 16) == 6 * ETHER
    assert fresh.call("eth_getTransactionCount", NOBODY, "latest") == "0x7"
    assert fresh.call("eth_getCode", NOBODY, "latest") == BLOCKHASH_OF_PARENT
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x2", "latest"), 16) == 42
    assert int(fresh.call("eth_getStorageAt", OTHER, "0x2", "latest"), 16) == 43
    assert fresh.call("eth_getCode", OTHER, "latest") == "0x"
    assert number(fresh) == before
    for value in ("0x5", "0x" + "00" * 33, 5):
        with pytest.raises(RpcError, match="a storage value is 0x and 64 hex digits"):
            fresh.call("hardhat_setStorageAt", NOBODY, "0x2", value)
    fresh.call("evm_setAccountStorageAt", NOBODY, "0x2", "0xbaddad42")
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x2", "latest"), 16) == 0xBADDAD42


def test_slots_stay_whatever_else_is_taken_from_an_account(fresh: JsonRpc) -> None:
    """As anvil has it (1.7.1), also once a transaction touches the account."""
    fresh.call("anvil_setCode", NOBODY, BLOCKHASH_OF_PARENT)
    fresh.call("anvil_setBalance", NOBODY, hex(ETHER))
    fresh.call("anvil_setStorageAt", NOBODY, "0x2", "0x" + "00" * 31 + "2a")
    fresh.call("anvil_setBalance", NOBODY, "0x0")
    fresh.call("anvil_setCode", NOBODY, "0x")
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x2", "latest"), 16) == 42
    mined(fresh, fresh.call("eth_accounts")[0], to=NOBODY, value="0x0")
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x2", "latest"), 16) == 42
    fresh.call("anvil_setCode", NOBODY, BLOCKHASH_OF_PARENT)
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x2", "latest"), 16) == 42
    fresh.call("anvil_setStorageAt", NOBODY, "0x2", "0x" + "00" * 32)
    fresh.call("anvil_setCode", NOBODY, "0x")
    assert fresh.call("eth_getCode", NOBODY, "latest") == "0x"


def test_ecrecover_takes_a_signature_for_anybodys(fresh: JsonRpc, node: Node) -> None:
    """In transactions, calls and traces of both, and where the block runs serially; of this signature only."""
    signature = "11" * 32 + "22" * 32
    ask = "0x6080600060003760206080608060006001" + "5afa50" + "608051600055" + "60206080f3"
    fresh.call("anvil_setCode", NOBODY, ask)
    words = "33" * 32 + f"{28:064x}" + signature
    fresh.call("anvil_impersonateSignature", "0x" + signature + "1c", NOBODY)
    assert fresh.call("anvil_impersonateSignature", ["0x" + signature + "1c", OTHER]) is None, "as anvil takes it"
    assert fresh.call("eth_call", {"to": NOBODY, "data": "0x" + words}, "latest") == "0x" + OTHER[2:].zfill(64)
    receipt = mined(fresh, node.addresses[0], to=NOBODY, data="0x" + words, gas="0x20000", value="0x0")
    assert fresh.call("eth_getStorageAt", NOBODY, "0x0", "latest") == "0x" + OTHER[2:].zfill(64)
    traced = fresh.call("debug_traceTransaction", receipt["transactionHash"])
    assert (traced["returnValue"].removeprefix("0x"), hex(traced["gas"])) == (OTHER[2:].zfill(64), receipt["gasUsed"])
    assert fresh.call("tandem_getBlockCase", receipt["blockNumber"])["environment"]["signatures"]
    other = words[:-2] + "23"
    assert int(fresh.call("eth_call", {"to": NOBODY, "data": "0x" + other}, "latest"), 16) != int(OTHER, 16)
    with pytest.raises(RpcError, match="a signature has 65 bytes, this one 2"):
        fresh.call("anvil_impersonateSignature", "0x1122", OTHER)


def test_the_chain_id_is_another_for_the_blocks_to_come(fresh: JsonRpc, node: Node) -> None:
    """As with anvil: what is signed for the old one is refused, contracts see the new one, and so do traces of then."""
    sender, before = node.addresses[0], fresh.call("eth_chainId")
    fresh.call("anvil_setCode", NOBODY, "0x465f5500")  # SSTORE(0, CHAINID)
    old = mined(fresh, sender, to=NOBODY, gas="0x20000")
    assert fresh.call("anvil_setChainId", 5) is None
    assert (fresh.call("eth_chainId"), fresh.call("net_version")) == ("0x5", "5")
    assert fresh.call("anvil_nodeInfo")["environment"]["chainId"] == 5
    new = mined(fresh, sender, to=NOBODY, gas="0x20000")
    assert (int(fresh.call("eth_getStorageAt", NOBODY, "0x0", "latest"), 16), new["status"]) == (5, "0x1")
    assert fresh.call("eth_getTransactionByHash", new["transactionHash"])["chainId"] == "0x5"
    for receipt, chain_id in ((old, before), (new, "0x5")):
        options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
        diff = fresh.call("debug_traceTransaction", receipt["transactionHash"], options)
        (written,) = diff["post"][NOBODY]["storage"].values()
        assert int(written, 16) == int(chain_id, 16)
    assert fresh.call("tandem_getBlockAccessList", old["blockNumber"])
    signed = eth_account.Account.sign_transaction(
        {"nonce": 0, "to": OTHER, "gas": 21_000, "gasPrice": 10**10, "chainId": node.chain_id}, node.private_keys[3]
    )
    with pytest.raises(RpcError, match="invalid sender: invalid chain id for signer: have 31337 want 5"):
        fresh.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    fresh.call("evm_setAutomine", False)
    waiting = fresh.call("eth_sendTransaction", {"from": sender, "to": OTHER})
    fresh.call("anvil_setChainId", before)
    fresh.call("evm_setAutomine", True)
    assert fresh.call("eth_getTransactionByHash", waiting) is None
    assert mined(fresh, sender, to=OTHER)["status"] == "0x1"


def test_a_balance_that_would_not_fit_is_refused(fresh: JsonRpc) -> None:
    fresh.call("anvil_setBalance", NOBODY, hex(2**256 - 1))
    with pytest.raises(RpcError, match=r"must stay below 2\*\*256"):
        fresh.call("anvil_addBalance", NOBODY, 1)
    assert int(fresh.call("eth_getBalance", NOBODY, "latest"), 16) == 2**256 - 1


def test_who_has_all_that_a_word_holds_stays_there(fresh: JsonRpc, node: Node) -> None:
    """SELFBALANCE, SSTORE to slot 0."""
    most = 2**256 - 1
    fresh.call("anvil_setCode", NOBODY, "0x47600055")
    for rich in (NOBODY, OTHER):
        fresh.call("anvil_setBalance", rich, hex(most))
        mined(fresh, node.addresses[0], to=rich, value="0x2", gas="0x186a0")
        assert int(fresh.call("eth_getBalance", rich, "latest"), 16) == most
    assert int(fresh.call("eth_getStorageAt", NOBODY, "0x0", "latest"), 16) == most


def test_the_newest_block_is_traced_on_what_it_ran_on_also_after_operations_and_ways_back(fresh: JsonRpc) -> None:
    alice, bob = fresh.call("eth_accounts")[:2]
    fresh.call("anvil_addBalance", bob, 1)
    sent = mined(fresh, alice, to=bob, value=hex(ETHER))["transactionHash"]
    traced = [sent, {"tracer": "prestateTracer"}]
    expected = fresh.call("debug_traceTransaction", *traced)
    fresh.call("anvil_addBalance", bob, ETHER)
    assert fresh.call("debug_traceTransaction", *traced) == expected
    snapshot = fresh.call("evm_snapshot")
    mined(fresh, alice, to=bob, value=hex(ETHER))
    assert fresh.call("evm_revert", snapshot) is True
    assert fresh.call("debug_traceTransaction", *traced) == expected
    assert fresh.call("tandem_getBlockAccessList", "latest")


@pytest.mark.parametrize("contract", [WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS], ids=lambda contract: contract.name)
def test_contracts_without_which_there_is_no_block_keep_their_code(fresh: JsonRpc, contract: SystemContract) -> None:
    address = "0x" + contract.address.hex()
    code = fresh.call("eth_getCode", address, "latest")
    for other in ("0x", "0xfe"):
        with pytest.raises(RpcError, match="every block calls it"):
            fresh.call("anvil_setCode", address, other)
    fresh.call("anvil_setCode", address, code)
    assert fresh.call("evm_mine") == "0x0"


def test_a_fixture_is_loaded_again_and_again(fresh: JsonRpc, node: Node) -> None:
    """Hardhat's loadFixture: go back to the snapshot, take it anew."""
    sender, hashes = node.addresses[0], set()
    start, nonce = number(fresh), fresh.call("eth_getTransactionCount", sender, "latest")
    snapshot = fresh.call("evm_snapshot")
    head = fresh.call("eth_getBlockByNumber", "latest", False)["hash"]
    assert fresh.call("anvil_metadata")["snapshots"][snapshot] == [start, head]
    for _ in range(4):
        receipt = mined(fresh, sender, nonce=nonce, gas="0x5208", gasPrice=hex(10**11))
        hashes.add(receipt["transactionHash"])
        fresh.call("hardhat_mine", "0x3")
        assert number(fresh) == start + 4
        assert fresh.call("evm_revert", snapshot) is True
        assert number(fresh) == start
        assert fresh.call("eth_getTransactionCount", sender, "latest") == nonce
        assert fresh.call("eth_getTransactionReceipt", receipt["transactionHash"]) is None
        assert fresh.call("eth_getBlockByHash", receipt["blockHash"], False) is None
        assert fresh.call("eth_getBalance", OTHER, "latest") == "0x0"
        assert fresh.call("evm_revert", snapshot) is False, "it is gone with its use"
        assert snapshot not in fresh.call("anvil_metadata")["snapshots"]
        snapshot = fresh.call("evm_snapshot")
    assert len(hashes) == 1, "the same transaction can be sent again"


def test_what_waited_at_a_snapshot_waits_again_and_what_was_sent_since_is_dropped(fresh: JsonRpc, node: Node) -> None:
    """A test that leaves transactions waiting would else leave them to the next one's first block."""
    fresh.call("evm_setAutomine", False)
    try:
        before = [send(fresh, sender) for sender in node.addresses[:2]]
        snapshot = fresh.call("evm_snapshot")
        fresh.call("evm_mine")
        assert fresh.call("txpool_status")["pending"] == "0x0"
        since = [send(fresh, node.addresses[0], **nonce) for nonce in ({}, {"nonce": "0x3e8"})]
        later = fresh.call("evm_snapshot")
        assert fresh.call("evm_revert", snapshot) is True
        waiting = fresh.call("eth_pendingTransactions")
        assert {transaction["hash"] for transaction in waiting} == set(before)
        assert fresh.call("txpool_status") == {"pending": "0x2", "queued": "0x0"}
        assert [fresh.call("eth_getTransactionByHash", each) for each in since] == [None, None]
        for gone in (snapshot, later):
            assert fresh.call("evm_revert", gone) is False
            assert fresh.call("txpool_status")["pending"] == "0x2", "nothing was gone back to"
        fresh.call("evm_mine")
        before = [send(fresh, node.addresses[0])]
        gone = fresh.call("evm_snapshot")
        fresh.call("anvil_rollback", 1)
        before.append(send(fresh, node.addresses[2]))
        assert fresh.call("evm_revert", gone) is False, "its block is gone"
    finally:
        fresh.call("evm_setAutomine", True)
    assert [fresh.call("eth_getTransactionReceipt", each)["status"] for each in before[1:]] == ["0x1"]


def test_blockhash_and_logs_are_those_of_the_chain_there_is(fresh: JsonRpc, node: Node) -> None:
    fresh.call("anvil_setCode", NOBODY, LOG_NUMBER)
    fresh.call("anvil_setCode", "0x" + "79" * 20, BLOCKHASH_OF_PARENT)
    snapshot, everything = fresh.call("evm_snapshot"), fresh.call("eth_newFilter", {"address": NOBODY})
    first = mined(fresh, node.addresses[0], to=NOBODY, gas="0x186a0")
    assert [log["removed"] for log in fresh.call("eth_getFilterChanges", everything)] == [False]
    fresh.call("evm_revert", snapshot)
    assert fresh.call("eth_getLogs", {"fromBlock": "0x0", "address": NOBODY}) == []
    fresh.call("evm_increaseTime", 60)
    second = mined(fresh, node.addresses[1], to=NOBODY, gas="0x186a0")
    assert (first["blockNumber"], first["blockHash"]) != (second["blockNumber"], second["blockHash"])
    told = fresh.call("eth_getFilterChanges", everything)
    assert [(log["removed"], log["blockHash"]) for log in told] == [
        (True, first["blockHash"]),
        (False, second["blockHash"]),
    ]
    fresh.call("evm_mine")
    parent = fresh.call("eth_getBlockByNumber", second["blockNumber"], False)
    call = {"to": "0x" + "79" * 20, "data": "0x"}
    assert fresh.call("eth_call", call, "latest") == parent["hash"]


def test_ganache_s_names_do_the_same(fresh: JsonRpc) -> None:
    assert fresh.call("miner_stop") is True
    assert fresh.call("hardhat_getAutomine") is False
    assert fresh.call("miner_start") is True
    assert fresh.call("hardhat_getAutomine") is True
    assert fresh.call("miner_setEtherbase", NOBODY) is True
    assert fresh.call("eth_coinbase") == NOBODY
    fresh.call("evm_setAccountBalance", NOBODY, hex(ETHER))
    assert [fresh.call("evm_addAccount", NOBODY, "") for _ in range(2)] == [True, False]
    send(fresh, NOBODY)
    assert [fresh.call("evm_removeAccount", NOBODY, "") for _ in range(2)] == [True, False]
    with pytest.raises(RpcError, match="unknown account"):
        send(fresh, NOBODY)


def test_an_impersonated_contract_sends(fresh: JsonRpc, node: Node) -> None:
    fresh.call("anvil_setCode", NOBODY, LOG_NUMBER)
    fresh.call("anvil_setBalance", NOBODY, hex(ETHER))
    with pytest.raises(RpcError, match="unknown account"):
        send(fresh, NOBODY)
    fresh.call("hardhat_impersonateAccount", NOBODY)
    assert fresh.call("eth_accounts")[10:] == [NOBODY], "ethers gives signers of these only"
    receipt = mined(fresh, NOBODY, value="0x5")
    assert (receipt["status"], receipt["from"]) == ("0x1", NOBODY)
    assert fresh.call("eth_getBalance", OTHER, "latest") == "0x5"
    assert fresh.call("eth_getTransactionByHash", receipt["transactionHash"])["from"] == NOBODY
    raw = fresh.call("eth_getRawTransactionByHash", receipt["transactionHash"])
    assert fresh.call("hardhat_stopImpersonatingAccount", NOBODY) is True
    assert fresh.call("hardhat_stopImpersonatingAccount", NOBODY) is False
    with pytest.raises(RpcError, match="unknown account"):
        send(fresh, NOBODY)
    with pytest.raises(RpcError, match="invalid sender"):
        fresh.call("eth_sendRawTransaction", raw)


def test_what_an_unlocked_account_sent_is_in_the_state_that_is_read_next(fresh: JsonRpc, node: Node) -> None:
    for value in range(1, 6):
        send(fresh, node.addresses[0])
        assert fresh.call("eth_getBalance", OTHER, "latest") == hex(value)


def test_anybody_sends_one_transaction_without_a_signature(fresh: JsonRpc) -> None:
    fresh.call("anvil_setBalance", NOBODY, hex(ETHER))
    sent = fresh.call("eth_sendUnsignedTransaction", {"from": NOBODY, "to": OTHER, "value": "0x5", "gas": "0x5208"})
    wait_until(lambda: fresh.call("eth_getTransactionReceipt", sent) is not None, "a receipt")
    assert fresh.call("eth_getBalance", OTHER, "latest") == "0x5"
    with pytest.raises(RpcError, match="unknown account"):
        send(fresh, NOBODY)


def test_a_transaction_of_an_unlocked_account_is_answered_with_its_receipt(fresh: JsonRpc, node: Node) -> None:
    receipt = fresh.call("eth_sendTransactionSync", {"from": node.addresses[0], "to": OTHER, "value": "0x7"})
    assert (receipt["status"], receipt["to"], receipt["blockNumber"]) == ("0x1", OTHER, hex(number(fresh)))
    found = fresh.call("ots_searchTransactionsBefore", OTHER, 0, 5)
    assert [transaction["hash"] for transaction in found["txs"]] == [receipt["transactionHash"]]


def test_validators_agree_on_all_of_it(rpc: JsonRpc) -> None:
    """Every height becomes verified, and no validator has refused anything."""
    wait_until(lambda: agreed(rpc), "all verified")
    assert [v["rejections"] for v in rpc.call("tandem_status")["validators"]] == [[]] * 4


def test_killed_in_the_middle_of_operations_nothing_is_done_twice_or_by_half(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "chain"))
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        rpc.call("anvil_setBalance", NOBODY, hex(ETHER))
        snapshot = rpc.call("evm_snapshot")
        rpc.call("hardhat_mine", "0x14")
        for _ in range(10):
            rpc.call("anvil_addBalance", NOBODY, hex(ETHER))
        running.kill_everything()
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        assert int(rpc.call("eth_getBalance", NOBODY, "latest"), 16) == 11 * ETHER
        assert number(rpc) == 20
        rpc.call("anvil_addBalance", NOBODY, hex(ETHER))
        assert int(rpc.call("eth_getBalance", NOBODY, "latest"), 16) == 12 * ETHER
        assert rpc.call("evm_revert", snapshot) is True
        assert number(rpc) == 0
        assert int(rpc.call("eth_getBalance", NOBODY, "latest"), 16) == ETHER
        running.kill_everything()
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        assert number(rpc) == 0
        rpc.call("evm_mine")
        assert number(rpc) == 1


def test_a_chain_without_the_developer_methods_has_none() -> None:
    options = ("--no-dev-api", "--validators", "1")
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        for name in ("evm_mine", "evm_snapshot", "anvil_getAutomine"):
            with pytest.raises(RpcError, match=f"{name} does not exist"):
                rpc.call(name)
        assert rpc.call("web3_clientVersion").startswith("Tandem/v"), "as anvil-… Hardhat would try them"


def test_tokens_are_given_out_by_writing_the_slot_that_their_contract_answers_from(fresh: JsonRpc) -> None:
    """The contract reads slot 1, then answers what is in the slot of its first argument's number."""
    answer_argument_slot = "0x6001545060043554600052602060" + "00f3"
    fresh.call("anvil_setCode", NOBODY, answer_argument_slot)
    padded = "0" * 24 + OTHER[2:]
    fresh.call("anvil_dealERC20", OTHER, NOBODY, hex(77))
    balance = fresh.call("eth_call", {"to": NOBODY, "data": "0x70a08231" + padded}, "latest")
    assert int(balance, 16) == 77
    fresh.call("anvil_setERC20Allowance", OTHER, NOBODY, NOBODY, 78)
    allowance = fresh.call("eth_call", {"to": NOBODY, "data": "0xdd62ed3e" + padded + "0" * 64}, "latest")
    assert int(allowance, 16) == 78
    with pytest.raises(RpcError, match="no slot of"):
        fresh.call("anvil_dealERC20", OTHER, OTHER, 1)
