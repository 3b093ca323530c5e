"""A chain forked from another one, which goes on meanwhile and then is gone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from eth_typing import ChecksumAddress
from web3 import Web3
from web3.exceptions import BlockNotFound
from web3.types import FilterParams, TxParams, Wei

from tests.e2e.anvil import running_anvil
from tests.e2e.chain_process import ChainProcess, chain, told_by
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.npm_packages import install
from tests.e2e.web3_contracts import contract_at, deploy, mined

STRANGER = Web3.to_checksum_address("0x" + "5a" * 20)
MINTS = (5, 6, 7)


class Remote:
    """The chain to fork: a token with some mints, the last of them in block `forked`, and one more after that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.w3 = Web3(Web3.HTTPProvider(url))
        self.owner = self.w3.eth.accounts[0]
        self.token = deploy(self.w3, "Token", "Gold", "GLD", sender=self.owner)
        self.mints = [self.mint(amount) for amount in MINTS]
        transfer = {"from": self.owner, "to": STRANGER, "value": Wei(10**18)}
        mined(self.w3, self.w3.eth.send_transaction(cast(TxParams, transfer)))
        self.forked = self.w3.eth.block_number

    def mint(self, amount: int) -> Any:
        """The receipt."""
        return mined(self.w3, self.token.functions.mint(self.owner, amount).transact({"from": self.owner}))

    def go_on(self) -> None:
        self.later = self.mint(1_000)


@contextlib.contextmanager
def _remote(kind: str) -> Iterator[Remote]:
    with contextlib.ExitStack() as running:
        if kind == "anvil":
            install()
            yield Remote(running.enter_context(running_anvil()))
        else:
            yield Remote(running.enter_context(chain("--chain-id", "777")).url)


@pytest.fixture(scope="module", params=["tandem", "anvil"])
def forked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Forked"]:
    with contextlib.ExitStack() as running:
        remote = running.enter_context(_remote(request.param))
        folder = tmp_path_factory.mktemp("fork")
        options = ("--check-serial", "--data-dir", str(folder), "--fork-url", remote.url)
        fork = running.enter_context(chain(*options, "--fork-block", str(remote.forked)))
        remote.go_on()
        yield Forked(remote, fork, folder)


class Forked:
    def __init__(self, remote: Remote, process: ChainProcess, folder: Path) -> None:
        self.remote = remote
        self.process = process
        self.folder = folder
        self.w3 = Web3(Web3.HTTPProvider(process.url))
        self.token = contract_at(self.w3, "Token", remote.token.address)

    def balance(self, owner: ChecksumAddress, block: Any = "latest") -> int:
        return int(self.token.functions.balanceOf(owner).call(block_identifier=block))


def test_it_goes_on_after_the_remote_s_block(forked: Forked) -> None:
    remote, w3 = forked.remote, forked.w3
    assert w3.eth.chain_id == remote.w3.eth.chain_id
    receipt = mined(w3, w3.eth.send_transaction({"from": remote.owner, "to": STRANGER, "value": Wei(3)}))
    block, parent = w3.eth.get_block(remote.forked + 1), remote.w3.eth.get_block(remote.forked)
    assert receipt["blockNumber"] == remote.forked + 1
    assert block["parentHash"] == parent["hash"]
    assert block["timestamp"] >= parent["timestamp"]
    empty_enough = parent["baseFeePerGas"] * (1 - (1 - parent["gasUsed"] * 2 / parent["gasLimit"]) / 8)
    assert block["baseFeePerGas"] == pytest.approx(empty_enough, abs=1)
    assert block["gasLimit"] == parent["gasLimit"]


def test_development_accounts_are_funded_and_keep_their_nonces(forked: Forked) -> None:
    remote, w3 = forked.remote, forked.w3
    at = remote.forked
    assert w3.eth.get_balance(remote.owner, at) == 10_000 * 10**18
    assert w3.eth.get_transaction_count(remote.owner, at) == remote.w3.eth.get_transaction_count(remote.owner, at)
    assert w3.eth.get_balance(STRANGER, at) == 10**18


