"""Asks a running chain over JSON-RPC, for the commands that show and change one."""

import http.client
import json
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from node.errors import BadSetting, NodeError

TIMEOUT_S = 5.0
TAGS = ("latest", "safe", "finalized", "earliest")
"""Blocks by their stage of life, as JSON-RPC takes them."""


class NoChain(NodeError):
    def __init__(self, url: str, reason: object) -> None:
        super().__init__(
            f"no chain answers at {url} ({reason}): start one with scripts/up, or give its --port or --url"
        )


class ChainEnded(NodeError):
    """It answered, and ended while more was expected from it."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the chain at {url} ended, or its rpc started again: if it runs, give the command again")


class RefusedByChain(NodeError):
    """The chain does not do what it was asked; it said why."""

    def __init__(self, message: str) -> None:
        super().__init__(re.sub(r"^invalid argument \d+: ", "", message))


class NoSuchBlock(NodeError):
    """Of the chain at the address, which says what is its newest one."""

    def __init__(self, url: str, block: str) -> None:
        reference, newest = block_reference(block), int(ask(url, "eth_blockNumber"), 16)
        shown = int(reference, 16) if reference.startswith("0x") else reference
        super().__init__(f"there is no block {shown}: the newest is {newest}")


def ask(url: str, method: str, *params: Any, timeout_s: float = TIMEOUT_S) -> Any:
    """The result of a JSON-RPC method. Raises NoChain, and RefusedByChain when it answers with an error."""
    parts = address_in(url)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
        connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoChain(url, error) from error
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise NoChain(url, "it is not Tandem")
    if "error" in answer:
        raise RefusedByChain(str(answer["error"].get("message")))
    return answer["result"]


def address_in(url: str) -> SplitResult:
    """The parts of a chain's RPC address; http:// may be left out. Raises NoChain if it is none."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme == "http" and parts.hostname is not None and parts.port != 0
    except ValueError as error:
        raise NoChain(url, error) from error
    if not usable:
        raise NoChain(url, "not an http:// address")
    return parts


def block_reference(typed: str) -> str:
    """A block as JSON-RPC takes it. Raises BadSetting."""
    text = typed.strip()
    if text in TAGS:
        return text
    try:
        number = int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise BadSetting(f"{typed!r} is no block: give its number or {', '.join(TAGS)}")
    return hex(number)
