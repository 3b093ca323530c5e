"""What is signed of typed structured data (EIP-712), as wallets read it."""

import json
import re
from typing import Any

import orjson

from chain.keccak import keccak256
from chain.types import Hash32
from rpc.errors import InvalidParams

DOMAIN = "EIP712Domain"
KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
WHOLE_NUMBER = re.compile(r"(u?)int(\d*)")
SIZED_BYTES = re.compile(r"bytes(\d+)")
ADDRESS = re.compile("(0x)?[0-9a-fA-F]{40}")
MAX_SHOWN = 80
"""Of a value that does not fit."""
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
        _check_values(message["types"], message["primaryType"], message["message"], "message")
    if DOMAIN in message["types"]:
        _check_values(message["types"], DOMAIN, message["domain"], "domain")


def _check_values(types: dict[str, Any], primary: str, value: Any, place: str) -> None:
    """Raises InvalidTypedData where a value does not fit its type. A struct that is left out is taken for zero, what
    else is missing is told by eth_account."""
    waiting = [(primary, value, place)]
    while waiting:
        type_name, given, at = waiting.pop()
        if type_name.endswith("]"):
            inner, _, length = type_name[:-1].rpartition("[")
            _check_is(given, list, at)
            if length and length != str(len(given)):
                raise InvalidTypedData(f"{at} has {len(given)} values, not {length}")
            waiting += [(inner, each, f"{at}[{index}]") for index, each in enumerate(given)]
        elif type_name in types:
            _check_is(given, dict, at)
            members = ((field["type"], given.get(field["name"]), field["name"]) for field in types[type_name])
            waiting += [(of, member, f"{at}.{name}") for of, member, name in members if member is not None]
        elif given is not None and not _fits(type_name, given):
            raise InvalidTypedData(f"{at} is {json.dumps(given)[:MAX_SHOWN]}, which is no {type_name}")


def _fits(type_name: str, value: Any) -> bool:
    """Whether it can be a value of this type; so it is of text, truth values and types that nobody knows."""
    number = WHOLE_NUMBER.fullmatch(type_name)
    if number is not None:
        whole, bits = _whole(value), int(number[2] or 256)
        least, limit = (0, 2**bits) if number[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return whole is not None and least <= whole < limit
    if type_name == "address":
        return isinstance(value, str) and ADDRESS.fullmatch(value) is not None
    sized = SIZED_BYTES.fullmatch(type_name)
    if sized is not None and isinstance(value, str):
        size = (len(value) - 1) // 2 if value.startswith("0x") else len(value.encode())  # what is not hex is text
        return size <= int(sized[1])
    return True


def _whole(value: Any) -> int | None:
    """A number, or text that is one."""
    if isinstance(value, str):
        try:
            return int(value, 16 if value.startswith("0x") else 10)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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