def test_the_remote_s_contracts_run_here(forked: Forked) -> None:
    remote, owner = forked.remote, forked.remote.owner
    assert forked.w3.eth.get_code(remote.token.address) == remote.w3.eth.get_code(remote.token.address)
    before = forked.balance(owner)
    assert before == sum(MINTS), "what the remote minted after the fork is not here"
    sent = [forked.token.functions.transfer(STRANGER, 2).transact({"from": owner}) for _ in range(2)]
    receipts = [mined(forked.w3, transaction_hash) for transaction_hash in sent]
    assert forked.balance(owner) == before - 4
    assert forked.balance(STRANGER) == 4
    assert len(forked.token.events.Transfer().process_receipt(receipts[0])) == 1
    assert remote.token.functions.balanceOf(STRANGER).call() == 0


def test_states_of_older_blocks_are_the_remote_s(forked: Forked) -> None:
    remote, owner = forked.remote, forked.remote.owner
    for minted in range(1, 4):
        block = remote.mints[minted - 1]["blockNumber"]
        assert forked.balance(owner, block) == sum(MINTS[:minted])
        assert forked.balance(owner, Web3.to_hex(remote.mints[minted - 1]["blockHash"])) == sum(MINTS[:minted])
    first = remote.mints[0]["blockNumber"]
    for read in (forked.w3.eth.get_balance, forked.w3.eth.get_transaction_count):
        assert read(owner, first) == getattr(remote.w3.eth, read.__name__)(owner, first)
    total_supply = 2
    assert forked.w3.eth.get_storage_at(remote.token.address, total_supply, first) == (5).to_bytes(32, "big")
    assert forked.w3.eth.get_storage_at(remote.token.address, total_supply, remote.forked) == (18).to_bytes(32, "big")
    assert forked.w3.eth.get_code(remote.token.address, 0) == b""


def test_blocks_transactions_and_receipts_below_are_the_remote_s(forked: Forked) -> None:
    remote, ours, theirs = forked.remote, forked.w3.eth, forked.remote.w3.eth
    minted = remote.mints[1]
    number, transaction_hash = minted["blockNumber"], minted["transactionHash"]
    for block in (number, remote.forked, 0, "earliest", minted["blockHash"]):
        assert ours.get_block(block) == theirs.get_block(block)
        assert ours.get_block(block, True) == theirs.get_block(block, True)
    assert ours.get_transaction(transaction_hash) == theirs.get_transaction(transaction_hash)
    assert ours.get_transaction_by_block(number, 0) == theirs.get_transaction_by_block(number, 0)
    assert ours.get_transaction_receipt(transaction_hash) == theirs.get_transaction_receipt(transaction_hash)
    assert ours.get_block_receipts(number) == theirs.get_block_receipts(number)
    assert ours.get_block_transaction_count(number) == 1


def test_what_the_remote_did_since_is_not_here(forked: Forked) -> None:
    later = forked.remote.later
    with contextlib.closing(forked.process.rpc()) as rpc:
        for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
            assert rpc.call(method, Web3.to_hex(later["transactionHash"])) is None
        assert rpc.call("eth_getBlockByHash", Web3.to_hex(later["blockHash"]), False) is None
    with pytest.raises(BlockNotFound):
        forked.w3.eth.get_block(forked.w3.eth.block_number + 1)


def test_logs_of_a_range_across_the_fork_are_those_of_both(forked: Forked) -> None:
    here = mined(forked.w3, forked.token.functions.mint(STRANGER, 1).transact({"from": forked.remote.owner}))
    wanted = {"fromBlock": 0, "toBlock": "latest", "address": forked.token.address}
    found = forked.w3.eth.get_logs(cast(FilterParams, wanted))
    assert [log["transactionHash"] for log in found[:3]] == [mint["transactionHash"] for mint in forked.remote.mints]
    assert found[-1]["transactionHash"] == here["transactionHash"]
    assert found == sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))
    below = forked.w3.eth.get_logs(cast(FilterParams, wanted | {"toBlock": forked.remote.forked}))
    assert below == found[:3]
    above = forked.w3.eth.get_logs(cast(FilterParams, wanted | {"fromBlock": forked.remote.forked + 1}))
    assert above == found[3:]
    block_hash = forked.remote.mints[0]["blockHash"]
    assert forked.w3.eth.get_logs({"blockHash": block_hash}) == found[:1]
    assert forked.w3.eth.filter(cast(FilterParams, wanted)).get_all_entries() == found


