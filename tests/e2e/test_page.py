"""The page in a browser, headless Chromium, on a running chain. `CHROMIUM` names another than the one on the PATH."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from eth_abi.abi import encode
from eth_utils import keccak
from web3 import Web3

from tests.contracts import artifact
from tests.e2e.accounts import receipts_of
from tests.e2e.chain_process import chain
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import HERE, NpmPackages
from tests.e2e.running_node import Node

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCRIPT = HERE / "javascript" / "page" / "scenarios.mjs"
INCREMENT = "0x" + keccak(text="increment()")[:4].hex()
Scenario: TypeAlias = Callable[..., dict[str, Any]]


def browser() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("needs Chromium on the PATH (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def scenario(npm_packages: NpmPackages) -> Scenario:
    """Plays one of the scenarios, in a browser in which nothing must go wrong."""
    packages = NpmPackages({**npm_packages.environment, "CHROMIUM": browser()})

    def play(name: str, *arguments: str) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(packages.run_script(SCRIPT, name, *arguments))
        return seen

    return play


def nothing_went_wrong(seen: dict[str, Any]) -> bool:
    return (seen["errors"], seen["elsewhere"], seen["dialogs"]) == ([], [], [])


def test_blocks_of_a_chain_pass_through_the_pipeline_and_are_found_by_hash(scenario: Scenario) -> None:
    with chain() as running:
        seen = scenario("follows", running.url)
    assert nothing_went_wrong(seen), seen
    assert seen["before"]["head"] == "0"
    assert "tandem traffic" in seen["before"]["hint"]
    assert running.url in seen["before"]["hint"], "where wallets are to be pointed at"
    number, after = seen["number"], seen["after"]
    assert (after["head"], after["opened"]) == (str(number), f"Block {number}")
    *spent, whole = [int("".join(filter(str.isdigit, text))) for text in after["states"]]
    assert sum(spent) == whole, "the times in each state add up to the whole way"
    assert seen["found"]["address"] == f"#block/{number}/{seen['hash']}"
    assert "accepted" in seen["found"]["explanation"]
    assert seen["unknown"] == "Neither a transaction nor a block of this chain has this hash."
    assert (seen["validators"], seen["gone"]) == ("4 of 4 up", "validator 2: not connected")


def test_a_conflict_is_drawn_and_told_with_its_key_values_and_writer(scenario: Scenario, node: Node) -> None:
    seen = scenario("shows_conflicts", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert seen["lanes"] == ["worker-1", "worker-2", "execution"]
    assert sorted(seen["bars"]) == ["accepted"] * 4 + ["conflict"] * 2 + ["failed"]
    assert (seen["critical"], seen["waits"]) == (2, 1)
    assert seen["arrow"] == "arrow real active"
    for told in (
        "Token.totalSupply = 100, but 105; Token.paused = 0, but 1 was there",
        "written by #0",
        "a real dependency",
        "Token.transfer",
    ):
        assert told in seen["explanation"]
    assert seen["below"].startswith("transaction 1, attempt 2 on execution, from 1.50 ms to 1.90 ms: accepted")
    assert "transaction 3, attempt 1 on worker-1, from 710 µs to 1.30 ms: the worker was lost" in seen["labels"]
    assert "speed-up\n1.20×\nmeasured" in seen["facts"]
    assert seen["waited"] == ["slot 2 of Token"], "a slot that nobody has a name for"
    assert seen["notice"].startswith("From transaction 3 on the rest ran one after the other")
    [left_out] = seen["leftOut"]
    assert "left out: nonce too low" in left_out
    [hot] = seen["hot"]
    assert hot.startswith("Token.totalSupply")
    assert "1.30 ms" in hot
    assert seen["advice"] == ["4 of 5 transfers waited for Token.totalSupply."]


MARKUP = "<img src=x onerror=alert(1)>"


def test_a_conflict_on_a_real_chain_is_shown_under_whatever_name_the_contract_has(scenario: Scenario) -> None:
    """By block-stm, which sends even such a block to the workers."""
    with chain("--strategy", "block-stm") as running, contextlib.closing(running.rpc()) as rpc:
        number = block_of_conflicts(rpc, MARKUP)
        execution = rpc.call("tandem_getBlockExecution", hex(number))
        seen = scenario("shows_a_block", running.url, str(number))
    assert nothing_went_wrong(seen), seen
    assert execution["conflicts"] > 0, "it was made for that"
    assert seen["counts"] == {"attempts": execution["attempts"], "conflicts": execution["conflicts"]}
    assert f"read {MARKUP}.value = " in seen["explanation"]
    assert "a real dependency" in seen["explanation"]
    assert seen["hot"][0].startswith(f"{MARKUP}.value")
    assert f"{MARKUP}.value" in seen["advice"]


def block_of_conflicts(rpc: JsonRpc, name: str) -> int:
    """The number of a block in which ten accounts each increment one counter, which is registered under `name`."""
    counter, accounts = artifact("Counter"), rpc.call("eth_accounts")
    creation = {"from": accounts[0], "data": "0x" + counter.bytecode.hex(), "gas": hex(10**6)}
    [created] = receipts_of(rpc, [rpc.call("eth_sendTransaction", creation)])
    described = {"name": name, "abi": counter.abi, "storageLayout": counter.storage_layout}
    rpc.call("tandem_registerContract", created["contractAddress"], described)
    rpc.call("tandem_partition", [[0, 1], [2, 3]])  # so that all of them wait for one block
    calls = [{"from": one, "to": created["contractAddress"], "data": INCREMENT, "gas": hex(10**5)} for one in accounts]
    hashes = rpc.batch("eth_sendTransaction", [[call] for call in calls])
    rpc.call("tandem_heal")
    numbers = [int(receipt["blockNumber"], 16) for receipt in receipts_of(rpc, hashes)]
    return max(set(numbers), key=numbers.count)


def test_what_a_chosen_transaction_logged_is_shown_with_it(scenario: Scenario, node: Node, rpc: JsonRpc) -> None:
    sender = node.addresses[0]
    created = rpc.call("eth_sendTransaction", {"from": sender, "data": "0x" + artifact("Talker").bytecode.hex()})
    talker = receipts_of(rpc, [created])[0]["contractAddress"]
    data = Web3().eth.contract(abi=artifact("Talker").abi).encode_abi("add", ["<b>\x1b[31mAda\x1b[0m</b>", 5])
    sent = rpc.call("eth_sendTransaction", {"from": sender, "to": talker, "data": data})
    number = int(receipts_of(rpc, [sent])[0]["blockNumber"], 16)
    seen = scenario("shows_logs", node.http_url, str(number), sent)
    assert nothing_went_wrong(seen), seen
    assert seen["messages"] == seen["again"]
    assert seen["messages"] == ["<b>Ada</b> adds 5, which makes 5", f"{sender} false", "-5", "0x36555b85"]


REFUSAL = bytes(keccak(text="Error(string)")[:4]) + encode(["string"], ["not <b>enough</b>"])
REFUSES = bytes((0x60, len(REFUSAL), 0x80, 0x60, 0x0B, 0x60, 0, 0x39, 0x60, 0, 0xFD)) + REFUSAL
"""Code that reverts with this reason."""


@pytest.mark.parametrize(
    ("code", "mark", "reason"),
    [
        (REFUSES, "reverted", "execution reverted: not <b>enough</b>"),
        (b"\xfe", "used all its gas", "invalid opcode: INVALID"),
    ],
)
def test_a_transaction_that_failed_is_marked_and_says_why(
    scenario: Scenario, node: Node, rpc: JsonRpc, code: bytes, mark: str, reason: str
) -> None:
    creation = {"from": node.addresses[0], "data": "0x" + code.hex(), "gas": hex(100_000)}
    [failed] = receipts_of(rpc, [rpc.call("eth_sendTransaction", creation)])
    seen = scenario("shows_a_failure", node.http_url, str(int(failed["blockNumber"], 16)), failed["transactionHash"])
    assert nothing_went_wrong(seen), seen
    assert (failed["status"], seen["marks"], seen["told"]) == ("0x0", [mark], [reason])


def test_markup_in_names_and_reasons_is_shown_as_text(scenario: Scenario, node: Node) -> None:
    seen = scenario("shows_markup_as_text", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert all(seen["name"] in shown for shown in seen["shown"]), seen["shown"]
    assert (seen["images"], seen["scripts"]) == (0, 0)


def test_the_page_goes_on_when_rpc_was_killed(scenario: Scenario) -> None:
    with chain() as running, contextlib.closing(running.rpc()):
        seen = scenario("survives_a_restart", running.url, str(running.pids()["rpc"]))
    assert seen["head"] == str(seen["number"])
    assert (seen["elsewhere"], seen["dialogs"]) == ([], [])


def test_it_is_light_or_dark_as_the_system_says_or_as_chosen(scenario: Scenario, node: Node) -> None:
    seen = scenario("has_two_themes", node.http_url)
    light, dark = seen["light"], seen["dark"]
    assert nothing_went_wrong(light)
    assert nothing_went_wrong(dark)
    assert light["system"] != dark["system"]
    assert (light["chosen"], light["kept"], light["back"]) == (dark["system"], dark["system"], light["system"])
    assert (dark["chosen"], dark["kept"], dark["back"]) == (light["system"], light["system"], dark["system"])


def test_it_fits_the_screen_of_a_telephone(scenario: Scenario, node: Node) -> None:
    seen = scenario("fits_a_telephone", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert (seen["width"], seen["cut"]) == (360, [])


def test_an_open_page_asks_nothing_of_a_chain_at_rest(scenario: Scenario, node: Node) -> None:
    seen = scenario("rests", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert seen["at_first"] > 0
    assert seen["later"] == 0
