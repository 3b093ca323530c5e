"""The transaction of a state test that lacks its signed bytes: chosen by indexes, signed with the test's key."""

from typing import Any

from chain.transactions import (
    ACCESS_LIST,
    BLOB,
    DYNAMIC_FEE,
    LEGACY,
    SET_CODE,
    AccessListEntry,
    Authorization,
    Transaction,
    TransactionType,
)
from chain.types import Gas, Hash32, Wei
from node.conformance.plain import address, data, number


def signed_transaction(fields: dict[str, Any], indexes: dict[str, int], chain_id: int) -> bytes:
    """The envelope of the transaction that the indexes choose."""
    kind = _type_of(fields, indexes["data"])
    price = Wei(number(fields.get("gasPrice", "0x0")))
    is_dynamic = kind in (DYNAMIC_FEE, BLOB, SET_CODE)
    to = fields.get("to") or ""
    return (
        Transaction(
            type=kind,
            chain_id=None if kind == LEGACY else chain_id,
            nonce=number(fields["nonce"]),
            max_fee=Wei(number(fields["maxFeePerGas"])) if is_dynamic else price,
            max_priority_fee=Wei(number(fields["maxPriorityFeePerGas"])) if is_dynamic else price,
            gas=Gas(number(fields["gasLimit"][indexes["gas"]])),
            to=address(to) if to not in ("", "0x") else None,
            value=Wei(number(fields["value"][indexes["value"]])),
            data=data(fields["data"][indexes["data"]]),
            access_list=_access_list(fields, indexes["data"]),
            max_blob_fee=Wei(number(fields.get("maxFeePerBlobGas", "0x0"))),
            blob_hashes=tuple([Hash32(data(each)) for each in fields.get("blobVersionedHashes", ())]),
            authorizations=tuple([_authorization(each) for each in fields.get("authorizationList", ())]),
        )
        .signed_with(data(fields["secretKey"]))
        .raw
    )


def _type_of(fields: dict[str, Any], index: int) -> TransactionType:
    if "authorizationList" in fields:
        return SET_CODE
    if "blobVersionedHashes" in fields or "maxFeePerBlobGas" in fields:
        return BLOB
    if "maxFeePerGas" in fields:
        return DYNAMIC_FEE
    lists = fields.get("accessLists")
    return ACCESS_LIST if lists and lists[index] is not None else LEGACY


def _access_list(fields: dict[str, Any], index: int) -> tuple[AccessListEntry, ...]:
    lists = fields.get("accessLists")
    rows = lists[index] if lists else fields.get("accessList")
    return tuple(
        [AccessListEntry(address(row["address"]), tuple(map(number, row["storageKeys"]))) for row in rows or ()]
    )


def _authorization(row: dict[str, Any]) -> Authorization:
    return Authorization(
        chain_id=number(row["chainId"]),
        address=address(row["address"]),
        nonce=number(row["nonce"]),
        y_parity=number(row.get("yParity", row.get("v"))),
        r=number(row["r"]),
        s=number(row["s"]),
    )
