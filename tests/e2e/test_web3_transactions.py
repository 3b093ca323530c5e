"""Every kind of transaction and signature, fees, nonces, blocks and their receipts, and batches."""

import json
from typing import Any, cast

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.types import Nonce, TxData, Wei

from tests.contracts import artifact
from tests.e2e.accounts import ETHER, GWEI, Purse, receipts_of
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import contract_at, deploy, mined, sign_and_send

TYPED_DATA: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallets", "type": "address[]"}],
        "Mail": [{"name": "from", "type": "Person"}, {"name": "contents", "type": "string"}],
    },
    "primaryType": "Mail",
    "domain": {"name": "Mail", "chainId": 31337, "verifyingContract": "0x" + 40 * "c"},
    "message": {"from": {"name": "Cow", "wallets": ["0x" + 40 * "1", "0x" + 40 * "2"]}, "contents": "Hello"},
}


@pytest.fixture(scope="module")
def owner(node: Node) -> ChecksumAddress:
    return Web3.to_checksum_address(node.addresses[2])


@pytest.fixture
def payer(purse: Purse) -> LocalAccount:
    return purse.account(10 * ETHER)


def test_a_legacy_transaction_pays_its_gas_price(w3: Web3, payer: LocalAccount) -> None:
    price = 3 * GWEI
    receipt = mined(w3, sign_and_send(w3, payer, to=payer.address, value=1, gasPrice=price))
    assert receipt["type"] == 0
    assert receipt["effectiveGasPrice"] == price
    assert receipt["gasUsed"] == 21000
    assert w3.eth.get_balance(payer.address) == 10 * ETHER - 21000 * price


def test_a_legacy_transaction_without_a_chain_id_is_accepted(w3: Web3, payer: LocalAccount) -> None:
    # As the well-known CREATE2 deployer's presigned transaction is; geth allows them with --rpc.allow-unprotected-txs.
    fields = {"nonce": 0, "gasPrice": 3 * GWEI, "gas": 21000, "to": payer.address, "value": 1, "data": b""}
    signed = payer.sign_transaction(cast(Any, fields))
    assert signed.v in (27, 28)
    assert mined(w3, w3.eth.send_raw_transaction(signed.raw_transaction))["from"] == payer.address


def test_an_access_list_transaction_warms_what_it_lists(w3: Web3, owner: ChecksumAddress, payer: LocalAccount) -> None:
    counter = deploy(w3, "Counter", sender=owner)
    mined(w3, counter.functions.increment().transact({"from": owner}))
    plain = mined(w3, sign_and_send(w3, payer, counter.functions.increment(), gasPrice=3 * GWEI))
    access_list = [{"address": counter.address, "storageKeys": ["0x" + 64 * "0"]}]
    listed = mined(
        w3, sign_and_send(w3, payer, counter.functions.increment(), gasPrice=3 * GWEI, accessList=access_list)
    )
    assert listed["type"] == 1
    # 2400 for the address (already warm as the target), 1900 for the slot, which then costs 2000 less.
    assert listed["gasUsed"] == plain["gasUsed"] + 2400 + 1900 - 2000
    sent = w3.eth.get_transaction(listed["transactionHash"])
    assert [(entry["address"], [HexBytes(key) for key in entry["storageKeys"]]) for entry in sent["accessList"]] == [
        (counter.address, [HexBytes(bytes(32))])
    ]


def test_a_dynamic_fee_transaction_pays_base_fee_and_tip(w3: Web3, payer: LocalAccount) -> None:
    receipt = mined(
        w3,
        sign_and_send(w3, payer, to=payer.address, value=1, maxFeePerGas=50 * GWEI, maxPriorityFeePerGas=2 * GWEI),
    )
    block = w3.eth.get_block(receipt["blockNumber"])
    assert receipt["type"] == 2
    assert receipt["effectiveGasPrice"] == block["baseFeePerGas"] + 2 * GWEI
    paid = 10 * ETHER - w3.eth.get_balance(payer.address)
    assert paid == 21000 * receipt["effectiveGasPrice"]
    tips_before = w3.eth.get_balance(block["miner"], receipt["blockNumber"] - 1)
    tips_after = w3.eth.get_balance(block["miner"], receipt["blockNumber"])
    assert tips_after - tips_before >= 21000 * 2 * GWEI


def test_a_set_code_transaction_gives_an_account_code(
    w3: Web3, owner: ChecksumAddress, payer: LocalAccount, purse: Purse
) -> None:
    counter = deploy(w3, "Counter", sender=owner)
    delegator = purse.empty_account()
    authorization = delegator.sign_authorization({"chainId": w3.eth.chain_id, "address": counter.address, "nonce": 0})
    increment = contract_at(w3, "Counter", delegator.address).functions.increment()
    receipt = mined(
        w3,
        sign_and_send(
            w3,
            payer,
            to=delegator.address,
            data=increment._encode_transaction_data(),
            gas=200_000,
            authorizationList=[authorization],
        ),
    )
    assert receipt["type"] == 4
    assert w3.eth.get_code(delegator.address) == b"\xef\x01\x00" + HexBytes(counter.address)
    assert w3.eth.get_transaction_count(delegator.address) == 1
    assert contract_at(w3, "Counter", delegator.address).functions.value().call() == 1
    assert counter.functions.value().call() == 0
    [shown] = cast(Any, w3.eth.get_transaction(receipt["transactionHash"]))["authorizationList"]
    assert (shown["chainId"], shown["nonce"]) == (w3.eth.chain_id, 0)
    assert Web3.to_checksum_address(shown["address"]) == counter.address


