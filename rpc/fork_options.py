"""Requests about what a chain is a fork of: it is one from its first block on, of one block for good."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rpc.dev_method import small_number
from rpc.errors import InvalidParams
from rpc.methods import Node
from rpc.params import InvalidValue, text

START_ANOTHER = "start another chain with tandem up --fork-url URL --fork-block N"


class NoFork(InvalidParams):
    def __init__(self) -> None:
        super().__init__(f"this chain is no fork, and cannot become one while it runs: {START_ANOTHER}")


class ForkOfAnotherBlock(InvalidParams):
    def __init__(self, block: int, wanted: int) -> None:
        super().__init__(f"this chain is a fork of block {block}, not of {wanted}: {START_ANOTHER}")


class ForkOfAnotherChain(InvalidParams):
    def __init__(self, url: str) -> None:
        super().__init__(f"this chain is a fork of the one at {url}: {START_ANOTHER}")


@dataclass(frozen=True, slots=True)
class Forking:
    """What is to be forked, as far as it is said."""

    url: str | None
    block: int | None


def reset_options(value: Any) -> Forking | None:
    """Hardhat's and anvil's forms: an object, with what is to be forked or without. viem's `reset()` sends nulls."""
    if not isinstance(value, dict):
        raise InvalidValue("give an object")
    forking = value.get("forking")
    if not forking:
        return None
    if not isinstance(forking, dict):
        raise InvalidValue("forking is an object with jsonRpcUrl and blockNumber")
    url, block = forking.get("jsonRpcUrl"), forking.get("blockNumber")
    if url is None and block is None:
        return None
    return Forking(None if url is None else text(url), None if block is None else small_number(block))


def check_fork(node: Node, wanted: Forking) -> None:
    """Raises NoFork, ForkOfAnotherBlock, ForkOfAnotherChain unless that is what this chain is."""
    if node.remote is None:
        raise NoFork
    block = node.genesis.header.number
    if wanted.block is not None and wanted.block != block:
        raise ForkOfAnotherBlock(block, wanted.block)
    if wanted.url is not None and not _same_server(wanted.url, node.remote.url):
        raise ForkOfAnotherChain(node.remote.url)


def _same_server(url: str, shown: str) -> bool:
    """`shown` has neither path nor key, so the server is all that can be compared."""
    try:
        ours, theirs = urlsplit(shown), urlsplit(url)
        return (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    except ValueError:
        return False
