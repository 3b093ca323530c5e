"""The remote of a fork as storage reads it: one block of one chain, and nothing that could be something else."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from chain.types import Address, BlockNumber, Hash32, Wei
from node.remote.base import ForkPoint
from node.remote.chain import HttpRemote
from node.remote.client import JsonRpcClient
from storage.remote import (
    OtherRemote,
    RemoteAccount,
    RemoteLacksState,
    RemoteNonsense,
    RemoteRefusal,
    RemoteUnavailable,
    RemoteValues,
)
from tests.node.fake_remote import FORK_BLOCK, FORK_HASH, FakeRemote, error, serving, status

A, B = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
A_HEX, B_HEX = "0x" + A.hex(), "0x" + B.hex()
FORKED = {"number": hex(FORK_BLOCK), "hash": "0x" + FORK_HASH.hex()}


def _state(block: Any) -> dict[str, Any]:
    return {
        f"eth_getTransactionCount {A_HEX} {block}": "0x5",
        f"eth_getBalance {A_HEX} {block}": "0x6",
        f"eth_getCode {A_HEX} {block}": "0x6001",
        "eth_getTransactionCount": "0x0",
        "eth_getBalance": "0x0",
        "eth_getCode": "0x",
        f"eth_getStorageAt {A_HEX} 0x{1:064x} {block}": f"0x{77:064x}",
        "eth_getStorageAt": "0x0",
        f"eth_getBlockByNumber {hex(FORK_BLOCK)} False": FORKED,
    }


@pytest.fixture
async def remote() -> AsyncIterator[FakeRemote]:
    async with serving(FakeRemote(_state(hex(FORK_BLOCK)))) as fake:
        yield fake


@pytest.fixture
async def client(remote: FakeRemote) -> AsyncIterator[JsonRpcClient]:
    made = JsonRpcClient(remote.url)
    yield made
    await made.close()


@pytest.fixture
def chain(client: JsonRpcClient) -> HttpRemote:
    return HttpRemote(client, ForkPoint(BlockNumber(FORK_BLOCK), FORK_HASH, by_hash=False))


READ = (A, B), ((A, 1), (B, 2))
VALUES = RemoteValues((RemoteAccount(5, Wei(6), b"\x60\x01"), RemoteAccount(0, Wei(0), b"")), (77, 0))


async def test_accounts_with_their_codes_and_slots_come_in_one_request(chain: HttpRemote, remote: FakeRemote) -> None:
    assert await chain.state(*READ) == VALUES
    assert remote.sizes == [1 + 2 * 3 + 2]
    assert chain.counters() == {"remote_requests": 1, "remote_calls": 9}


async def test_that_it_is_the_chain_that_was_forked_is_seen_once(chain: HttpRemote, remote: FakeRemote) -> None:
    for _ in range(2):
        await chain.state((A,), ())
    assert remote.sizes == [4, 3]


async def test_after_the_remote_was_away_it_may_be_another_chain(
    chain: HttpRemote, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chain.state((A,), ())
    monkeypatch.setattr("node.remote.chain.READ_BUDGET_S", 0.05)
    remote.always = status(503)
    with pytest.raises(RemoteUnavailable):
        await chain.state((A,), ())
    remote.always = None
    remote.results[f"eth_getBlockByNumber {hex(FORK_BLOCK)} False"] = FORKED | {"hash": "0x" + "11" * 32}
    with pytest.raises(OtherRemote, match=f"its block 100 is 0x{'11' * 32}, not 0x{FORK_HASH.hex()}"):
        await chain.state((A,), ())
    remote.results[f"eth_getBlockByNumber {hex(FORK_BLOCK)} False"] = None
    with pytest.raises(OtherRemote, match="its block 100 is not there"):
        await chain.state((A,), ())


async def test_a_remote_that_reads_by_hash_cannot_answer_of_another_block(
    client: JsonRpcClient, remote: FakeRemote
) -> None:
    by_hash = {"blockHash": "0x" + FORK_HASH.hex()}
    remote.results = _state(by_hash)
    chain = HttpRemote(client, ForkPoint(BlockNumber(FORK_BLOCK), FORK_HASH, by_hash=True))
    assert await chain.state(*READ) == VALUES
    assert remote.sizes == [8]


@pytest.mark.parametrize(
    "said",
    ["missing trie node 4f5a (path )", "header not found", "historical state 12 is not available", "state pruned"],
)
async def test_a_remote_without_the_state_of_the_block_is_told_apart(
    chain: HttpRemote, remote: FakeRemote, said: str
) -> None:
    remote.results[f"eth_getBalance {A_HEX} {hex(FORK_BLOCK)}"] = error(-32000, said)
    with pytest.raises(RemoteLacksState, match=r"does not have the state of block 100.*archive node"):
        await chain.state((A,), ())


async def test_an_error_of_a_read_is_never_a_value(chain: HttpRemote, remote: FakeRemote) -> None:
    remote.results[f"eth_getCode {A_HEX} {hex(FORK_BLOCK)}"] = error(-32603, "internal error")
    with pytest.raises(RemoteUnavailable, match="answers: internal error"):
        await chain.state((A,), ())


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("eth_getBalance", None),
        ("eth_getBalance", 6),
        ("eth_getBalance", "0x"),
        ("eth_getBalance", "6"),
        ("eth_getBalance", "0x" + "f" * 65),
        ("eth_getTransactionCount", "0x1" + "0" * 16),
        ("eth_getCode", "0x600"),
        ("eth_getCode", None),
        ("eth_getCode", "0x" + "00" * (1 << 21)),
        ("eth_getStorageAt", "0xzz"),
        ("eth_getStorageAt", ["0x0"]),
    ],
)
async def test_a_value_of_the_wrong_form_is_refused(
    chain: HttpRemote, remote: FakeRemote, method: str, value: Any
) -> None:
    remote.results = _state(hex(FORK_BLOCK)) | {method: value}
    with pytest.raises(RemoteNonsense):
        await chain.state((B,), ((B, 2),))


async def test_hashes_of_blocks_before_it_are_those_that_the_remote_says(chain: HttpRemote, remote: FakeRemote) -> None:
    for number in (98, 99):
        block = {"number": hex(number), "hash": f"0x{number:064x}"}
        remote.results[f"eth_getBlockByNumber {hex(number)} False"] = block
    found = await chain.hashes((BlockNumber(99), BlockNumber(98)))
    assert found == (Hash32((99).to_bytes(32, "big")), Hash32((98).to_bytes(32, "big")))
    remote.results[f"eth_getBlockByNumber {hex(97)} False"] = {"number": "0x1", "hash": "0x" + "00" * 32}
    with pytest.raises(RemoteNonsense, match="block 0x1 for block 0x61"):
        await chain.hashes((BlockNumber(97),))


async def test_any_method_can_be_forwarded_with_its_result_or_its_error(chain: HttpRemote, remote: FakeRemote) -> None:
    remote.results["eth_getLogs"] = [{"logIndex": "0x0"}]
    assert await chain.forward("eth_getLogs", orjson.dumps([{}])) == b'[{"logIndex":"0x0"}]'
    remote.results["eth_call"] = error(3, "execution reverted")
    assert await chain.forward("eth_call", b"[]") == RemoteRefusal(3, "execution reverted", None)
