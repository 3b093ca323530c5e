"""What a chain is forked from: refused, kept in its folder, given up for another, and what was changed on top of it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chain_process import chain
from tests.e2e.command_line import refusal, tandem
from tests.e2e.json_rpc import JsonRpc, RpcError

STRANGER = "0x" + "5a" * 20


@pytest.fixture(scope="module")
def small_remote() -> Iterator[str]:
    with chain("--validators", "1", "--workers", "0") as process:
        yield process.url


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fork-url", "URL", "--fork-block", "99"], "--fork-block 99 is beyond the newest block of the remote chain"),
        (["--fork-url", "URL/nowhere"], "answers with HTTP status 404"),
        (["--fork-url", "localhost"], "--fork-url 'localhost' is not known: give http://HOST:PORT"),
        (["--fork-block", "1"], "--fork-block 1 says nothing without --fork-url"),
        (["--fork-url", "URL", "--base-fee", "1"], "--base-fee does not go with --fork-url"),
    ],
)
def test_a_fork_that_cannot_be_is_one_line(small_remote: str, options: list[str], said: str) -> None:
    given = [option.replace("URL", small_remote) for option in options]
    assert said in refusal(*given)


def test_a_folder_keeps_the_chain_that_it_was_forked_from(small_remote: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert tandem("init", "--data-dir", folder, "--fork-url", small_remote).returncode == 0
    assert tandem("init", "--data-dir", folder).returncode == 0
    other = tandem("init", "--data-dir", folder, "--fork-url", small_remote, "--fork-block", "3")
    assert "holds a fork of block 0, not 3" in other.stderr
    with chain("--validators", "1", "--workers", "0", "--chain-id", "5", "--base-fee", "7") as another:
        wrong = tandem("init", "--data-dir", folder, "--fork-url", another.url)
        assert "is not the chain that was forked: its block 0 is 0x" in wrong.stderr
    (tmp_path / "own").mkdir()
    own = str(tmp_path / "own")
    assert tandem("init", "--data-dir", own).returncode == 0
    assert "holds a chain that is no fork" in tandem("init", "--data-dir", own, "--fork-url", small_remote).stderr


def test_a_running_chain_gives_place_to_a_fork_and_to_another_one(small_remote: str) -> None:
    with contextlib.closing(JsonRpc(small_remote)) as remote:
        remote.call("anvil_setBalance", STRANGER, "0x5")
        remote.call("hardhat_mine", "0x3")
    with chain("--validators", "1", "--workers", "0") as process, contextlib.ExitStack() as running:
        rpc = running.enter_context(contextlib.closing(process.rpc()))
        before, first = process.pids(), rpc.call("hardhat_metadata")["instanceId"]
        for refused in (
            {"jsonRpcUrl": small_remote, "blockNumber": 99},
            {"jsonRpcUrl": small_remote + "/no"},
            {"jsonRpcUrl": process.url},
            {"jsonRpcUrl": process.url.replace("127.0.0.1", "0.0.0.0")},
            {"blockNumber": 1},
        ):
            with pytest.raises(RpcError) as error:
                rpc.call("hardhat_reset", {"forking": refused})
            assert error.value.code == -32602
        assert process.pids() == before, "what cannot be forked changes nothing"
        assert rpc.call("hardhat_reset", {"forking": {"jsonRpcUrl": small_remote, "blockNumber": 2}}) is True
        assert (rpc.call("eth_blockNumber"), rpc.call("eth_getBalance", STRANGER, "latest")) == ("0x2", "0x5")
        assert rpc.call("hardhat_metadata")["forkedNetwork"]["forkBlockNumber"] == 2
        rpc.call("anvil_setBalance", STRANGER, "0x6")
        rpc.call("evm_mine")
        assert rpc.call("anvil_reset", {"forking": {"blockNumber": 1}}) is None
        assert (rpc.call("eth_blockNumber"), rpc.call("eth_getBalance", STRANGER, "latest")) == ("0x1", "0x5")
        assert rpc.call("hardhat_metadata")["instanceId"] != first
        sent = rpc.call("eth_sendTransaction", {"to": STRANGER, "value": "0x1"})
        assert rpc.call("eth_getTransactionReceipt", sent)["status"] == "0x1"
        assert rpc.call("hardhat_reset", {}) is True
        assert (rpc.call("eth_blockNumber"), rpc.call("eth_getBalance", STRANGER, "latest")) == ("0x3", "0x5")
        assert rpc.call("anvil_reset") is None
        assert (rpc.call("eth_blockNumber"), rpc.call("eth_getBalance", STRANGER, "latest")) == ("0x0", "0x0")
        assert "forkedNetwork" not in rpc.call("hardhat_metadata")
        assert not before.keys() - process.pids().keys()
    assert process.complaints == []


def test_what_a_fork_has_is_written_at_its_end_and_stands_above_the_remote_again(
    small_remote: str, tmp_path: Path
) -> None:
    other, kept = "0x" + "7c" * 20, "0x" + "6b" * 20
    with contextlib.closing(JsonRpc(small_remote)) as remote:
        for account in (other, kept):
            remote.call("anvil_setBalance", account, "0x9")
            remote.call("anvil_setStorageAt", account, "0x1", "0x" + "11" * 32)
        remote.call("anvil_setCode", kept, "0x00")
        remote.call("evm_mine")
        forked = remote.call("eth_blockNumber")
    file = tmp_path / "fork.json"
    options = ("--validators", "1", "--workers", "0", "--fork-url", small_remote, "--state", str(file))
    zero = "0x" + "00" * 32

    def asked(rpc: JsonRpc) -> list[Any]:
        return [
            rpc.call("eth_blockNumber"),
            *(rpc.call("eth_getBalance", account, "latest") for account in (other, kept)),
            *(rpc.call("eth_getStorageAt", kept, slot, "latest") for slot in ("0x1", "0x2")),
            rpc.call("eth_getTransactionCount", rpc.call("eth_accounts")[0], "latest"),
        ]

    with chain(*options) as process, contextlib.closing(process.rpc()) as rpc:
        assert asked(rpc)[:4] == [forked, "0x9", "0x9", "0x" + "11" * 32]
        rpc.call("eth_sendTransaction", {"to": other, "value": "0x1"})
        rpc.call("anvil_setBalance", kept, "0x0")
        rpc.call("anvil_setStorageAt", kept, "0x1", zero)
        rpc.call("anvil_setStorageAt", kept, "0x2", "0x" + "22" * 32)
        assert tandem("dump", str(tmp_path / "running.json"), "--url", process.url).returncode == 0
        process.end()
    assert file.read_bytes() == (tmp_path / "running.json").read_bytes()
    with contextlib.closing(JsonRpc(small_remote)) as remote:
        remote.call("evm_mine")
    with chain(*options) as process, contextlib.closing(process.rpc()) as rpc:
        assert asked(rpc) == [forked, "0xa", "0x0", zero, "0x" + "22" * 32, "0x1"], "of the block that it was made on"
    assert f"holds what a fork of block {int(forked, 16)}, not 0 has" in refusal(*options, "--fork-block", "0")
    with chain("--validators", "1", "--load-state", str(file)) as process, contextlib.closing(process.rpc()) as rpc:
        assert rpc.call("eth_getBalance", other, "latest") == "0xa", "what was read or changed, without the remote"
