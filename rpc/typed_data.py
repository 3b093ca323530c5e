"""What is signed of typed structured data (EIP-712), as wallets read it."""

import json
from typing import Any

import orjson

from chain.keccak import keccak256
from chain.types import Hash32
from rpc.errors import InvalidParams

DOMAIN = "EIP712Domain"
NOTHING = "Nothing"
"""A type without members, for data that is its domain alone."""


class InvalidTypedData(InvalidParams):
    """Not the typed structured data of EIP-712."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid typed data: {why}")


def typed_data_digest(typed_data: Any) -> Hash32:
    """Of typed data, given as an object or as its JSON text. Raises InvalidTypedData."""
    # Imported on first use: it takes half a second, and few chains ever sign typed data in the node.
    from eth_account.messages import encode_typed_data

    try:
        message = _parsed(typed_data) if isinstance(typed_data, str) else typed_data
        of_domain = message.get("primaryType") == DOMAIN
        signable = encode_typed_data(full_message=_domain_only(message) if of_domain else _reachable_only(message))
    except Exception as error:  # eth_account, eth_abi, json and orjson each raise their own kinds for malformed input
        raise InvalidTypedData(str(error) or type(error).__name__) from error
    return keccak256(b"\x19" + signable.version + signable.header + (b"" if of_domain else signable.body))


def _parsed(text: str) -> Any:
    """JSON with whole numbers of any size, which orjson would make floats of.

    Its depth is orjson's to judge: json's parser overflows the stack, since py_ecc lifts Python's recursion limit.
    """
    orjson.loads(text)
    return json.loads(text)


def _domain_only(message: dict[str, Any]) -> dict[str, Any]:
    types = {DOMAIN: message["types"][DOMAIN], NOTHING: []}
    return {"types": types, "domain": message["domain"], "primaryType": NOTHING, "message": {}}


def _reachable_only(message: dict[str, Any]) -> dict[str, Any]:
    """Without types that the primary one does not lead to: eth_account takes them for another primary type."""
    types, primary = message["types"], message.get("primaryType")
    if primary not in types:
        return message
    reached: set[Any] = {DOMAIN}
    waiting = [primary]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in types:
            reached.add(name)
            waiting += [member["type"].partition("[")[0] for member in types[name]]
    return {**message, "types": {name: members for name, members in types.items() if name in reached}}
