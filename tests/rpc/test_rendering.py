"""Blocks, transactions and receipts look as ethereum/execution-apis recorded them, member by member."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.forks import Fork
from chain.headers import decode_header
from chain.messages.storage import StoredBlock
from chain.receipts import Log, Receipt
from chain.transactions import BLOB, Transaction, decode_transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Version, Wei
from rpc.render import Place, block_json, block_receipts_json, receipt_json, transaction_json

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded_chain.json").read_text())


def number(value: str) -> int:
    return int(value, 16)


def data(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def block_of(conversation: dict[str, Any], receipts: tuple[Receipt, ...] = ()) -> StoredBlock:
    encoded = conversation["block"]
    header = decode_header(bytes.fromhex(encoded["header"]))
    transactions = [decode_transaction(bytes.fromhex(raw)) for raw in encoded["transactions"]]
    return StoredBlock(
        header=header,
        hash=header.hash(),
        version=Version(header.number),
        hashes=tuple(transaction.hash for transaction in transactions),
        transactions=tuple(transaction.raw for transaction in transactions),
        senders=tuple(transaction.sender() for transaction in transactions),
        receipts=receipts,
    )


def place_of(shown: dict[str, Any], transaction: Transaction) -> Place:
    """Where a recorded transaction or receipt stands. Its base fee follows from the price it was shown with."""
    stamped = [shown, *shown.get("logs", [])]
    price = number(shown.get("effectiveGasPrice") or shown["gasPrice"])
    return Place(
        block_hash=Hash32(data(shown["blockHash"])),
        number=BlockNumber(number(shown["blockNumber"])),
        timestamp=next((number(s["blockTimestamp"]) for s in stamped if "blockTimestamp" in s), 0),
        base_fee=Wei(max(0, price - transaction.max_priority_fee)),
        index=number(shown["transactionIndex"]),
    )


def receipt_of(shown: dict[str, Any], transaction: Transaction) -> Receipt:
    """The receipt that was recorded, from its JSON."""
    logs = (
        Log(Address(data(log["address"])), tuple(Hash32(data(t)) for t in log["topics"]), data(log["data"]))
        for log in shown["logs"]
    )
    return Receipt(
        type=transaction.type,
        succeeded=shown["status"] == "0x1",
        gas_used=Gas(number(shown["gasUsed"])),
        cumulative_gas=Gas(number(shown["cumulativeGasUsed"])),
        logs=tuple(logs),
        gas_price=Wei(number(shown["effectiveGasPrice"])),
        contract=None if shown["contractAddress"] is None else Address(data(shown["contractAddress"])),
    )


@pytest.mark.parametrize("conversation", RECORDED["blocks"], ids=lambda c: " ".join(map(str, c["params"])))
def test_a_block_looks_as_recorded(conversation: dict[str, Any]) -> None:
    assert block_json(block_of(conversation), conversation["params"][1]) == conversation["result"]


@pytest.mark.parametrize("conversation", RECORDED["transactions"], ids=lambda c: c["result"]["type"])
def test_a_transaction_of_each_type_looks_as_recorded(conversation: dict[str, Any]) -> None:
    transaction = decode_transaction(bytes.fromhex(conversation["raw"]))
    shown = conversation["result"]
    assert transaction_json(transaction, transaction.sender(), place_of(shown, transaction)) == shown


@pytest.mark.parametrize("conversation", RECORDED["receipts"], ids=lambda c: c["result"]["type"])
def test_a_receipt_of_each_type_looks_as_recorded(conversation: dict[str, Any]) -> None:
    transaction = decode_transaction(bytes.fromhex(conversation["raw"]))
    shown = conversation["result"]
    first_log = number(shown["logs"][0]["logIndex"]) if shown["logs"] else 0
    blob_fee = Wei(number(shown["blobGasPrice"])) if transaction.type == BLOB else Wei(1)
    receipt = receipt_of(shown, transaction)
    place = place_of(shown, transaction)
    assert receipt_json(receipt, transaction, transaction.sender(), place, first_log, blob_fee) == shown


def test_the_receipts_of_a_block_look_as_recorded() -> None:
    conversation = next(c for c in RECORDED["blocks"] if c["params"][0] == "latest")
    shown = RECORDED["latestReceipts"]
    transactions = [decode_transaction(bytes.fromhex(raw)) for raw in conversation["block"]["transactions"]]
    receipts = tuple(receipt_of(s, t) for s, t in zip(shown, transactions, strict=True))
    assert block_receipts_json(block_of(conversation, receipts), Fork.PRAGUE) == shown
    assert len(shown) > 1
