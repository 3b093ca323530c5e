"""Requests about what a chain is a fork of: it is one from its first block on, so another fork is another chain."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rpc.dev_method import small_number
from rpc.errors import InvalidParams
from rpc.methods import Node
from rpc.params import InvalidValue, text


class ForkOfAnotherChain(InvalidParams):
    def __init__(self, url: str) -> None:
        super().__init__(f"this chain is a fork of the one at {url}: anvil_reset takes what to fork instead")


@dataclass(frozen=True, slots=True)
class Forking:
    """What is to be forked, as far as it is said."""

    url: str | None
    block: int | None


def reset_options(value: Any) -> Forking:
    """Hardhat's and anvil's forms: an object, with what is to be forked or without. viem's `reset()` sends nulls."""
    if not isinstance(value, dict):
        raise InvalidValue("give an object")
    forking = value.get("forking") or {}
    if not isinstance(forking, dict):
        raise InvalidValue("forking is an object with jsonRpcUrl and blockNumber")
    url, block = forking.get("jsonRpcUrl"), forking.get("blockNumber")
    return Forking(None if url is None else text(url), None if block is None else small_number(block))


def stays(node: Node, wanted: Forking | None) -> bool:
    """Whether the reset chain is this one again.

    As anvil has it no argument ends a fork, and one that names nothing means the fork's newest block. A chain that
    gives place to no other goes back to its beginning for either, and so does one that is no fork.
    """
    if wanted in (None, Forking(None, None)):
        return node.remote is None or not node.processes.may_give_place
    return wanted is not None and is_fork(node, wanted)


def is_fork(node: Node, wanted: Forking) -> bool:
    """Whether that is what this chain is already. One server may hold many chains by path, so the whole URL counts; and
    without a block the newest one is meant, which the remote knows."""
    return (
        node.remote is not None
        and wanted.block == node.genesis.header.number
        and wanted.url in (None, node.remote.asked)
    )


def same_server(url: str, shown: str) -> bool:
    """`shown` has neither path nor key, so the server is all that can be compared."""
    try:
        ours, theirs = urlsplit(shown), urlsplit(url)
        return (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    except ValueError:
        return False
