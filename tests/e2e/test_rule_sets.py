"""Every rule set with uneven stakes serves transfers, verifies them, falls silent, and goes on after a restart."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from consensus.registry import RULE_SETS
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import PROJECT

STAKE = "40,30,20,10"


def transfer(rpc: JsonRpc) -> int:
    """Sends one, waits for its receipt, and gives its block's number."""
    one, two = rpc.call("eth_accounts")[:2]
    sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")
    receipt = rpc.call("eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x1"
    return int(receipt["blockNumber"], 16)


def verified_by_all(rpc: JsonRpc, number: int) -> bool:
    """Whether every validator says so. None of them is asked for more: the chain runs on by itself until then."""
    validators = rpc.call("tandem_status")["validators"]
    return all(validator.get("heights", {}).get("verified", 0) >= number for validator in validators)


def check_that_it_serves(running: ChainProcess, rules: str, blocks: int) -> None:
    with contextlib.closing(running.rpc()) as rpc:
        status = rpc.call("tandem_status")
        assert (status["rules"], status["leaders"]) == (rules, "weighted")
        assert [validator["stake"] for validator in status["validators"]] == [40, 30, 20, 10]
        for _ in range(blocks):
            newest = transfer(rpc)
        wait_until(lambda: verified_by_all(rpc, newest), "every validator to verify the newest block")
        assert int(rpc.call("eth_getBlockByNumber", "finalized", False)["number"], 16) == newest


@pytest.mark.parametrize("rules", RULE_SETS)
def test_a_chain_of_uneven_stakes_serves_and_goes_on_after_a_restart(rules: str, tmp_path: Path) -> None:
    options = ("--consensus", rules, "--stake", STAKE, "--data-dir", str(tmp_path / "chain"))
    with chain(*options) as running:
        check_that_it_serves(running, rules, blocks=5)
        assert running.end()[0] == 0
    with chain("--data-dir", str(tmp_path / "chain")) as running:
        check_that_it_serves(running, rules, blocks=2)


@pytest.mark.parametrize("rules", RULE_SETS)
def test_with_half_of_the_validators_dead_the_chain_goes_on_if_they_hold_less_than_a_third(rules: str) -> None:
    """What no count of heads would allow: validators 0 and 1 hold 70 of 100."""
    with chain("--consensus", rules, "--stake", STAKE) as running, contextlib.closing(running.rpc()) as rpc:
        for index in (2, 3):
            assert rpc.call("tandem_killValidator", index)["state"] == "killed"
        for _ in range(3):
            newest = transfer(rpc)
        for index in (2, 3):
            rpc.call("tandem_restartValidator", index)
        wait_until(lambda: verified_by_all(rpc, newest), "the two that were dead to catch up")


def test_a_chain_asked_for_other_rules_than_its_own_says_so_in_one_line(tmp_path: Path) -> None:
    folder = str(tmp_path / "chain")
    tandem = [sys.executable, "-m", "node"]
    subprocess.run([*tandem, "init", "--quiet", "--data-dir", folder], cwd=PROJECT, check=True)
    asked = [*tandem, "up", "--port", "0", "--data-dir", folder, "--consensus", "hotstuff-3"]
    refused = subprocess.run(asked, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert refused.stderr == (
        f"tandem: {folder} holds a chain made with --consensus hotstuff-2, not hotstuff-3: "
        "leave --consensus out, or give another --data-dir\n"
    )
