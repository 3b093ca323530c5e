"""anvil_dumpState and anvil_loadState: states go from Tandem to anvil 1.7.1, back, and into the chain they are from."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from web3 import Web3
from web3.contract import Contract

from chain.system_contracts import WITHDRAWAL_REQUESTS
from tests.e2e.anvil import running_anvil
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.npm_packages import NpmPackages
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy, mined

FRIEND, STRANGER = "0x" + "71" * 20, "0x" + "72" * 20
CODE = "0x60015f5500"
ANSWERS = ("eth_getTransactionCount", "eth_getBalance", "eth_getCode")


@pytest.fixture(scope="module")
def anvil(npm_packages: NpmPackages) -> Iterator[JsonRpc]:
    with running_anvil() as url, contextlib.closing(JsonRpc(url)) as rpc:
        yield rpc


@pytest.fixture(scope="module")
def token(w3: Web3) -> Contract:
    owner = w3.eth.accounts[0]
    token = deploy(w3, "Token", "Gold", "GLD", sender=owner)
    mined(w3, token.functions.mint(FRIEND, 12_345).transact({"from": owner}))
    return token


def content(dump: str) -> Any:
    return json.loads(gzip.decompress(bytes.fromhex(dump[2:])))


def packed(state: Any) -> str:
    return "0x" + gzip.compress(json.dumps(state).encode(), mtime=0).hex()


def record(nonce: int = 0, balance: int = 0, code: str = "0x", **storage: int) -> dict[str, Any]:
    slots = {f"0x{int(slot[1:]):064x}": f"0x{value:064x}" for slot, value in storage.items()}
    return {"nonce": nonce, "balance": hex(balance), "code": code, "storage": slots}


def state_of(**accounts: Any) -> str:
    """A state of these accounts, by the names above."""
    names = {"friend": FRIEND, "stranger": STRANGER}
    return packed(
        {
            "accounts": {names[name]: account for name, account in accounts.items()},
            "block": None,
            "best_block_number": None,
        }
    )


def account(rpc: JsonRpc, address: str) -> list[Any]:
    return [rpc.call(method, address, "latest") for method in ANSWERS]


def slot(rpc: JsonRpc, address: str, number: int) -> int:
    return int(rpc.call("eth_getStorageAt", address, hex(number), "latest"), 16)


def test_anvil_goes_on_from_a_state_of_tandem(token: Contract, fresh: JsonRpc, anvil: JsonRpc, node: Node) -> None:
    fresh.call("anvil_setNonce", STRANGER, "0x7")
    fresh.call("anvil_setCode", STRANGER, CODE)
    assert anvil.call("anvil_loadState", fresh.call("anvil_dumpState")) is True
    for address in (STRANGER, token.address, *node.addresses):
        assert account(anvil, address) == account(fresh, address)
    there = anvil.call("eth_call", {"to": token.address, "data": token.encode_abi("balanceOf", [FRIEND])}, "latest")
    assert int(there, 16) == 12_345
    newest, theirs = (each.call("eth_getBlockByNumber", "latest", False) for each in (fresh, anvil))
    assert (theirs["number"], theirs["hash"]) == (newest["number"], newest["hash"])
    anvil.call("evm_mine")
    assert int(anvil.call("eth_blockNumber"), 16) == int(newest["number"], 16) + 1


def test_a_state_of_anvil_is_merged_into_the_chain(fresh: JsonRpc, anvil: JsonRpc) -> None:
    anvil.call("anvil_setBalance", FRIEND, hex(77))
    anvil.call("anvil_setCode", FRIEND, CODE)
    anvil.call("anvil_setStorageAt", FRIEND, "0x5", "0x" + f"{6:064x}")
    fresh.call("anvil_setStorageAt", FRIEND, "0x9", "0x" + f"{10:064x}")
    before = fresh.call("eth_blockNumber")
    dump = anvil.call("anvil_dumpState")
    assert fresh.call("anvil_loadState", dump) is True
    for address, given in content(dump)["accounts"].items():
        if given["balance"] != "0x0" or given["nonce"] or given["code"] != "0x":
            ours = account(fresh, address)
            assert ours[1:] == [given["balance"], given["code"]]
            assert int(ours[0], 16) >= given["nonce"]
    assert [slot(fresh, FRIEND, number) for number in (5, 9)] == [6, 10], "what is not named stays"
    numbers = [int(number, 16) for number in (before, anvil.call("eth_blockNumber"))]
    assert int(fresh.call("eth_blockNumber"), 16) == max(numbers)


def test_the_chain_comes_to_the_number_and_time_of_the_state_s_block(fresh: JsonRpc, anvil: JsonRpc) -> None:
    before = fresh.call("eth_getBlockByNumber", "latest", False)
    later = int(before["timestamp"], 16) + 100_000
    ahead = int(before["number"], 16) + 7
    anvil.call("anvil_mine", ahead - int(anvil.call("eth_blockNumber"), 16) - 1)
    anvil.call("evm_setNextBlockTimestamp", later)
    anvil.call("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))
    anvil.call("evm_mine")
    assert fresh.call("anvil_loadState", anvil.call("anvil_dumpState")) is True
    ours, theirs = (each.call("eth_getBlockByNumber", "latest", False) for each in (fresh, anvil))
    for name in ("number", "timestamp", "baseFeePerGas", "mixHash"):
        assert ours[name] == theirs[name], name
    assert int(ours["number"], 16) == ahead
    fresh.call("evm_mine")
    assert int(fresh.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) - later in range(300)


def test_both_merge_an_account_in_the_same_way(fresh: JsonRpc, anvil: JsonRpc) -> None:
    given = state_of(stranger=record(3, 5, "0x", _1=0, _2=2))
    seen = []
    for rpc in (fresh, anvil):
        rpc.call("anvil_setNonce", STRANGER, "0x9")
        rpc.call("anvil_setBalance", STRANGER, "0x1")
        for number in (1, 3):
            rpc.call("anvil_setStorageAt", STRANGER, hex(number), "0x" + f"{number:064x}")
        assert rpc.call("anvil_loadState", given) is True
        seen.append((account(rpc, STRANGER)[:2], [slot(rpc, STRANGER, number) for number in (1, 2, 3)]))
    assert seen[0] == seen[1] == (["0x9", "0x5"], [0, 2, 3])


def test_a_chain_takes_its_own_state_back(rpc: JsonRpc, token: Contract) -> None:
    snapshot = rpc.call("evm_snapshot")
    rpc.call("anvil_setBalance", FRIEND, "0x123")
    dump = rpc.call("hardhat_dumpState", True)
    assert rpc.call("evm_revert", snapshot) is True
    assert rpc.call("hardhat_loadState", dump) is True
    assert rpc.call("eth_getBalance", FRIEND, "latest") == "0x123"
    assert content(rpc.call("anvil_dumpState"))["accounts"] == content(dump)["accounts"]


def test_what_does_not_fit_into_one_operation_is_taken_in_several(fresh: JsonRpc, w3: Web3) -> None:
    many = {f"0x{number:040x}": record(balance=number) for number in range(2**80, 2**80 + 2_500)}
    large = record(1, 5, CODE, **{f"_{number}": number + 1 for number in range(9_000)})
    dump = packed({"accounts": {**many, STRANGER: large}, "block": None, "best_block_number": None})
    assert len(dump) < 5 << 20
    assert fresh.call("anvil_loadState", dump) is True
    last = 2**80 + 2_499
    assert fresh.call("eth_getBalance", f"0x{last:040x}", "latest") == hex(last)
    assert [slot(fresh, STRANGER, number) for number in (0, 5_000, 8_999)] == [1, 5_001, 9_000]
    assert account(fresh, STRANGER) == ["0x1", "0x5", CODE]
    sent = w3.eth.send_transaction({"to": STRANGER, "from": w3.eth.accounts[0]})
    assert mined(w3, sent)["gasUsed"] > 21_000
    assert slot(fresh, STRANGER, 0) == 1


def test_a_state_that_is_refused_leaves_nothing_behind(rpc: JsonRpc) -> None:
    many = {f"0x{number:040x}": record(balance=number) for number in range(2**80, 2**80 + 1_500)}
    needed = "0x" + WITHDRAWAL_REQUESTS.address.hex()
    before = rpc.call("eth_blockNumber")
    state = {"accounts": {**many, needed: record(1, 0, CODE)}, "block": None, "best_block_number": "0x99"}
    with pytest.raises(RpcError, match="cannot be another"):
        rpc.call("anvil_loadState", packed(state))
    assert rpc.call("eth_getBalance", f"0x{2**80:040x}", "latest") == "0x0"
    assert rpc.call("eth_blockNumber") == before


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("0x", "Failed to decode state dump: Expecting value"),
        ("0x1f8b", "Failed to decode state dump"),
        (packed({}), "Failed to decode state dump: it has no accounts"),
        (packed({"accounts": {"0x12": {}}}), "Failed to decode state dump: account 0x12 has no code"),
        (packed({"accounts": {FRIEND: record(2**64 - 1)}}), "is no nonce"),
        (packed({"accounts": {FRIEND: record(code="0x" + "00" * (400 << 10))}}), "bytes of code: at most"),
        ("0x" + gzip.compress(bytes(40 << 20), mtime=0).hex(), "it unpacks to more than 32 MiB"),
        ("zz", "invalid argument 0"),
    ],
)
def test_what_is_no_state_is_refused_in_one_line(rpc: JsonRpc, state: str, reason: str) -> None:
    with pytest.raises(RpcError, match=reason) as refusal:
        rpc.call("anvil_loadState", state)
    assert refusal.value.code == -32602
    assert "\n" not in refusal.value.message
