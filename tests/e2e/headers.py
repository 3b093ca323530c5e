"""Headers out of what eth_getBlockByNumber answers, so that hashes can be made and rules be checked of them."""

from collections.abc import Mapping
from typing import Any

from chain.headers import Header
from chain.types import Address, BlockNumber, Gas, Hash32, Wei


def header_from_json(block: Mapping[str, Any]) -> Header:
    """The header of any fork; members that are not there are fields that its fork has not."""

    def data(name: str) -> bytes:
        return bytes.fromhex(block[name][2:])

    def word(name: str) -> Hash32 | None:
        return Hash32(data(name)) if name in block else None

    def number(name: str) -> int:
        return int(block[name], 16)

    return Header(
        parent_hash=Hash32(data("parentHash")),
        ommers_hash=Hash32(data("sha3Uncles")),
        beneficiary=Address(data("miner")),
        state_root=Hash32(data("stateRoot")),
        transactions_root=Hash32(data("transactionsRoot")),
        receipts_root=Hash32(data("receiptsRoot")),
        logs_bloom=data("logsBloom"),
        difficulty=number("difficulty"),
        number=BlockNumber(number("number")),
        gas_limit=Gas(number("gasLimit")),
        gas_used=Gas(number("gasUsed")),
        timestamp=number("timestamp"),
        extra_data=data("extraData"),
        prev_randao=Hash32(data("mixHash")),
        nonce=data("nonce"),
        base_fee=Wei(number("baseFeePerGas")) if "baseFeePerGas" in block else None,
        withdrawals_root=word("withdrawalsRoot"),
        blob_gas_used=Gas(number("blobGasUsed")) if "blobGasUsed" in block else None,
        excess_blob_gas=Gas(number("excessBlobGas")) if "excessBlobGas" in block else None,
        parent_beacon_root=word("parentBeaconBlockRoot"),
        requests_hash=word("requestsHash"),
    )
