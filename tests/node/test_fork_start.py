"""What a fork sees of a remote before it begins, and what becomes its genesis."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.forks import Fork
from chain.system_contracts import BEACON_ROOTS, SYSTEM_CONTRACTS
from chain.types import Gas
from node.accounts import development_accounts
from node.errors import BadSetting, NodeError
from node.genesis import new_genesis
from node.remote.base import ForkPoint, RemoteBase
from node.remote.blocks import header_of
from node.remote.parsing import NotWhatWasAsked
from node.remote.source import ForkSource, read_source
from node.remote.start import BadRemote, examine, see_that_it_is
from node.settings import DEFAULT_MNEMONIC, Settings
from tests.conformance.rpc_exchanges import exchanges
from tests.node.fake_remote import FakeRemote, error, serving, status

ACCOUNTS = development_accounts(DEFAULT_MNEMONIC, 2)
ADDRESSES = [account.address for account in ACCOUNTS]


def official_blocks() -> list[dict[str, Any]]:
    """Blocks as geth answers them, of forks from before the merge to Osaka."""
    asked = [exchange for exchange in exchanges() if exchange.methods == {"eth_getBlockByNumber"}]
    answers = [answer["result"] for exchange in asked for _, answer in exchange.pairs if "result" in answer]
    return [block for block in answers if block is not None]


OFFICIAL = official_blocks()
BLOCK = max(OFFICIAL, key=lambda block: int(block["number"], 16))
N = int(BLOCK["number"], 16)


@pytest.mark.parametrize("block", OFFICIAL, ids=lambda block: block["number"])
def test_a_header_of_any_fork_has_the_hash_that_its_node_says(block: dict[str, Any]) -> None:
    header, said = header_of(block)
    assert "0x" + said.hex() == block["hash"]
    assert header.number == int(block["number"], 16)


@pytest.mark.parametrize(
    ("member", "value"),
    [("gasUsed", "0x7"), ("hash", "0x" + "12" * 32), ("stateRoot", None), ("number", "one"), ("logsBloom", "0x00")],
)
def test_a_header_that_is_not_what_it_says_is_refused(member: str, value: Any) -> None:
    with pytest.raises(NotWhatWasAsked, match=r"of a block|the hash of block"):
        header_of(BLOCK | {member: value})
    with pytest.raises(NotWhatWasAsked):
        header_of(None)


@pytest.fixture
async def remote() -> AsyncIterator[FakeRemote]:
    results: dict[str, Any] = {
        "eth_chainId": "0x309",
        "eth_blockNumber": hex(N),
        f"eth_getBlockByNumber {hex(N)} False": BLOCK,
        "eth_getBlockByNumber latest False": BLOCK,
        "eth_getBlockByNumber": None,
        "eth_getTransactionCount": "0x0",
        f"eth_getTransactionCount 0x{ADDRESSES[1].hex()} {hex(N)}": "0x7",
        "eth_getCode": "0x",
        f"eth_getCode 0x{BEACON_ROOTS.address.hex()} {hex(N)}": "0x60",
    }
    async with serving(FakeRemote(results)) as fake:
        yield fake


async def _examined(remote: FakeRemote, number: int | None) -> RemoteBase:
    return await asyncio.to_thread(examine, remote.url, number, ADDRESSES)


@pytest.mark.parametrize("number", [None, N])
async def test_the_newest_block_or_a_named_one_is_examined_in_two_requests(
    remote: FakeRemote, number: int | None
) -> None:
    base = await _examined(remote, number)
    assert (base.chain_id, base.point.number, "0x" + base.point.hash.hex()) == (777, N, BLOCK["hash"])
    assert base.nonces == {ADDRESSES[0]: 0, ADDRESSES[1]: 7}
    assert base.contracts == {BEACON_ROOTS.address}
    assert len(remote.bodies) == 2


async def test_whether_state_can_be_read_by_hash_is_tried(remote: FakeRemote) -> None:
    assert not (await _examined(remote, None)).point.by_hash, "it answered something else by hash than by number"
    by_hash = {"blockHash": BLOCK["hash"]}
    remote.results[f"eth_getCode 0x{BEACON_ROOTS.address.hex()} {by_hash}"] = "0x60"
    assert (await _examined(remote, None)).point.by_hash
    remote.results[f"eth_getCode 0x{BEACON_ROOTS.address.hex()} {by_hash}"] = error(-32602, "no such thing")
    assert not (await _examined(remote, None)).point.by_hash


async def test_a_block_to_come_is_refused(remote: FakeRemote) -> None:
    with pytest.raises(BadSetting, match=rf"--fork-block {N + 1} is beyond .*, {N}: give that or an older"):
        await _examined(remote, N + 1)


@pytest.mark.parametrize(
    ("method", "answer", "said"),
    [
        ("eth_getCode", error(-32000, "missing trie node abc"), "archive node"),
        ("eth_chainId", error(-32601, "the method does not exist"), "answers: the method does not exist"),
        ("eth_chainId", "seven", "'seven' as the chain id"),
        ("eth_getBlockByNumber latest False", {"number": "0x1"}, "of a block"),
    ],
)
async def test_a_remote_that_cannot_be_forked_is_told_in_one_line(
    remote: FakeRemote, method: str, answer: Any, said: str
) -> None:
    remote.results[method] = answer
    with pytest.raises(BadRemote, match=said) as failure:
        await _examined(remote, None)
    assert "0123456789" not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_where_nobody_listens_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadRemote, match=r"cannot be reached .*: see that it runs, and that the URL is right"):
        examine("http://127.0.0.1:1", None, [])
    assert caplog.text == "", "nothing was tried again"


async def test_whoever_waits_for_a_busy_remote_hears_why(remote: FakeRemote, caplog: pytest.LogCaptureFixture) -> None:
    remote.troubles = [status(429)]
    await _examined(remote, None)
    assert "answers with HTTP status 429: trying again" in caplog.text


async def test_whoever_waits_for_a_silent_remote_is_told_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("node.remote.start.SILENT_S", 0)
    monkeypatch.setattr("node.remote.start.START_BUDGET_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(BadRemote, match="does not answer"):
            await asyncio.to_thread(examine, f"http://127.0.0.1:{silent.getsockname()[1]}", None, [])
    assert "has not answered for 0 s" in caplog.text


async def test_another_url_must_lead_to_the_block_that_was_forked(remote: FakeRemote) -> None:
    point = (await _examined(remote, None)).point
    await asyncio.to_thread(see_that_it_is, remote.url, point)
    for other in (BLOCK | {"hash": "0x" + "33" * 32}, None):
        remote.results[f"eth_getBlockByNumber {hex(N)} False"] = other
        with pytest.raises(BadRemote, match="is not the chain that was forked"):
            await asyncio.to_thread(see_that_it_is, remote.url, point)


async def test_the_genesis_of_a_fork_stands_on_the_remote_s_block(remote: FakeRemote) -> None:
    base = await _examined(remote, None)
    genesis = new_genesis(Settings(), ACCOUNTS, [bytes(32)] * 4, base)
    changes = {change.address: change for change in genesis.accounts}
    assert genesis.header == base.header
    assert (genesis.chain_id, genesis.forks.newest) == (777, Fork.OSAKA)
    assert changes[ADDRESSES[1]].account.nonce == 7
    assert changes[ADDRESSES[1]].account.balance == 10_000 * 10**18
    lacking = {contract.address for contract in SYSTEM_CONTRACTS} - {BEACON_ROOTS.address}
    assert changes.keys() == {*lacking, *ADDRESSES}
    asked = new_genesis(Settings(chain_id=31337, gas_limit=9_000_000), ACCOUNTS, [bytes(32)] * 4, base)
    assert (asked.chain_id, asked.gas_limit) == (31337, 9_000_000)
    assert new_genesis(Settings(), ACCOUNTS, [bytes(32)] * 4).chain_id == 31337


@pytest.mark.parametrize(("theirs", "ours"), [(45_000_000, 45_000_000), (2**50, 30_000_000), (5_000, 30_000_000)])
async def test_the_gas_limit_is_the_remote_s_unless_it_means_none(remote: FakeRemote, theirs: int, ours: int) -> None:
    base = await _examined(remote, None)
    changed = replace(base, header=replace(base.header, gas_limit=Gas(theirs)))
    genesis = new_genesis(Settings(), ACCOUNTS, [bytes(32)] * 4, changed)
    assert genesis.gas_limit == Gas(ours)


def test_what_a_folder_remembers_of_its_remote_is_read_back_or_refused(tmp_path: Path) -> None:
    header, block_hash = header_of(BLOCK)
    source = ForkSource("http://example.org/key", ForkPoint(header.number, block_hash, by_hash=True))
    (tmp_path / "fork.json").write_bytes(source.encode())
    assert read_source(tmp_path) == source
    assert source.shown == "http://example.org/…"
    for damage in (b"", b"{}", b'{"url": 1, "block": 1, "hash": "0x", "byHash": true}'):
        (tmp_path / "fork.json").write_bytes(damage)
        with pytest.raises(NodeError, match="where the chain was forked from"):
            read_source(tmp_path)
