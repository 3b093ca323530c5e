"""Values of the chain as JSON-RPC shows them: geth's member names, quantities and data in hex.

`blockTimestamp` is required on transactions, allowed on logs and forbidden on receipts (execution-apis).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.blocks import Withdrawal
from chain.fees import BLOB_GAS_PER_BLOB, blob_base_fee
from chain.forks import Fork
from chain.headers import Header
from chain.messages.logs import FoundLog
from chain.messages.storage import StoredBlock
from chain.receipts import Log, Receipt, bloom_of
from chain.transactions import (
    BLOB,
    LEGACY,
    SET_CODE,
    AccessListEntry,
    Authorization,
    Transaction,
    included_transaction,
)
from chain.types import Address, BlockNumber, Gas, Hash32, Wei

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction stands in the chain. `base_fee` is its block's (0 before London), `timestamp` in seconds."""

    block_hash: Hash32
    number: BlockNumber
    timestamp: int
    base_fee: Wei
    index: int


def data_json(value: bytes) -> str:
    return "0x" + value.hex()


def word_json(value: int) -> str:
    """A 32-byte word as data: all 64 digits."""
    return f"0x{value:064x}"


def address_json(address: Address | None) -> str | None:
    return None if address is None else "0x" + address.hex()


def place_in(block: StoredBlock, index: int) -> Place:
    header = block.header
    return Place(block.hash, header.number, header.timestamp, header.base_fee or Wei(0), index)


def transaction_json(transaction: Transaction, sender: Address, place: Place | None) -> JsonObject:
    """A transaction, mined at `place` or pending."""
    answer: JsonObject = {
        "blockHash": None if place is None else data_json(place.block_hash),
        "blockNumber": None if place is None else hex(place.number),
        "blockTimestamp": None if place is None else hex(place.timestamp),
        "from": address_json(sender),
        "gas": hex(transaction.gas),
        "gasPrice": hex(_gas_price(transaction, place)),
        "hash": data_json(transaction.hash),
        "input": data_json(transaction.data),
        "nonce": hex(transaction.nonce),
        "to": address_json(transaction.to),
        "transactionIndex": None if place is None else hex(place.index),
        "value": hex(transaction.value),
        "type": hex(transaction.type),
    }
    if transaction.chain_id is not None:
        answer["chainId"] = hex(transaction.chain_id)
    if transaction.type != LEGACY:
        answer |= _typed_members(transaction)
    return answer | {"v": hex(transaction.v), "r": hex(transaction.r), "s": hex(transaction.s)}


def _gas_price(transaction: Transaction, place: Place | None) -> int:
    """What a unit of gas cost, or may cost at most while it is pending."""
    return transaction.max_fee if place is None else transaction.effective_gas_price(place.base_fee)