def test_traces_of_a_range_across_the_fork_are_those_of_both(forked: Forked) -> None:
    """Ours are without a mark of the fork, the remote's as it tells them."""
    remote, w3 = forked.remote, forked.w3
    transfer = {"from": w3.eth.accounts[0], "to": STRANGER, "value": Wei(1)}
    own = mined(w3, w3.eth.send_transaction(cast(TxParams, transfer)))
    block = hex(remote.forked)
    with contextlib.closing(JsonRpc(forked.process.url)) as rpc, contextlib.closing(JsonRpc(remote.url)) as theirs:
        old = theirs.call("trace_block", block)
        assert rpc.call("trace_block", block) == old
        assert rpc.call("trace_transaction", old[0]["transactionHash"]) == old
        new = rpc.call("trace_transaction", Web3.to_hex(own["transactionHash"]))
        found = rpc.call("trace_filter", {"fromBlock": block, "toAddress": [STRANGER]})
        assert (found[: len(old)], found[-len(new) :]) == (old, new)


def test_fees_of_a_range_across_the_fork_join(forked: Forked) -> None:
    newest = forked.w3.eth.block_number
    history = forked.w3.eth.fee_history(newest + 1, "latest", [50.0])
    assert history["oldestBlock"] == 0
    blocks = [forked.w3.eth.get_block(number) for number in range(newest + 1)]
    assert history["baseFeePerGas"][:-1] == [block["baseFeePerGas"] for block in blocks]
    assert len(history["gasUsedRatio"]) == len(history["reward"]) == newest + 1


def test_bytecode_sees_the_hashes_of_the_remote_s_blocks(forked: Forked) -> None:
    """Returns the hash of the block whose number is its argument."""
    blockhash = "0x5f35405f5260205ff3"
    for number in (forked.remote.forked, forked.remote.forked - 1, 0):
        override = {STRANGER: {"code": blockhash}}
        argument = Web3.to_hex(number.to_bytes(32, "big"))
        seen = forked.w3.eth.call({"to": STRANGER, "data": argument}, "latest", cast(Any, override))
        assert seen == forked.remote.w3.eth.get_block(number)["hash"]


def test_a_proof_is_refused_on_a_fork_and_below_it_is_the_remote_s(forked: Forked) -> None:
    remote = forked.remote
    wanted = [remote.token.address, [f"0x{2:064x}"], hex(remote.mints[0]["blockNumber"])]
    with contextlib.closing(forked.process.rpc()) as ours, contextlib.closing(JsonRpc(remote.url)) as theirs:
        with pytest.raises(RpcError, match="no proof on a fork"):
            ours.call("eth_getProof", *wanted[:2], "latest")
        assert ours.call("eth_getProof", *wanted) == theirs.call("eth_getProof", *wanted)


def test_the_status_tells_where_it_was_forked(forked: Forked) -> None:
    with contextlib.closing(forked.process.rpc()) as rpc:
        status = rpc.call("tandem_status")
        counters = told_by(rpc, "storage")["counters"]
        about = rpc.call("hardhat_metadata")["forkedNetwork"]
    remote = forked.remote
    assert status["forkedFrom"] == {"url": remote.url, "chainId": remote.w3.eth.chain_id, "block": remote.forked}
    assert counters["remote_requests"] > 0
    assert about["forkBlockNumber"] == remote.forked
    assert about["forkBlockHash"] == Web3.to_hex(remote.w3.eth.get_block(remote.forked)["hash"])


