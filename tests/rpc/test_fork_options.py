"""Resetting a chain as a fork: it is the fork that it was started as, or it says how to start another."""

from dataclasses import replace
from typing import Any

import pytest

from chain.types import BlockNumber
from rpc.errors import InvalidParams
from rpc.fork_options import Forking, check_fork, reset_options
from rpc.methods import Node
from rpc.params import InvalidValue
from rpc.process import RpcProcess
from rpc.remote import RemoteBlocks

URL = "https://mainnet.example:8443/v3/KEY"
SHOWN = "https://mainnet.example:8443/…"


@pytest.fixture
def node(process: RpcProcess) -> Node:
    """A fork of block 0."""
    return replace(process.node, remote=RemoteBlocks(process.node.storage, BlockNumber(0), SHOWN))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"forking": None}, None),
        ({"forking": {}}, None),
        ({"forking": {"jsonRpcUrl": URL, "blockNumber": "0x7"}}, Forking(URL, 7)),
        ({"forking": {"jsonRpcUrl": URL, "blockNumber": 7}}, Forking(URL, 7)),
        ({"forking": {"blockNumber": None, "jsonRpcUrl": URL}}, Forking(URL, None)),
        ({"forking": {"blockNumber": None}}, None),
    ],
)
def test_what_is_to_be_forked_is_read(given: Any, expected: Forking | None) -> None:
    assert reset_options(given) == expected


@pytest.mark.parametrize("given", [[], "0x1", {"forking": True}, {"forking": {"jsonRpcUrl": 5}}])
def test_what_says_no_fork_is_refused(given: Any) -> None:
    with pytest.raises(InvalidValue):
        reset_options(given)


def test_a_fork_is_reset_to_what_it_is(node: Node) -> None:
    for url in (URL, "https://mainnet.example:8443", None):
        for block in (0, None):
            check_fork(node, Forking(url, block))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Forking(URL, 5), "this chain is a fork of block 0, not of 5: start another chain with tandem up --fork-url"),
        (Forking("https://sepolia.example/", None), f"this chain is a fork of the one at {SHOWN}: start another"),
        (Forking("https://[", None), "this chain is a fork of the one at"),
    ],
)
def test_another_fork_is_refused_with_what_to_do(node: Node, wanted: Forking, words: str) -> None:
    with pytest.raises(InvalidParams, match=words.replace("[", r"\[")):
        check_fork(node, wanted)


def test_a_chain_of_its_own_becomes_no_fork(process: RpcProcess) -> None:
    with pytest.raises(InvalidParams, match="this chain is no fork, and cannot become one while it runs"):
        check_fork(process.node, Forking(URL, None))
