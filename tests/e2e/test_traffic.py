"""`tandem traffic` against a running chain: what it says it did is what the chain has."""

import json
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from web3 import Web3
from web3.contract import Contract

from tests.e2e.chain_process import chain, wait_until
from tests.e2e.running_node import DEADLINE_S, PROJECT, Node
from tests.e2e.web3_contracts import deploy

TRANSFER = "transfer(address,uint256)"
NOBODY = "0x" + "00" * 20


@pytest.fixture
def token(w3: Web3, node: Node, tandem_only: None) -> Contract:
    return deploy(w3, "Token", "Gold", "GLD", sender=Web3.to_checksum_address(node.addresses[0]))


def command(node: Node, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "node", "traffic", *arguments, "--url", node.http_url]


def run(node: Node, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command(node, *arguments), cwd=PROJECT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def transfers(token: Contract) -> list[tuple[int, str, str]]:
    """Block, sender and recipient of each transfer between accounts."""
    logs = token.events.Transfer().get_logs(from_block=0)
    return [
        (log["blockNumber"], log["args"]["from"], log["args"]["to"]) for log in logs if log["args"]["from"] != NOBODY
    ]


def test_wallets_of_its_own_call_the_contract_one_call_at_a_time(w3: Web3, node: Node, token: Contract) -> None:
    options = ("--setup", "mint({sender},1000)", "--senders", "8", "--count", "60", "--hot", "50%", "--json")
    told: dict[str, Any] = json.loads(run(node, token.address, TRANSFER, *options).stdout)
    made = transfers(token)
    assert (told["sent"], told["included"], told["reverted"], told["refused"]) == (60, 60, 0, {})
    assert len(made) == 60
    assert (told["firstBlock"], told["lastBlock"]) == (made[0][0], made[-1][0])
    assert told["blocks"] == len({block for block, _, _ in made})
    per_sender = Counter(sender for _, sender, _ in made)
    assert sorted(per_sender.values()) == [7, 7, 7, 7, 8, 8, 8, 8]
    assert max(Counter((block, sender) for block, sender, _ in made).values()) == 1
    [(hottest, hits)] = Counter(to for _, _, to in made).most_common(1)
    assert hottest not in per_sender
    assert 20 <= hits <= 40
    assert {to for _, _, to in made} - {hottest} <= per_sender.keys()


def test_senders_make_calls_of_their_own_first_at_other_contracts_too(w3: Web3, node: Node, token: Contract) -> None:
    asset = deploy(w3, "Token", "Copper", "CPR", sender=Web3.to_checksum_address(node.addresses[0]))
    call = ("transferFrom(address,address,uint256)", "{sender}", "{recipient}", "{1..3}")
    first = ("--setup", f"{asset.address}.mint({{sender}},5)", "--setup", "mint({sender},1000)")
    own = ("--sender-setup", "approve({sender},900)", "--sender-setup", f"{asset.address}.approve({{contract}},7)")
    told = json.loads(run(node, token.address, *call, *first, *own, "--senders", "3", "--count", "9", "--json").stdout)
    assert (told["included"], told["reverted"]) == (9, 0)
    senders = {sender for _, sender, _ in transfers(token)}
    assert [asset.functions.allowance(each, token.address).call() for each in senders] == [7, 7, 7]
    assert [asset.functions.balanceOf(each).call() for each in senders] == [5, 5, 5]


def test_it_says_what_came_of_it_and_what_to_look_at_next(node: Node, token: Contract) -> None:
    printed = run(node, token.address, "mint({sender},{index})", "--senders", "2", "--count", "4").stdout.splitlines()
    blocks = [log["blockNumber"] for log in token.events.Transfer().get_logs(from_block=0)]
    assert printed[0] == f"{token.address}  mint(address,uint256)"
    assert printed[1] == "sent 4   included 4   reverted 0   refused 0"
    assert printed[2].startswith(f"blocks {blocks[0]}..{blocks[-1]} ({len(set(blocks))})   ")
    assert " times as fast as serially (measured), " in printed[3]
    assert printed[-1] == f"next: tandem report --range {blocks[0]}..{blocks[-1]} --url {node.http_url}"


def test_senders_without_tokens_are_told_what_to_do_and_reverts_have_their_reason(node: Node, token: Contract) -> None:
    refused = run(node, token.address, TRANSFER, "--senders", "2", status=1).stderr.strip()
    assert refused.startswith(f"tandem: {TRANSFER} would revert: ERC20InsufficientBalance(0x")
    assert "--setup 'transfer({sender},1000)', or another --seed if the contract takes a value only once" in refused
    assert refused.endswith(", or --gas 200000 to send it all the same")
    assert "\n" not in refused

    options = ("--senders", "2", "--count", "6", "--gas", "100000", "--json")
    told = json.loads(run(node, token.address, TRANSFER, *options).stdout)
    assert (told["included"], told["reverted"]) == (6, 6)
    assert told["revertReasons"] == {"ERC20InsufficientBalance(address,uint256,uint256)": 6}
    told = json.loads(run(node, token.address, 'refuse("not on a Sunday")', *options).stdout)
    assert told["revertReasons"] == {"not on a Sunday": 6}
    told = json.loads(run(node, token.address, "mint({sender},1)", *options[:4], "--gas", "25000", "--json").stdout)
    assert told["revertReasons"] == {"out of gas": 6}


def test_ctrl_c_stops_it_and_leaves_nothing_on_its_way(w3: Web3, node: Node, token: Contract) -> None:
    options = ("--senders", "4", "--count", "10000", "--rate", "100")
    process = subprocess.Popen(
        command(node, token.address, "mint({sender},1)", *options),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(token.events.Transfer().get_logs(from_block=0)) > 10, "some of its calls are in blocks")
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    count = len(token.events.Transfer().get_logs(from_block=0))
    assert f"sent {count:,}   included {count:,}   reverted 0   refused 0   (stopped)" in printed
    assert 10 < count < 10_000
    assert dict(w3.geth.txpool.status()) == {"pending": "0x0", "queued": "0x0"}


def test_a_chain_that_ends_meanwhile_is_told_of_in_one_line() -> None:
    with chain() as running:
        account = running.ready()["accounts"][0]["address"]
        w3 = Web3(Web3.HTTPProvider(running.url))
        token = deploy(w3, "Token", "Gold", "GLD", sender=Web3.to_checksum_address(account))
        arguments = ("mint({sender},1)", "--senders", "4", "--count", "10000", "--rate", "100", "--url", running.url)
        process = subprocess.Popen(
            [sys.executable, "-m", "node", "traffic", token.address, *arguments],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: len(token.events.Transfer().get_logs(from_block=0)) > 5, "some of its calls are in blocks")
        running.kill_everything()
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert errors.startswith(f"tandem: the chain at {running.url} ended")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((NOBODY, TRANSFER), "there is no contract at 0x0000000000000000000000000000000000000000: deploy it"),
        (("0x12", TRANSFER), "'0x12' is no address of a contract"),
        (("TOKEN", "transfer(address"), "'transfer(address' is no call"),
        (("TOKEN", TRANSFER, "{me}"), "{me} is no template"),
        (("TOKEN", TRANSFER, "--from", "99", "--setup", "f()"), "there is no development account 99"),
        (("TOKEN", TRANSFER, "--setup", "burn({sender},1)"), "--setup 'burn({sender},1)' fails: execution reverted"),
        (
            ("TOKEN", TRANSFER, "--sender-setup", "transfer({hot},1)"),
            "--sender-setup 'transfer({hot},1)' fails: ERC20Ins",
        ),
        (
            ("TOKEN", TRANSFER, "--setup", "burn(uint8) 300"),
            "--setup 'burn(uint8) 300': argument 1 of burn(uint8): 300",
        ),
        (
            ("TOKEN", TRANSFER, "--setup", f"{NOBODY}.f()"),
            "there is no contract at 0x0000000000000000000000000000000000",
        ),
        (("TOKEN", "totalSupply()", "--hot", "10%"), "--hot has no argument of totalSupply() to set"),
        (("TOKEN", TRANSFER, "--value", "0.5ether", "--setup", "mint({sender},9)"), f"{TRANSFER} would revert"),
        (("TOKEN", TRANSFER, "--url", "http://127.0.0.1:1"), "no chain answers at http://127.0.0.1:1"),
        (("TOKEN", "totalSupply()", "--sendrs", "5"), "No such option '--sendrs'. (Did you mean one of: '--seed', "),
        (("TOKEN", "totalSupply()", "-x"), "No such option '-x'"),
        (("TOKEN", "burn(uint8)", "-3"), "argument 1 of burn(uint8): -3"),
        (("TOKEN", TRANSFER, "--senders", "0"), "Invalid value for '--senders'"),
    ],
)
def test_what_cannot_be_done_is_one_line(node: Node, token: Contract, arguments: tuple[str, ...], words: str) -> None:
    given = [token.address if each == "TOKEN" else each for each in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "node", "traffic", "--url", node.http_url, *given],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"tandem: {words}")
    assert done.stderr.count("\n") == 1
