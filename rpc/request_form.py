"""What JSON-RPC 2.0 asks of a request, whatever it is for."""

from typing import Any, TypeGuard


def is_id(value: Any) -> bool:
    """Whether it may be an id: a string, a number or null."""
    return not isinstance(value, dict | list | bool)


def is_request(message: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it names a method and has nothing but an id that may be one."""
    if not isinstance(message, dict) or not is_id(message.get("id")) or message.get("jsonrpc") != "2.0":
        return False
    name = message.get("method")
    return type(name) is str and name != ""
