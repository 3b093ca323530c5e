"""What web3.py's own provider tests expect of a chain: contracts, blocks and transactions of the kinds they ask about.

They are the tests that web3.py runs against geth and eth-tester, made to be reused (`web3._utils.module_testing`).
"""

from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_typing import ChecksumAddress, HexStr
from web3 import Web3
from web3._utils.contract_sources.contract_data.emitter_contract import EMITTER_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.math_contract import MATH_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.offchain_lookup import OFFCHAIN_LOOKUP_DATA
from web3._utils.contract_sources.contract_data.panic_errors_contract import PANIC_ERRORS_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.revert_contract import REVERT_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.storage_contract import STORAGE_CONTRACT_DATA
from web3.types import BlockData, TxReceipt, Wei

from tests.e2e.web3_contracts import mined

CONTRACTS: dict[str, Any] = {
    "math": MATH_CONTRACT_DATA,
    "emitter": EMITTER_CONTRACT_DATA,
    "revert": REVERT_CONTRACT_DATA,
    "storage": STORAGE_CONTRACT_DATA,
    "panic_errors": PANIC_ERRORS_CONTRACT_DATA,
    "offchain_lookup": OFFCHAIN_LOOKUP_DATA,
}
CHAIN_ID = int.from_bytes(b"web3py", "big")
"""The one that the tests expect."""
LOG_DOUBLE_WITH_INDEX = 9
"""The event that the tests filter for, by its number in the emitter's enum."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A chain with one of everything. The key is of an account that the node can also sign for."""

    addresses: dict[str, ChecksumAddress]
    math_deployment: HexStr
    empty_block: BlockData
    block_with_transaction: BlockData
    block_with_log: BlockData
    account: ChecksumAddress
    key: str


def set_scene(w3: Web3, key: str) -> Scene:
    """Deploy the contracts, and make the blocks."""
    account = Account.from_key(key).address
    receipts = {name: deployed(w3, data, account) for name, data in CONTRACTS.items()}
    addresses = {name: receipt["contractAddress"] for name, receipt in receipts.items()}
    miner = w3.eth.get_block(0)["miner"]
    mined(w3, w3.eth.send_transaction({"from": account, "to": miner, "value": Wei(1)}))
    transfer = mined(w3, w3.eth.send_transaction({"from": account, "to": account, "value": w3.to_wei(1, "gwei")}))
    emitter = w3.eth.contract(addresses["emitter"], abi=EMITTER_CONTRACT_DATA["abi"])
    logged = mined(w3, emitter.functions.logDouble(LOG_DOUBLE_WITH_INDEX, 12345, 54321).transact({"from": account}))
    return Scene(
        addresses={name: address for name, address in addresses.items() if address is not None},
        math_deployment=HexStr(receipts["math"]["transactionHash"].to_0x_hex()),
        empty_block=w3.eth.get_block(0),
        block_with_transaction=w3.eth.get_block(transfer["blockNumber"]),
        block_with_log=w3.eth.get_block(logged["blockNumber"]),
        account=account,
        key=key,
    )


def deployed(w3: Web3, data: Any, account: ChecksumAddress) -> TxReceipt:
    return mined(w3, w3.eth.contract(**data).constructor().transact({"from": account}))
