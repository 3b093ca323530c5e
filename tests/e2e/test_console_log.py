"""console.log of a contract that imports Hardhat's library: what `tandem up` prints, and what anvil prints of it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError
from web3.types import TxParams, Wei

from tests.e2e.anvil import running_anvil
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import NpmPackages
from tests.e2e.web3_contracts import deploy, mined


def accounts(w3: Web3) -> Sequence[ChecksumAddress]:
    return w3.eth.accounts


def send(call: ContractFunction, sender: ChecksumAddress) -> HexBytes:
    """With gas given, so that nobody estimates it."""
    fields: TxParams = {"from": sender, "gas": 200_000, "maxPriorityFeePerGas": Wei(10**9)}
    return call.transact(fields)


@pytest.fixture(scope="module")
def running() -> Iterator[ChainProcess]:
    with chain("--check-serial") as running:
        yield running


@pytest.fixture(scope="module")
def w3(running: ChainProcess) -> Web3:
    return Web3(Web3.HTTPProvider(running.url))


@pytest.fixture(scope="module")
def talker(w3: Web3) -> Contract:
    return deploy(w3, "Talker", sender=accounts(w3)[0])


@pytest.fixture(scope="module")
def rpc(running: ChainProcess) -> Iterator[JsonRpc]:
    with contextlib.closing(running.rpc()) as rpc:
        yield rpc


def consoles(running: ChainProcess, **wanted: Any) -> list[dict[str, Any]]:
    """The events of console.log so far with these facts."""
    return [event for event in list(running.events) if event["event"] == "console" and wanted.items() <= event.items()]


def added(name: str, amount: int, total: int, sender: str) -> list[str]:
    return [f"{name} adds {amount}, which makes {total}", f"{sender} {str(total > amount).lower()}", "-5", "0x36555b85"]


def test_a_block_s_transactions_are_shown_once_each_in_their_order_whatever_ran_twice(
    running: ChainProcess, rpc: JsonRpc, w3: Web3, talker: Contract
) -> None:
    rpc.call("evm_setAutomine", False)
    senders = accounts(w3)[:8]
    sent = [send(talker.functions.add(f"sender {at}", at), sender) for at, sender in enumerate(senders)]
    failing = send(talker.functions.fail("of no money"), accounts(w3)[8])
    rpc.call("evm_mine")
    rpc.call("evm_setAutomine", True)
    block = mined(w3, sent[0])["blockNumber"]
    mined(w3, failing, status=0)
    running.event(lambda event: event["event"] == "console" and event.get("transaction") == failing.to_0x_hex())
    total, expected = 0, []
    for hash_ in w3.eth.get_block(block)["transactions"]:
        assert isinstance(hash_, HexBytes)
        if hash_ == failing:
            messages = ["about to fail: of no money"]
        else:
            at = sent.index(hash_)
            total += at
            messages = added(f"sender {at}", at, total, senders[at])
        expected.append((hash_.to_0x_hex(), messages))
    seen = [(event["transaction"], event["messages"]) for event in consoles(running, number=block)]
    assert seen == expected
    assert len(seen) == 9
    assert not [event for event in consoles(running) if event["omitted"]]


def test_a_call_shows_what_it_logs_and_an_estimate_only_if_it_fails(running: ChainProcess, talker: Contract) -> None:
    talker.functions.peek().call()
    talker.functions.peek().estimate_gas()
    with pytest.raises(ContractLogicError):
        talker.functions.fail("estimated").estimate_gas()
    running.event(lambda event: event.get("method") == "eth_estimateGas")
    (called,) = consoles(running, method="eth_call")
    (estimated,) = consoles(running, method="eth_estimateGas")
    assert called["to"] == talker.address
    assert called["messages"] == [f"peeked at {talker.functions.count().call()}"]
    assert estimated["messages"] == ["about to fail: estimated"]


def test_logging_is_switched_off_and_on(running: ChainProcess, rpc: JsonRpc, w3: Web3, talker: Contract) -> None:
    assert rpc.call("hardhat_setLoggingEnabled", False) is True
    mined(w3, send(talker.functions.add("quiet", 71), accounts(w3)[7]))
    talker.functions.peek().call()
    before = len(consoles(running))
    assert rpc.call("anvil_setLoggingEnabled", True) is None
    loud = send(talker.functions.add("loud", 1), accounts(w3)[7])
    mined(w3, loud)
    running.event(lambda event: event["event"] == "console" and event.get("transaction") == loud.to_0x_hex())
    assert {each.get("transaction") for each in consoles(running)[before:]} == {loud.to_0x_hex()}
    said = [message for each in consoles(running) for message in each["messages"]]
    assert not any("quiet" in message for message in said)


def test_a_trace_has_what_was_logged(rpc: JsonRpc, w3: Web3, talker: Contract) -> None:
    sender = accounts(w3)[9]
    before = talker.functions.count().call()
    sent = send(talker.functions.add("traced", 3), sender)
    mined(w3, sent)
    expected = added("traced", 3, before + 3, sender)
    logs = rpc.call("tandem_getConsoleLogs", sent.to_0x_hex())
    assert logs == [{"address": talker.address, "message": message} for message in expected]
    tree = rpc.call("debug_traceTransaction", sent.to_0x_hex(), {"tracer": "callTracer"})
    assert [call["consoleLog"] for call in tree["calls"]] == expected
    assert {(call["type"], call["gasUsed"]) for call in tree["calls"]} == {("STATICCALL", "0x0")}


def test_anvil_prints_the_same_of_the_same_transactions(
    running: ChainProcess, w3: Web3, npm_packages: NpmPackages
) -> None:
    printed: list[str] = []
    with running_anvil(printed=printed) as url, contextlib.closing(JsonRpc(url)) as theirs:
        there = Web3(Web3.HTTPProvider(url))
        for each in (there, w3):
            contract = deploy(each, "Talker", sender=accounts(each)[0])
            sent = send(contract.functions.add("anyone %s", 2**255), accounts(each)[1])
            mined(each, sent)
            mined(each, send(contract.functions.fail("100 %"), accounts(each)[1]), status=0)
            contract.functions.peek().call()
        theirs.call("web3_clientVersion")
        wait_until(lambda: "web3_clientVersion\n" in printed, "the last line")
    said = [line.rstrip("\n") for line in printed if line.strip() and not line.startswith((" ", "eth_", "web3_"))]
    running.event(lambda event: event.get("messages") == [f"peeked at {2**255}"])
    ours = [message for event in consoles(running)[-3:] for message in event["messages"]]
    assert ours == said
    assert len(ours) == 6
