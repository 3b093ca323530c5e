"""What is signed of typed structured data (EIP-712), as wallets read it."""

import json
from typing import Any

import orjson

from chain.keccak import keccak256
from chain.types import Hash32
from rpc.errors import InvalidParams

DOMAIN = "EIP712Domain"
KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
NOTHING = "Nothing"
"""A type without members, for data that is its domain alone."""


OF_PYTHON = (AttributeError, KeyError, IndexError, TypeError, RecursionError)
"""What eth_account lets through where a value is of another kind than its type: their words are about its code."""


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
        _check_form(message)
        of_domain = message.get("primaryType") == DOMAIN
        signable = encode_typed_data(full_message=_domain_only(message) if of_domain else _reachable_only(message))
    except InvalidTypedData:
        raise
    except OF_PYTHON as error:
        raise InvalidTypedData("a value of the domain or the message does not fit its type") from error
    except Exception as error:  # eth_account, eth_abi, json and orjson each raise their own kinds for malformed input
        raise InvalidTypedData(str(error) or type(error).__name__) from error
    return keccak256(b"\x19" + signable.version + signable.header + (b"" if of_domain else signable.body))


def _parsed(text: str) -> Any:
    """JSON with whole numbers of any size, which orjson would make floats of.

    Its depth is orjson's to judge: json's parser overflows the stack, since py_ecc lifts Python's recursion limit.
    """
    orjson.loads(text)
    return json.loads(text)


def _check_form(message: Any) -> None:
    """Raises InvalidTypedData where a part is missing or of another kind than EIP-712's. Without primaryType it is the
    one type that no other leads to."""
    _check_is(message, dict, "it")
    members = {"types": dict, "domain": dict} | ({} if message.get("primaryType") == DOMAIN else {"message": dict})
    for name, kind in members.items():
        if name not in message:
            raise InvalidTypedData(f"it has no {name}")
        _check_is(message[name], kind, name)
    if message.get("primaryType") is not None:
        _check_is(message["primaryType"], str, "primaryType")
    for type_name, fields in message["types"].items():
        _check_is(fields, list, f"types.{type_name}")
        for index, field in enumerate(fields):
            place = f"types.{type_name}[{index}]"
            _check_is(field, dict, place)
            for name in ("name", "type"):
                _check_is(field.get(name), str, f"{place}.{name}")
    if message.get("primaryType") == DOMAIN and DOMAIN not in message["types"]:
        raise InvalidTypedData(f"types has no {DOMAIN}")
    if "message" in members and message.get("primaryType") in message["types"]:
        _check_structs(message["types"], message["primaryType"], message["message"])


def _check_structs(types: dict[str, Any], primary: str, message: Any) -> None:
    """Raises InvalidTypedData where a value that is to be a struct is none. One that is left out is taken for zero."""
    waiting = [(primary, message, "message")]
    while waiting:
        struct, value, place = waiting.pop()
        _check_is(value, dict, place)
        for field in types[struct]:
            inner, given, at = field["type"].removesuffix("[]"), value.get(field["name"]), f"{place}.{field['name']}"
            if inner not in types or given is None:
                continue
            if inner == field["type"]:
                waiting.append((inner, given, at))
            else:
                _check_is(given, list, at)
                waiting += [(inner, each, f"{at}[{index}]") for index, each in enumerate(given)]


def _check_is(value: Any, kind: type, place: str) -> None:
    if not isinstance(value, kind):
        raise InvalidTypedData(f"{place} is {_kind_of(value)}, not {KINDS[kind]}")


def _kind_of(value: Any) -> str:
    """In JSON's words."""
    return "null or missing" if value is None else KINDS.get(type(value), "a number")


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
