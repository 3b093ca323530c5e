"""A full disk stops the chain and nothing else; when there is room it goes on by itself.

A limit on the size of files stands for the disk: writes fail in the same place, with another number.
"""

import contextlib
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from node.status import rendered
from tests.e2e.chain_process import ChainProcess, chain, told_by, wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.test_recovery import block_with_transfer, parent_of, send, transfer

NO_LIMIT = resource.RLIM_INFINITY


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    with chain("--data-dir", str(tmp_path_factory.mktemp("full") / "chain")) as running:
        yield running
        assert running.end()[0] == 0


@pytest.fixture
def rpc(running: ChainProcess) -> Iterator[JsonRpc]:
    with contextlib.closing(running.rpc()) as rpc:
        yield rpc


def _limit(pids: Iterable[int], limit_bytes: int) -> None:
    """How large a file each may make; what it forks from then on has the same limit."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, NO_LIMIT))


def _forked_by(server: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def _key(running: ChainProcess) -> str:
    key: str = running.ready()["accounts"][0]["privateKey"]
    return key


def _troubles(running: ChainProcess) -> list[str]:
    return [event["text"] for event in running.events if event["event"] == "trouble"]


def test_a_storage_without_room_holds_the_chain_up(running: ChainProcess, rpc: JsonRpc) -> None:
    block_with_transfer(rpc, _key(running), 0)
    storage = running.pids()["storage"]
    _limit([storage], 1)
    waiting = transfer(_key(running), 1)
    send(rpc, waiting)
    trouble = running.event(lambda event: event["event"] == "trouble")
    assert "no room left to write to" in trouble["text"]
    assert "free some space, the chain goes on by itself then" in trouble["text"]
    wait_until(lambda: f"stalled     {trouble['text']}" in rendered(rpc.call("tandem_status")), "the status says so")
    assert rpc.call("eth_blockNumber") == "0x1"
    _limit([storage], NO_LIMIT)
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", waiting.hash.to_0x_hex()), "the chain goes on")
    assert told_by(rpc, "execution")["stalled"] == ""
    assert _troubles(running) == [trouble["text"]]


def test_validators_without_room_stop_the_chain_and_say_so_once(running: ChainProcess, rpc: JsonRpc) -> None:
    before = len(_troubles(running))
    server = parent_of(running.pids()["validator-0"])
    pids = [server, *_forked_by(server)]
    _limit(pids, 1)
    waiting = transfer(_key(running), 2)
    with pytest.raises(RpcError, match="no room left on the chain's disk"):
        send(rpc, waiting)
    with pytest.raises(RpcError, match="no room left on the chain's disk"):
        send(rpc, transfer(_key(running), 3))
    said = "stalled     no room left on the disk of the data folder"
    wait_until(lambda: said in rendered(rpc.call("tandem_status")), "the status says so")
    wait_until(lambda: len(_troubles(running)) > before, "the terminal says so")
    (trouble,) = _troubles(running)[before:]
    assert "the chain pauses. Free some space, and it goes on by itself" in trouble
    _limit([server], NO_LIMIT)
    _limit(_forked_by(server), NO_LIMIT)
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", waiting.hash.to_0x_hex()), "the chain goes on")
    block_with_transfer(rpc, _key(running), 4)
    assert len(_troubles(running)) == before + 1
