"""Resetting a chain as a fork: it is the fork that it was started as, or it says how to start another."""

from dataclasses import replace
from typing import Any

import pytest

from chain.types import BlockNumber
from rpc.fork_options import Forking, is_fork, reset_options, stays
from rpc.methods import Node
from rpc.params import InvalidValue
from rpc.process import RpcProcess
from rpc.remote import RemoteBlocks
from tests.rpc.client import Client
from tests.rpc.fake_neighbours import FakeProcesses

URL = "https://mainnet.example:8443/v3/KEY"
SHOWN = "https://mainnet.example:8443/…"


@pytest.fixture
def node(process: RpcProcess) -> Node:
    """A fork of block 0."""
    return replace(process.node, remote=RemoteBlocks(process.node.storage, BlockNumber(0), SHOWN, URL))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Forking(None, None)),
        ({"forking": None}, Forking(None, None)),
        ({"forking": {}}, Forking(None, None)),
        ({"forking": {"jsonRpcUrl": URL, "blockNumber": "0x7"}}, Forking(URL, 7)),
        ({"forking": {"jsonRpcUrl": URL, "blockNumber": 7}}, Forking(URL, 7)),
        ({"forking": {"blockNumber": None, "jsonRpcUrl": URL}}, Forking(URL, None)),
        ({"forking": {"blockNumber": None}}, Forking(None, None)),
    ],
)
def test_what_is_to_be_forked_is_read(given: Any, expected: Forking) -> None:
    assert reset_options(given) == expected


@pytest.mark.parametrize("given", [[], "0x1", {"forking": True}, {"forking": {"jsonRpcUrl": 5}}])
def test_what_says_no_fork_is_refused(given: Any) -> None:
    with pytest.raises(InvalidValue):
        reset_options(given)


def test_a_fork_is_known_by_its_url_and_its_block(node: Node, process: RpcProcess) -> None:
    for url in (URL, None):
        assert is_fork(node, Forking(url, 0))
        assert not is_fork(process.node, Forking(url, 0)), "this one is no fork"
        assert not is_fork(node, Forking(url, None)), "the newest block may be another one"
    for other in (Forking(URL, 5), Forking("https://mainnet.example:8443/other-chain", 0), Forking("https://[", 0)):
        assert not is_fork(node, other)


async def test_a_reset_to_another_fork_is_left_to_who_runs_the_processes(process: RpcProcess, client: Client) -> None:
    forking = {"jsonRpcUrl": URL, "blockNumber": 7}
    assert await client.result("hardhat_reset", {"forking": forking}) is True
    assert await client.result("anvil_reset", {"forking": {"blockNumber": "0x8"}}) is None
    assert isinstance(process.node.processes, FakeProcesses)
    assert process.node.processes.forks == [(URL, 7), (None, 8)]


@pytest.mark.parametrize(("may_give_place", "is_a_fork"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_reset_that_names_nothing_ends_a_fork_or_goes_back_where_no_chain_takes_the_place_of_this_one(
    node: Node, process: RpcProcess, may_give_place: bool, is_a_fork: bool
) -> None:
    """As anvil 1.7.1 has it for a fork: without an argument none, with an empty one the newest block."""
    processes = FakeProcesses(may_give_place=may_give_place)
    asked = replace(node if is_a_fork else process.node, processes=processes)
    stays_here = not (may_give_place and is_a_fork)
    assert [stays(asked, None), stays(asked, Forking(None, None))] == [stays_here] * 2