def test_the_node_signs_and_sends_for_its_unlocked_accounts(w3: Web3, node: Node, purse: Purse) -> None:
    assert [Web3.to_checksum_address(address) for address in w3.eth.accounts] == list(node.addresses)
    friend = purse.empty_account().address
    for address in node.addresses:
        sender = Web3.to_checksum_address(address)
        assert mined(w3, w3.eth.send_transaction({"from": sender, "to": friend, "value": Wei(3)}))["from"] == sender
    assert w3.eth.get_balance(friend) == 3 * len(node.addresses)


def test_an_unlocked_account_signs_a_message(w3: Web3, owner: ChecksumAddress, rpc: JsonRpc) -> None:
    signature = HexBytes(w3.eth.sign(owner, text="hello"))
    assert Account.recover_message(encode_defunct(text="hello"), signature=signature) == owner
    assert rpc.call("personal_sign", "0x" + b"hello".hex(), owner) == signature.to_0x_hex()


def test_an_unlocked_account_signs_typed_data(rpc: JsonRpc, owner: ChecksumAddress) -> None:
    signable = encode_typed_data(full_message=TYPED_DATA)
    for data in (TYPED_DATA, json.dumps(TYPED_DATA)):
        signature = rpc.call("eth_signTypedData_v4", owner, data)
        assert Account.recover_message(signable, signature=signature) == owner


@pytest.mark.usefixtures("tandem_only")
def test_web3_py_asks_for_typed_data_under_its_older_name(w3: Web3, owner: ChecksumAddress) -> None:
    signature = w3.eth.sign_typed_data(owner, TYPED_DATA)
    assert Account.recover_message(encode_typed_data(full_message=TYPED_DATA), signature=signature) == owner


def test_the_pending_nonce_counts_what_waits_without_a_gap(w3: Web3, payer: LocalAccount) -> None:
    def pending() -> int:
        return w3.eth.get_transaction_count(payer.address, "pending")

    def send(nonce: int) -> HexBytes:
        return sign_and_send(w3, payer, to=payer.address, value=1, nonce=Nonce(nonce), gas=21000)

    first = send(0)
    assert pending() == 1
    third = send(2)
    assert pending() == 1
    second = send(1)
    assert pending() == 3
    receipts = [mined(w3, transaction_hash) for transaction_hash in (first, second, third)]
    places = [(receipt["blockNumber"], receipt["transactionIndex"]) for receipt in receipts]
    assert places == sorted(places)
    assert w3.eth.get_transaction_count(payer.address) == 3


def test_a_waiting_transaction_is_found_without_a_block(w3: Web3, payer: LocalAccount) -> None:
    sent = sign_and_send(w3, payer, to=payer.address, value=1, nonce=1, gas=21000)
    waiting: Any = w3.eth.get_transaction(sent)
    assert (waiting["blockHash"], waiting["blockNumber"], waiting["transactionIndex"]) == (None, None, None)
    assert waiting["from"] == payer.address
    mined(w3, sign_and_send(w3, payer, to=payer.address, value=1, nonce=0, gas=21000))
    mined(w3, sent)


def test_the_fee_history_agrees_with_the_blocks(w3: Web3, owner: ChecksumAddress) -> None:
    for _ in range(3):
        mined(w3, w3.eth.send_transaction({"from": owner, "to": owner, "value": Wei(1)}))
    newest = w3.eth.block_number
    history = w3.eth.fee_history(3, newest, [25, 75])
    blocks = [w3.eth.get_block(number) for number in range(newest - 2, newest + 1)]
    assert history["oldestBlock"] == newest - 2
    assert history["baseFeePerGas"][:3] == [block["baseFeePerGas"] for block in blocks]
    assert len(history["baseFeePerGas"]) == 4
    assert history["gasUsedRatio"] == pytest.approx([block["gasUsed"] / block["gasLimit"] for block in blocks])
    assert [len(rewards) for rewards in history["reward"]] == [2, 2, 2]


def test_the_suggested_fees_are_enough_for_the_next_block(w3: Web3, payer: LocalAccount) -> None:
    mined(w3, sign_and_send(w3, payer, to=payer.address, value=1, gasPrice=w3.eth.gas_price))
    mined(w3, sign_and_send(w3, payer, to=payer.address, value=1))


