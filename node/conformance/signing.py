"""The transaction of a state test that lacks its signed bytes: chosen by indexes, signed with the test's key."""

from chain.signing import SECP256K1_ORDER
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
from node.conformance.outcomes import Failed
from node.conformance.plain import Fields, address, data, fields_of, list_of, number


def signed_transaction(fields: Fields, indexes: Fields, chain_id: int) -> bytes:
    """The envelope of the transaction that the indexes choose. Raises Failed."""
    index, gas, value = number(indexes["data"]), number(indexes["gas"]), number(indexes["value"])
    kind = _type_of(fields, index)
    price = Wei(number(fields.get("gasPrice", "0x0")))
    is_dynamic = kind in (DYNAMIC_FEE, BLOB, SET_CODE)
    to = fields.get("to", "")
    blob_hashes = fields.listed("blobVersionedHashes") if "blobVersionedHashes" in fields else []
    authorizations = fields.rows("authorizationList") if "authorizationList" in fields else []
    return (
        Transaction(
            type=kind,
            chain_id=None if kind == LEGACY else chain_id,
            nonce=number(fields["nonce"]),
            max_fee=Wei(number(fields["maxFeePerGas"])) if is_dynamic else price,
            max_priority_fee=Wei(number(fields["maxPriorityFeePerGas"])) if is_dynamic else price,
            gas=Gas(number(fields.chosen("gasLimit", gas))),
            to=address(to) if to not in ("", "0x") else None,
            value=Wei(number(fields.chosen("value", value))),
            data=data(fields.chosen("data", index)),
            access_list=_access_list(fields, index),
            max_blob_fee=Wei(number(fields.get("maxFeePerBlobGas", "0x0"))),
            blob_hashes=tuple([Hash32(data(each)) for each in blob_hashes]),
            authorizations=tuple([_authorization(each) for each in authorizations]),
        )
        .signed_with(_key(fields["secretKey"]))
        .raw
    )


def _type_of(fields: Fields, index: int) -> TransactionType:
    if "authorizationList" in fields:
        return SET_CODE
    if "blobVersionedHashes" in fields or "maxFeePerBlobGas" in fields:
        return BLOB
    if "maxFeePerGas" in fields:
        return DYNAMIC_FEE
    lists = fields.get("accessLists", None)
    return ACCESS_LIST if lists and fields.chosen("accessLists", index) is not None else LEGACY


def _access_list(fields: Fields, index: int) -> tuple[AccessListEntry, ...]:
    lists = fields.get("accessLists", None)
    chosen = fields.chosen("accessLists", index) if lists else fields.get("accessList", None)
    rows = [fields_of(row, "an entry of the access list") for row in list_of(chosen or [], "the access list")]
    return tuple(
        [AccessListEntry(address(row["address"]), tuple(map(number, row.listed("storageKeys")))) for row in rows]
    )


def _key(value: object) -> bytes:
    """Raises Failed."""
    key = data(value)
    if not 0 < int.from_bytes(key, "big") < SECP256K1_ORDER or len(key) != 32:
        raise Failed(f"the test's file has {value!r:.80} where a private key belongs")
    return key


def _authorization(row: Fields) -> Authorization:
    return Authorization(
        chain_id=number(row["chainId"]),
        address=address(row["address"]),
        nonce=number(row["nonce"]),
        y_parity=number(row["yParity"] if "yParity" in row else row["v"]),
        r=number(row["r"]),
        s=number(row["s"]),
    )
