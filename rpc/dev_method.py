"""How developer methods are declared: under all names that tools know them by, and only where operations are allowed.

Their numbers are taken in every form in which hardhat's, foundry's and other tools' clients send them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import orjson

from chain.forks import Fork
from rpc.environments import pending_fork
from rpc.errors import ServerError
from rpc.methods import Argument, Handler, Node, operator_method
from rpc.params import HEX_DIGITS, UINT64_LIMIT, UINT256_LIMIT, InvalidValue, Parser

H = TypeVar("H", bound=Handler)
ANSWERED_WITH_NULL = frozenset(
    (
        "anvil_addBalance",
        "anvil_dealERC20",
        "anvil_impersonateAccount",
        "anvil_reset",
        "anvil_setAutomine",
        "anvil_setBalance",
        "anvil_setCode",
        "anvil_setCoinbase",
        "anvil_setERC20Allowance",
        "anvil_setERC20Balance",
        "anvil_setIntervalMining",
        "anvil_setLoggingEnabled",
        "anvil_setNextBlockBaseFeePerGas",
        "anvil_setNextBlockPrevRandao",
        "anvil_setNonce",
        "anvil_stopImpersonatingAccount",
        "tenderly_addBalance",
        "tenderly_setBalance",
    )
)
"""As anvil answers them (1.7.1); under Hardhat's and ganache's names they answer true, or what was set."""
MAX_SHOWN = 80
"""Characters of a wrong value in what is said of it."""


def dev_method(*names: str, takes: tuple[Parser[Any] | Argument, ...] = ()) -> Callable[[H], H]:
    """Registers an async function of (node, *arguments) under these names."""

    def register(handler: H) -> H:
        for name in names:
            operator_method(name, *takes)(_guarded(handler, name))
        return handler

    return register


def _guarded(handler: Handler, name: str) -> Handler:
    @wraps(handler)
    async def answer(node: Node, *arguments: Any) -> Any:
        fork = pending_fork(node.chain.head.header, node.genesis)
        if fork < Fork.PARIS:
            raise ServerError(f"this chain can only be read: its rules ({fork.label}) are from before the merge")
        result = await handler(node, *arguments)
        return None if name in ANSWERED_WITH_NULL else result

    return answer


def number(value: Any) -> int:
    """A number below 2**256: JSON's own, or a string in hex (leading zeros allowed) or decimal."""
    found = _number(value)
    if found is None or not 0 <= found < UINT256_LIMIT:
        raise InvalidValue(f"invalid number {shown(value)}: give a number, or a string in hex or decimal, below 2**256")
    return found


def small_number(value: Any) -> int:
    """The same below 2**64."""
    found = number(value)
    if found >= UINT64_LIMIT:
        raise InvalidValue(f"number {shown(value)} is not below 2**64")
    return found


def signed_number(value: Any) -> int:
    """The same, also below zero."""
    if isinstance(value, str) and value.startswith("-"):
        return -small_number(value[1:])
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        return -small_number(-value)
    return small_number(value)


def word(value: Any) -> int:
    """A slot's value: 32 bytes in hex, since fewer might be meant from the left or from the right."""
    if not isinstance(value, str) or len(value) != 66 or _number(value) is None:
        raise InvalidValue(f"a storage value is 0x and 64 hex digits, not {shown(value)}")
    return number(value)


def shown(value: Any) -> str:
    """What was given, cut where it is long; of lists and objects only that it was one."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return orjson.dumps(value).decode()[:MAX_SHOWN]


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or not value.isascii() or len(value) > 80:
        return None
    if value[:2] in ("0x", "0X"):
        digits = value[2:]
        return int(digits or "0", 16) if HEX_DIGITS.issuperset(digits) else None
    return int(value) if value.isdigit() else None