def test_a_block_its_transactions_and_its_receipts_agree(w3: Web3, owner: ChecksumAddress) -> None:
    number = mined(w3, w3.eth.send_transaction({"from": owner, "to": owner, "value": Wei(1)}))["blockNumber"]
    block = w3.eth.get_block(number, full_transactions=True)
    transactions = cast(list[TxData], block["transactions"])
    assert block == w3.eth.get_block(block["hash"], full_transactions=True)
    assert block["parentHash"] == w3.eth.get_block(number - 1)["hash"]
    assert (
        w3.eth.get_block_transaction_count(number) == len(transactions) == len(w3.eth.get_block(number)["transactions"])
    )
    receipts = w3.eth.get_block_receipts(number)
    for index, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        assert transaction == w3.eth.get_transaction(transaction["hash"])
        assert transaction == w3.eth.get_transaction_by_block(block["hash"], index)
        assert transaction == w3.eth.get_transaction_by_block(number, index)
        assert receipt == w3.eth.get_transaction_receipt(transaction["hash"])
        assert (receipt["transactionIndex"], receipt["blockHash"]) == (index, block["hash"])
    assert receipts[-1]["cumulativeGasUsed"] == block["gasUsed"] == sum(receipt["gasUsed"] for receipt in receipts)


def test_what_does_not_exist_is_null(rpc: JsonRpc) -> None:
    nothing = "0x" + 64 * "f"
    for method, *params in [
        ("eth_getTransactionByHash", nothing),
        ("eth_getTransactionReceipt", nothing),
        ("eth_getBlockByHash", nothing, False),
        ("eth_getBlockByNumber", "0xffffff", False),
        ("eth_getBlockReceipts", "0xffffff"),
        ("eth_getBlockTransactionCountByHash", nothing),
        ("eth_getTransactionByBlockNumberAndIndex", "0x0", "0x0"),
    ]:
        assert rpc.call(str(method), *params) is None, method


def test_a_signed_creation_lands_at_the_address_its_nonce_gives(w3: Web3, payer: LocalAccount) -> None:
    receipt: Any = mined(w3, sign_and_send(w3, payer, data=artifact("Counter").bytecode))
    assert receipt["to"] is None
    assert w3.eth.get_code(receipt["contractAddress"]) == artifact("Counter").deployed_bytecode
    digest = Web3.keccak(b"\xd6\x94" + HexBytes(payer.address) + b"\x80")
    assert receipt["contractAddress"] == Web3.to_checksum_address(digest[12:])


def test_a_batch_answers_each_request_in_order_and_no_notification(rpc: JsonRpc, owner: ChecksumAddress) -> None:
    answers = rpc.post(
        [
            _request("eth_chainId", [], "a"),
            _request("eth_foo", [], 2),
            {"jsonrpc": "2.0", "method": "eth_blockNumber", "params": []},
            _request("eth_getBalance", [owner, "latest"], 3),
            {"jsonrpc": "2.0", "id": 4, "method": "eth_blockNumber"},
        ]
    )
    assert [answer["id"] for answer in answers] == ["a", 2, 3, 4]
    assert [("result" in answer, "error" in answer) for answer in answers] == [
        (True, False),
        (False, True),
        (True, False),
        (True, False),
    ]


@pytest.mark.usefixtures("tandem_only")
def test_a_batch_of_sends_gets_nonces_in_order(w3: Web3, rpc: JsonRpc, node: Node) -> None:
    sender = node.addresses[3]
    first = w3.eth.get_transaction_count(Web3.to_checksum_address(sender), "pending")
    transfer = [{"from": sender, "to": sender, "value": "0x1"}]
    hashes = rpc.batch("eth_sendTransaction", [transfer] * 20)
    receipts_of(rpc, hashes)
    nonces = [w3.eth.get_transaction(HexBytes(name))["nonce"] for name in hashes]
    assert nonces == list(range(first, first + 20))


def test_web3_batches_its_calls(w3: Web3, owner: ChecksumAddress) -> None:
    with w3.batch_requests() as batch:
        batch.add(w3.eth.get_balance(owner))
        batch.add(w3.eth.get_block("latest"))
        balance, block = cast(Any, batch.execute())
    assert balance == w3.eth.get_balance(owner)
    assert block["number"] <= w3.eth.block_number


def _request(method: str, params: list[Any], request_id: int | str = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def test_who_reads_after_sending_finds_what_it_sent(rpc: JsonRpc, node: Node) -> None:
    friend = Account.create().address
    send = {"from": node.addresses[4], "to": friend, "value": "0x1", "gas": hex(21_000)}
    for sent in range(1, 4):
        number = int(rpc.call("eth_blockNumber"), 16)
        rpc.call("eth_sendTransaction", send)
        assert int(rpc.call("eth_getBalance", friend, "latest"), 16) == sent
        assert int(rpc.call("eth_blockNumber"), 16) == number + 1
    hash_ = rpc.call("eth_sendTransaction", send)
    assert rpc.call("eth_getTransactionByHash", hash_)["blockNumber"] is not None
    rpc.call("eth_sendTransaction", send)
    snapshot = rpc.call("evm_snapshot")
    rpc.call("eth_sendTransaction", send)
    rpc.call("evm_revert", snapshot)
    assert int(rpc.call("eth_getBalance", friend, "latest"), 16) == 5