def test_an_operator_changes_what_was_the_remote_s_and_goes_back(forked: Forked) -> None:
    token, supply = forked.token.address, "0x" + "00" * 31 + "02"
    untouched = Web3.to_checksum_address("0x" + "6b" * 20)
    before = forked.token.functions.totalSupply().call()
    with contextlib.closing(forked.process.rpc()) as rpc:
        snapshot = rpc.call("evm_snapshot")
        rpc.call("hardhat_setStorageAt", token, supply, f"0x{10**6:064x}")
        rpc.call("hardhat_setBalance", untouched, "0x5")
        rpc.call("hardhat_setCode", STRANGER, "0x60005ff3")
        assert forked.token.functions.totalSupply().call() == 10**6
        assert forked.w3.eth.get_balance(untouched) == 5
        mined(forked.w3, forked.token.functions.mint(untouched, 1).transact({"from": forked.remote.owner}))
        assert forked.token.functions.totalSupply().call() == 10**6 + 1
        assert rpc.call("evm_revert", snapshot) is True
        with pytest.raises(RpcError, match="stays what it is: start another one with tandem up"):
            rpc.call("hardhat_reset", {"forking": {"jsonRpcUrl": forked.remote.url, "blockNumber": 10**6}})
    assert forked.token.functions.totalSupply().call() == before
    assert forked.w3.eth.get_balance(untouched) == 0
    assert forked.w3.eth.get_code(STRANGER) == b""
    mined(forked.w3, forked.token.functions.mint(untouched, 3).transact({"from": forked.remote.owner}))
    assert forked.token.functions.totalSupply().call() == before + 3


# Without the remote


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[Forked, dict[str, Any]]]:
    """A fork that was used, started again after its remote is gone; and what it had read."""
    with contextlib.ExitStack() as remote_running:
        remote = remote_running.enter_context(_remote("tandem"))
        folder = tmp_path / "fork"
        with chain("--data-dir", str(folder), "--fork-url", remote.url) as process:
            fork = Forked(remote, process, folder)
            mined(fork.w3, fork.token.functions.mint(STRANGER, 9).transact({"from": remote.owner}))
            read = _readings(fork)
            status, _ = process.end()
            assert status == 0
    with chain("--data-dir", str(folder)) as process:
        yield Forked(remote, process, folder), read


def _readings(fork: Forked) -> dict[str, Any]:
    eth, mint = fork.w3.eth, fork.remote.mints[0]
    return {
        "balance here": fork.balance(STRANGER),
        "balance below": fork.balance(fork.remote.owner, mint["blockNumber"]),
        "block": eth.get_block(mint["blockNumber"]),
        "receipt": eth.get_transaction_receipt(mint["transactionHash"]),
        "logs": eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": fork.token.address}),
        "ether": eth.get_balance(STRANGER),
    }


def test_what_was_read_is_there_without_the_remote_and_the_rest_names_it(lonely: tuple[Forked, dict[str, Any]]) -> None:
    fork, read = lonely
    assert _readings(fork) == read
    with contextlib.closing(fork.process.rpc()) as rpc, pytest.raises(RpcError) as failure:
        rpc.call("eth_getBalance", "0x" + "77" * 20, "latest")
    assert f"the remote chain at {fork.remote.url} cannot be reached (Connection refused)" in failure.value.message


def test_the_chain_waits_while_the_remote_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    with contextlib.ExitStack() as first:
        folder = tmp_path / "remote"
        remote_process = first.enter_context(chain("--data-dir", str(folder)))
        remote = Remote(remote_process.url)
        fork = first.enter_context(chain("--check-serial", "--fork-url", remote.url))
        w3 = Web3(Web3.HTTPProvider(fork.url))
        w3.eth.get_block("latest")
        remote_process.end()
        sender, unread = w3.eth.accounts[0], Web3.to_checksum_address("0x" + "88" * 20)
        sent = w3.eth.send_transaction({"from": sender, "to": unread, "gas": 21_000})
        fork.event(lambda event: event["event"] == "trouble" and "cannot be reached" in event["text"])
        assert w3.eth.block_number == remote.forked
        with chain("--data-dir", str(folder), port=remote_process.port):
            assert mined(w3, sent)["blockNumber"] == remote.forked + 1
