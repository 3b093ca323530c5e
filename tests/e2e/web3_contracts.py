"""Contracts and accounts as a web3.py user handles them."""

from typing import Any, cast

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import TxParams, TxReceipt

from tests.contracts import artifact
from tests.e2e.running_node import DEADLINE_S


def deploy(w3: Web3, name: str, *arguments: Any, sender: ChecksumAddress) -> Contract:
    """The contract `name`, created by the unlocked account `sender`."""
    compiled = artifact(name)
    factory = w3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode)
    receipt = mined(w3, factory.constructor(*arguments).transact({"from": sender}))
    assert receipt["contractAddress"] is not None
    return contract_at(w3, name, receipt["contractAddress"])


def contract_at(w3: Web3, name: str, address: ChecksumAddress) -> Contract:
    return w3.eth.contract(address, abi=artifact(name).abi)


def mined(w3: Web3, transaction_hash: HexBytes, *, status: int = 1) -> TxReceipt:
    """The receipt, once it is there, of a transaction that ended with `status`."""
    receipt = w3.eth.wait_for_transaction_receipt(transaction_hash, timeout=DEADLINE_S, poll_latency=0.005)
    assert receipt["status"] == status, receipt
    return receipt


def sign_and_send(w3: Web3, account: LocalAccount, call: ContractFunction | None = None, **fields: Any) -> HexBytes:
    """Send what `account` signs here, filling in gas, fees and nonce from the node as a wallet does."""
    transaction: dict[str, Any] = {"from": account.address, "chainId": w3.eth.chain_id, **fields}
    transaction.setdefault("nonce", w3.eth.get_transaction_count(account.address, "pending"))
    if call is not None:
        transaction = dict(call.build_transaction(cast(TxParams, transaction)))
    elif "gas" not in transaction:
        transaction["gas"] = w3.eth.estimate_gas(cast(TxParams, transaction))
    if "gasPrice" not in transaction and "maxFeePerGas" not in transaction:
        tip = w3.eth.max_priority_fee
        base_fee = w3.eth.get_block("latest")["baseFeePerGas"]
        transaction |= {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base_fee + tip}
    return w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
