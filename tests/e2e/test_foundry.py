"""cast and forge against the node: send, call, create, and a script that broadcasts."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from web3 import Web3
from web3.contract import Contract

from tests.contracts import artifact
from tests.e2e.accounts import ETHER, Purse
from tests.e2e.npm_packages import HERE, CommandFailed, NpmPackages
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy

PROJECT = HERE / "foundry"
GUESTBOOK = "src/Guestbook.sol:Guestbook"


class Foundry:
    """cast and forge, pointed at one node and one account."""

    def __init__(self, packages: NpmPackages, node: Node, account: LocalAccount) -> None:
        self._packages = packages
        self._node = ["--rpc-url", node.http_url]
        self._key = ["--private-key", Web3.to_hex(account.key)]
        self.address: ChecksumAddress = account.address

    def cast(self, command: str, *arguments: str) -> str:
        return self._packages.run_foundry("cast", command, *self._node, *arguments, cwd=PROJECT).strip()

    def cast_send(self, *arguments: str) -> dict[str, Any]:
        """The receipt."""
        receipt: dict[str, Any] = json.loads(self.cast("send", *self._key, "--json", *arguments))
        return receipt

    def forge(self, command: str, *arguments: str) -> str:
        return self._packages.run_foundry(
            "forge", command, *self._node, *self._key, "--broadcast", *arguments, cwd=PROJECT
        )

    @property
    def broadcasts(self) -> Path:
        return Path(self._packages.environment["FOUNDRY_BROADCAST"])


@pytest.fixture(scope="module")
def foundry(npm_packages: NpmPackages, node: Node, purse: Purse) -> Foundry:
    return Foundry(npm_packages, node, purse.account(10 * ETHER))


@pytest.fixture(scope="module")
def token(w3: Web3, node: Node) -> Contract:
    return deploy(w3, "Token", "Gold", "GLD", sender=Web3.to_checksum_address(node.addresses[0]))


def test_cast_sends_ether_and_reads_balance_and_receipt(foundry: Foundry, purse: Purse) -> None:
    friend = purse.empty_account().address
    sent = foundry.cast_send(friend, "--value", "1ether")
    assert sent["status"] == "0x1"
    assert foundry.cast("balance", friend) == str(ETHER)
    receipt = json.loads(foundry.cast("receipt", sent["transactionHash"], "--json"))
    assert {name: receipt[name] for name in sent} == sent
    assert foundry.cast("nonce", foundry.address) == str(int(foundry.cast("tx", sent["transactionHash"], "nonce")) + 1)


ACCESS_LIST = json.dumps([{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "00" * 32]}])


@pytest.mark.parametrize(
    "options", [["--legacy"], [], ["--access-list", ACCESS_LIST]], ids=["legacy", "dynamic", "access-list"]
)
def test_cast_calls_and_sends_to_a_contract(foundry: Foundry, token: Contract, options: list[str]) -> None:
    before = int(foundry.cast("call", token.address, "totalSupply()(uint256)").split()[0])
    receipt = foundry.cast_send(token.address, "mint(address,uint256)", foundry.address, "1234", *options)
    assert receipt["status"] == "0x1"
    after = foundry.cast("call", token.address, "totalSupply()(uint256)").split()[0]
    assert int(after) == before + 1234
    [log] = json.loads(
        foundry.cast("logs", "--from-block", str(int(receipt["blockNumber"], 16)), "--address", token.address, "--json")
    )
    assert int(log["data"], 16) == 1234


def test_cast_creates_a_contract(foundry: Foundry) -> None:
    receipt = foundry.cast_send("--create", "0x" + artifact("Counter").bytecode.hex())
    code = foundry.cast("code", receipt["contractAddress"])
    assert code == "0x" + artifact("Counter").deployed_bytecode.hex()


def test_cast_gives_an_account_code(foundry: Foundry, w3: Web3, node: Node) -> None:
    counter = deploy(w3, "Counter", sender=Web3.to_checksum_address(node.addresses[0]))
    receipt = foundry.cast_send(foundry.address, "increment()", "--auth", counter.address)
    assert (receipt["type"], receipt["status"]) == ("0x4", "0x1")
    assert foundry.cast("code", foundry.address) == "0xef0100" + counter.address[2:].lower()
    assert foundry.cast("call", foundry.address, "value()(uint256)") == "1"
    foundry.cast_send(foundry.address, "--auth", "0x" + 40 * "0")
    assert foundry.cast("code", foundry.address) == "0x"


def test_cast_shows_a_revert_reason(foundry: Foundry, token: Contract) -> None:
    refused = (token.address, "refuse(string)", "not on a Sunday")
    with pytest.raises(CommandFailed, match="execution reverted: not on a Sunday"):
        foundry.cast("call", *refused)
    with pytest.raises(CommandFailed, match="execution reverted: not on a Sunday"):
        foundry.cast_send(*refused)
    assert foundry.cast_send(*refused, "--gas-limit", "100000")["status"] == "0x0"


def test_cast_estimates_and_reads_storage_and_block(foundry: Foundry, token: Contract) -> None:
    assert int(foundry.cast("estimate", token.address, "mint(address,uint256)", foundry.address, "1")) > 21000
    supply = foundry.cast("call", token.address, "totalSupply()(uint256)").split()[0]
    assert int(foundry.cast("storage", token.address, "2"), 16) == int(supply)
    assert foundry.cast("chain-id") == "31337"
    assert json.loads(foundry.cast("block", "latest", "--json"))["number"] == hex(int(foundry.cast("block-number")))


def test_forge_create_deploys_a_contract(foundry: Foundry) -> None:
    created = json.loads(foundry.forge("create", GUESTBOOK, "--json", "--constructor-args", "visitors"))
    assert created["deployer"] == foundry.address
    assert foundry.cast("call", created["deployedTo"], "title()(string)") == '"visitors"'


def test_a_forge_script_broadcasts_its_transactions(foundry: Foundry) -> None:
    foundry.forge("script", "script/Open.s.sol", "--slow")
    run = json.loads((foundry.broadcasts / "Open.s.sol/31337/run-latest.json").read_text())
    assert [receipt["status"] for receipt in run["receipts"]] == ["0x1"] * 4
    assert run["pending"] == []
    books = [sent["contractAddress"] for sent in run["transactions"] if sent["transactionType"] == "CREATE"]
    signed = [foundry.cast("call", book, "greetings(address)(string)", foundry.address) for book in books]
    assert signed == ['"hello from a script"', '"and again"']
    assert [foundry.cast("balance", book) for book in books] == ["0", "5"]


def test_a_forge_script_broadcasts_all_its_transactions_at_once(foundry: Foundry) -> None:
    foundry.forge("script", "script/Open.s.sol")
    run = json.loads((foundry.broadcasts / "Open.s.sol/31337/run-latest.json").read_text())
    assert [receipt["status"] for receipt in run["receipts"]] == ["0x1"] * 4


def test_cast_sends_a_blob(foundry: Foundry, purse: Purse, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(bytes(range(256)) * 8)
    receipt = foundry.cast_send("--blob", "--path", str(blob), foundry.address)
    assert (receipt["type"], receipt["status"], receipt["blobGasUsed"]) == ("0x3", "0x1", hex(2**17))


def test_cast_pretends_traces_and_lists_what_a_call_touches(foundry: Foundry, token: Contract) -> None:
    answering_42 = "0x602a60005260206000f3"
    pretended = foundry.cast(
        "call", token.address, "totalSupply()", "--override-code", f"{token.address}:{answering_42}"
    )
    assert int(pretended, 16) == 42
    assert token.address.lower() in foundry.cast("access-list", token.address, "totalSupply()").lower()
    sent = foundry.cast_send(foundry.address, "--value", "1")
    traced = json.loads(
        foundry.cast("rpc", "debug_traceTransaction", sent["transactionHash"], '{"tracer":"callTracer"}')
    )
    assert (traced["type"], traced["value"]) == ("CALL", "0x1")
