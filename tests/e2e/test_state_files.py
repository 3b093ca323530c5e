"""A chain goes on elsewhere from a file: written while it runs, when it ends, from its folder, or by anvil."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from web3 import Web3

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import DEADLINE_S, PROJECT, Node, running_tandem
from tests.e2e.web3_contracts import contract_at, deploy, mined

ANVIL_DUMP = PROJECT / "tests" / "node" / "anvil" / "dump-1.7.1.hex"


def tandem(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT / "scripts" / "tandem"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def refusal(*arguments: str) -> str:
    """What a command says that refuses."""
    done = tandem(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_chain_whose_state_could_not_be_written_at_its_end_does_not_start(tmp_path: Path) -> None:
    for option in ("--dump-state", "--state"):
        said = refusal("up", "--port", "0", option, str(tmp_path / "nowhere" / "state"))
        assert "nowhere/state: No such file or directory; give a file in a folder that is there" in said
    assert "it is there and is no file" in refusal("up", "--port", "0", "--dump-state", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("load",), ("up", "--port", "0", "--load-state")])
def test_what_never_ends_is_no_state_and_no_genesis(tmp_path: Path, command: tuple[str, ...]) -> None:
    folder = ("--data-dir", str(tmp_path / "chain"))
    assert "/dev/zero is a device: give a file that tandem dump" in refusal(*command, "/dev/zero", *folder)
    assert "/dev/zero: is a device: give a genesis.json" in refusal("up", "--genesis", "/dev/zero", *folder)


def web3_of(node: Node) -> Web3:
    return Web3(Web3.HTTPProvider(node.http_url))


def test_a_chain_goes_on_where_another_was_dumped(tmp_path: Path) -> None:
    file, at_end = tmp_path / "state", tmp_path / "at-end"
    with running_tandem("--chain-id", "77", "--dump-state", str(at_end)) as first:
        w3 = web3_of(first)
        owner = Web3.to_checksum_address(first.addresses[0])
        token = deploy(w3, "Token", "Gold", "GLD", sender=owner)
        mined(w3, token.functions.mint(owner, 1234).transact({"from": owner}))
        old = tandem("dump", str(tmp_path / "old"), "--block", "1", "--url", first.http_url)
        assert old.returncode == 0, old.stderr
        assert "the state after block 1 of chain 77" in old.stdout
        done = tandem("dump", str(file), "--url", first.http_url)
        assert done.returncode == 0, done.stderr
        newest = w3.eth.get_block("latest")
        assert f"the state after block {newest['number']} of chain 77" in done.stdout
        unknown = refusal("dump", str(tmp_path / "never"), "--block", "9999", "--url", first.http_url)
        assert unknown == f"tandem: there is no block 9999: the newest is {newest['number']}\n"
    assert at_end.read_bytes() == file.read_bytes()

    folder = str(tmp_path / "second")
    assert tandem("load", str(file), "--data-dir", folder).returncode == 0
    with running_tandem("--data-dir", folder) as second, closing(JsonRpc(second.http_url)) as rpc:
        w3 = web3_of(second)
        assert w3.eth.chain_id == 77
        same = w3.eth.get_block("latest")
        assert [same[name] for name in ("number", "hash", "stateRoot", "timestamp")] == [
            newest[name] for name in ("number", "hash", "stateRoot", "timestamp")
        ]
        token = contract_at(w3, "Token", token.address)
        assert token.functions.balanceOf(owner).call() == 1234
        receipt = mined(w3, token.functions.mint(owner, 1).transact({"from": owner}))
        assert receipt["blockNumber"] == newest["number"] + 1
        following = w3.eth.get_block("latest")
        assert following["parentHash"] == newest["hash"]
        assert following["timestamp"] >= newest["timestamp"]
        assert token.functions.balanceOf(owner).call() == 1235
        assert rpc.call("eth_getBlockByNumber", "0x0", False) is None
    stopped = tandem("dump", str(tmp_path / "third"), "--data-dir", folder)
    assert f"the state after block {newest['number'] + 1} of chain 77" in stopped.stdout


def test_a_state_of_anvil_is_gone_on_with_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "kept"
    state.write_text(ANVIL_DUMP.read_text())
    for number in (8, 9):
        with running_tandem("--state", str(state)) as node:
            w3 = web3_of(node)
            owner = Web3.to_checksum_address(node.addresses[0])
            token = contract_at(w3, "Token", Web3.to_checksum_address("0x5fbdb2315678afecb367f032d93f642f64180aa3"))
            assert token.functions.balanceOf(Web3.to_checksum_address(f"0x{5:040x}")).call() == 1005
            receipt = mined(w3, token.functions.mint(owner, 1).transact({"from": owner}))
            assert receipt["blockNumber"] == number
    assert state.read_bytes().startswith(b"tandem state 1\n")


@pytest.mark.parametrize("name", ["missing", "folder", "text"])
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello")
    file = str(tmp_path / name)
    for arguments in (("load", file, "--data-dir", str(tmp_path / "new")), ("up", "--port", "0", "--load-state", file)):
        assert file in refusal(*arguments)


def test_dump_and_load_refuse_in_one_line_what_they_cannot_do(tmp_path: Path) -> None:
    out, nothing = str(tmp_path / "out"), str(tmp_path)
    assert "holds no chain" in refusal("dump", out, "--data-dir", nothing)
    assert "no chain answers" in refusal("dump", out, "--url", "http://127.0.0.1:9")
    assert "--data-dir DIR" in refusal("load", str(ANVIL_DUMP))
    assert "leave those out" in refusal("up", "--state", out, "--data-dir", nothing)
    assert not Path(out).exists()
