"""A block's header out of a remote's JSON."""

from typing import Any

from chain.headers import Header
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from node.remote.parsing import NotWhatWasAsked, data, hash32, quantity

MAX_EXTRA_BYTES = 4096
"""Ethereum allows 32; chains with proof of authority keep signatures there."""


def header_of(block: Any) -> tuple[Header, Hash32]:
    """The header, and the hash that it was given with. Raises NotWhatWasAsked, also if the two do not fit."""
    if not isinstance(block, dict):
        raise NotWhatWasAsked("a block", block)
    header, said = header_in(block), hash32(block.get("hash"), "the hash of a block")
    if header.hash() != said:
        ours = f"0x{header.hash().hex()}"
        raise NotWhatWasAsked(f"the hash of block {header.number}, which has {ours} by Ethereum's rules", block["hash"])
    return header, said


def header_in(block: dict[str, Any]) -> Header:
    """The header, whatever its hash is said to be. Raises NotWhatWasAsked."""

    def number(name: str, bits: int = 64) -> int:
        return quantity(block.get(name), f"the {name} of a block", bits)

    def hash_(name: str) -> Hash32:
        return hash32(block.get(name), f"the {name} of a block")

    def has(name: str) -> bool:
        return block.get(name) is not None

    return Header(
        parent_hash=hash_("parentHash"),
        ommers_hash=hash_("sha3Uncles"),
        beneficiary=Address(_exactly(block, "miner", 20)),
        state_root=hash_("stateRoot"),
        transactions_root=hash_("transactionsRoot"),
        receipts_root=hash_("receiptsRoot"),
        logs_bloom=_exactly(block, "logsBloom", 256),
        difficulty=number("difficulty", 256),
        number=BlockNumber(number("number")),
        gas_limit=Gas(number("gasLimit")),
        gas_used=Gas(number("gasUsed")),
        timestamp=number("timestamp"),
        extra_data=data(block.get("extraData"), "the extraData of a block", MAX_EXTRA_BYTES),
        prev_randao=hash_("mixHash"),
        nonce=_exactly(block, "nonce", 8),
        base_fee=Wei(number("baseFeePerGas", 256)) if has("baseFeePerGas") else None,
        withdrawals_root=hash_("withdrawalsRoot") if has("withdrawalsRoot") else None,
        blob_gas_used=Gas(number("blobGasUsed")) if has("blobGasUsed") else None,
        excess_blob_gas=Gas(number("excessBlobGas")) if has("excessBlobGas") else None,
        parent_beacon_root=hash_("parentBeaconBlockRoot") if has("parentBeaconBlockRoot") else None,
        requests_hash=hash_("requestsHash") if has("requestsHash") else None,
    )


def _exactly(block: dict[str, Any], name: str, size: int) -> bytes:
    found = data(block.get(name), f"the {name} of a block", size)
    if len(found) != size:
        raise NotWhatWasAsked(f"the {name} of a block", block[name])
    return found