def _typed_members(transaction: Transaction) -> JsonObject:
    """What transactions since EIP-2930 have and legacy ones do not."""
    members: JsonObject = {
        "accessList": [access_json(entry) for entry in transaction.access_list],
        "yParity": hex(transaction.y_parity),
    }
    if transaction.type > 1:
        members["maxFeePerGas"] = hex(transaction.max_fee)
        members["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee)
    if transaction.type == BLOB:
        members["maxFeePerBlobGas"] = hex(transaction.max_blob_fee)
        members["blobVersionedHashes"] = [data_json(blob) for blob in transaction.blob_hashes]
    if transaction.type == SET_CODE:
        members["authorizationList"] = [authorization_json(a) for a in transaction.authorizations]
    return members


def access_json(entry: AccessListEntry) -> JsonObject:
    return {"address": address_json(entry.address), "storageKeys": [word_json(slot) for slot in entry.slots]}


def authorization_json(authorization: Authorization) -> JsonObject:
    return {
        "chainId": hex(authorization.chain_id),
        "address": address_json(authorization.address),
        "nonce": hex(authorization.nonce),
        "yParity": hex(authorization.y_parity),
        "r": hex(authorization.r),
        "s": hex(authorization.s),
    }


def log_json(found: FoundLog, removed: bool = False) -> JsonObject:
    return {
        "address": address_json(found.address),
        "topics": [data_json(topic) for topic in found.topics],
        "data": data_json(found.data),
        "blockNumber": hex(found.number),
        "transactionHash": data_json(found.transaction),
        "transactionIndex": hex(found.transaction_index),
        "blockHash": data_json(found.block_hash),
        "blockTimestamp": hex(found.timestamp),
        "logIndex": hex(found.log_index),
        "removed": removed,
    }


def found_log(log: Log, place: Place, transaction: Hash32, index: int) -> FoundLog:
    """A log with its place; it is the block's log of this index."""
    where = place.number, place.block_hash, place.timestamp, transaction, place.index, index
    return FoundLog(log.address, log.topics, log.data, *where)


def found_logs(logs: Sequence[Log], place: Place, transaction: Hash32, first_log: int) -> list[FoundLog]:
    """The logs of one transaction with their places; `first_log` is the index of the first in the block."""
    return [found_log(log, place, transaction, first_log + i) for i, log in enumerate(logs)]


def receipt_json(
    receipt: Receipt, transaction: Transaction, sender: Address, place: Place, first_log: int, blob_fee: Wei
) -> JsonObject:
    """A receipt, before Byzantium with a state root in place of its success.

    `blob_fee` is the block's price of blob gas, shown for blob transactions only.
    """
    logs = found_logs(receipt.logs, place, transaction.hash, first_log)
    answer: JsonObject = {
        "blockHash": data_json(place.block_hash),
        "blockNumber": hex(place.number),
        "contractAddress": address_json(receipt.contract),
        "cumulativeGasUsed": hex(receipt.cumulative_gas),
        "effectiveGasPrice": hex(receipt.gas_price),
        "from": address_json(sender),
        "gasUsed": hex(receipt.gas_used),
        "logs": [log_json(log) for log in logs],
        "logsBloom": data_json(bloom_of(receipt.logs)),
        "to": address_json(transaction.to),
        "transactionHash": data_json(transaction.hash),
        "transactionIndex": hex(place.index),
        "type": hex(receipt.type),
    }
    if receipt.state_root is None:
        answer["status"] = hex(receipt.succeeded)
    else:
        answer["root"] = data_json(receipt.state_root)
    if transaction.type == BLOB:
        answer["blobGasUsed"] = hex(BLOB_GAS_PER_BLOB * len(transaction.blob_hashes))
        answer["blobGasPrice"] = hex(blob_fee)
    return answer


def header_json(header: Header, block_hash: Hash32) -> JsonObject:
    """A header, as newHeads pushes it, with the members that its fork has."""
    answer: JsonObject = {
        "number": hex(header.number),
        "hash": data_json(block_hash),
        "parentHash": data_json(header.parent_hash),
        "nonce": data_json(header.nonce),
        "mixHash": data_json(header.prev_randao),
        "sha3Uncles": data_json(header.ommers_hash),
        "logsBloom": data_json(header.logs_bloom),
        "stateRoot": data_json(header.state_root),
        "miner": address_json(header.beneficiary),
        "difficulty": hex(header.difficulty),
        "extraData": data_json(header.extra_data),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "transactionsRoot": data_json(header.transactions_root),
        "receiptsRoot": data_json(header.receipts_root),
    }
    since: dict[str, bytes | int | None] = {
        "baseFeePerGas": header.base_fee,
        "withdrawalsRoot": header.withdrawals_root,
        "blobGasUsed": header.blob_gas_used,
        "excessBlobGas": header.excess_blob_gas,
        "parentBeaconBlockRoot": header.parent_beacon_root,
        "requestsHash": header.requests_hash,
    }
    for name, value in since.items():
        if value is not None:
            answer[name] = data_json(value) if isinstance(value, bytes) else hex(value)
    return answer


def block_json(block: StoredBlock, full_transactions: bool) -> JsonObject:
    """A block with its transactions, whole or as hashes."""
    answer = header_json(block.header, block.hash)
    answer["size"] = hex(block_size(block))
    answer["transactions"] = (
        block_transactions_json(block) if full_transactions else [data_json(hash_) for hash_ in block.hashes]
    )
    answer["uncles"] = [data_json(ommer.hash()) for ommer in block.ommers]
    if block.header.withdrawals_root is not None:
        answer["withdrawals"] = [withdrawal_json(withdrawal) for withdrawal in block.withdrawals]
    return answer


def withdrawal_json(withdrawal: Withdrawal) -> JsonObject:
    """The amount in gwei, as the beacon chain counts."""
    return {
        "index": hex(withdrawal.index),
        "validatorIndex": hex(withdrawal.validator),
        "address": address_json(withdrawal.address),
        "amount": hex(withdrawal.amount_gwei),
    }


def block_transactions_json(block: StoredBlock) -> list[JsonObject]:
    return [
        transaction_json(included_transaction(raw), sender, place_in(block, index))
        for index, (raw, sender) in enumerate(zip(block.transactions, block.senders, strict=True))
    ]


def block_receipts_json(block: StoredBlock, fork: Fork) -> list[JsonObject]:
    """All receipts of a block that was read with them."""
    blob_fee = blob_base_fee(block.header.excess_blob_gas or Gas(0), fork)
    answers, first_log = [], 0
    for index, receipt in enumerate(block.receipts):
        transaction = included_transaction(block.transactions[index])
        place = place_in(block, index)
        answers.append(receipt_json(receipt, transaction, block.senders[index], place, first_log, blob_fee))
        first_log += len(receipt.logs)
    return answers


def block_size(block: StoredBlock) -> int:
    """Bytes of the block's RLP encoding."""
    return len(block.whole().encode())
