"""cast and forge against the node: send, call, create, run again, scripts that broadcast, and tests on a fork of it."""

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
        self.key = ["--private-key", Web3.to_hex(account.key)]
        self.address: ChecksumAddress = account.address

    def cast(self, command: str, *arguments: str) -> str:
        return self._packages.run_foundry("cast", command, *self._node, *arguments, cwd=PROJECT).strip()

    def cast_send(self, *arguments: str) -> dict[str, Any]:
        """The receipt."""
        receipt: dict[str, Any] = json.loads(self.cast("send", *self.key, "--json", *arguments))
        return receipt

    def forge(self, command: str, *arguments: str) -> str:
        return self._packages.run_foundry(
            "forge", command, *self._node, *self.key, "--broadcast", *arguments, cwd=PROJECT
        )

    def forge_test(self, *arguments: str) -> dict[str, Any]:
        """What each test came to, of the project's tests on a fork of this chain."""
        printed = self._packages.run_foundry(
            "forge", "test", "--json", "--fork-url", self._node[1], *arguments, cwd=PROJECT
        )
        [suite] = json.loads(printed).values()
        return {name: result["status"] for name, result in suite["test_results"].items()}

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


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([]),
        pytest.param(["--legacy", "--slow"], marks=pytest.mark.full),
        pytest.param(["--with-gas-price", "5gwei", "--priority-gas-price", "1gwei"], marks=pytest.mark.full),
        pytest.param(["--skip-simulation"], marks=pytest.mark.full),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("tandem_only")
def test_a_forge_script_deploys_a_library_and_at_an_address_of_its_own_choice(
    foundry: Foundry, w3: Web3, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("TANDEM_TEST_SALT", str(w3.eth.block_number))
    foundry.forge("script", "script/Sum.s.sol", *options)
    path = foundry.broadcasts / "Sum.s.sol/31337/run-latest.json"
    run = json.loads(path.read_text())
    assert {receipt["status"] for receipt in run["receipts"]} == {"0x1"}
    assert len(run["libraries"]) == 1
    by_kind = {sent["transactionType"]: sent["contractAddress"] for sent in run["transactions"][-9:]}
    sums = [foundry.cast("call", by_kind[kind], "sum()(uint256)") for kind in ("CREATE2", "CREATE")]
    assert sums == ["6", "35"]
    foundry.forge("script", "script/Sum.s.sol", "--resume", *options)
    assert json.loads(path.read_text())["receipts"] == run["receipts"], "there was nothing left to send"


def test_a_project_s_tests_run_on_a_fork_of_the_chain(
    foundry: Foundry, w3: Web3, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = deploy(w3, "Token", "Gold", "GLD", sender=Web3.to_checksum_address(node.addresses[0]))
    early, late = (foundry.cast_send(gold.address, "mint(address,uint256)", foundry.address, n) for n in ("10", "20"))
    assert int(late["blockNumber"], 16) == int(early["blockNumber"], 16) + 1
    known = {"TOKEN": gold.address, "HOLDER": foundry.address, "EARLY": str(int(early["blockNumber"], 16))}
    for name, value in {**known, "LATE": late["transactionHash"], "CHAIN": node.http_url}.items():
        monkeypatch.setenv(name, value)
    tests = ["StateIsRead", "StateIsWritten", "OtherBlocksAreForked", "ATransactionIsRunAgain", "TheChainIsAsked"]
    expected = {f"test{name}()": "Success" for name in tests} | {"testFuzzMinting(address,uint64)": "Success"}
    assert foundry.forge_test() == expected
    assert foundry.forge_test("--fork-block-number", str(int(late["blockNumber"], 16))) == expected


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


def test_cast_runs_a_transaction_again_and_reads_what_is_rarely_read(foundry: Foundry, token: Contract) -> None:
    sent = foundry.cast_send(token.address, "mint(address,uint256)", foundry.address, "7")
    again = foundry.cast("run", sent["transactionHash"])
    assert "emit Transfer(" in again
    assert f"Gas used: {int(sent['gasUsed'], 16)}" in again
    assert "Transaction successfully executed" in foundry.cast("call", token.address, "totalSupply()", "--trace")
    proof = json.loads(foundry.cast("proof", token.address, "0x2"))
    assert proof["storageProof"][0]["value"] == hex(int(foundry.cast("storage", token.address, "2"), 16))
    assert foundry.cast("codehash", token.address) == proof["codeHash"]
    assert foundry.cast("storage-root", token.address) == proof["storageHash"]
    [trace] = json.loads(foundry.cast("trace", sent["transactionHash"]))
    assert trace["action"]["to"] == token.address.lower()
    assert json.loads(foundry.cast("rpc", "txpool_status")) == {"pending": "0x0", "queued": "0x0"}
    raw = foundry.cast("mktx", *foundry.key, foundry.address, "--value", "1")
    assert json.loads(foundry.cast("publish", raw))["status"] == "0x1"
