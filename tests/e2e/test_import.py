"""`tandem import`: a real chain is taken in, and goes on; what cannot be taken in is one line."""

import contextlib
import http.client
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chain.blocks import decode_block
from chain.headers import Header
from chain.json_fields import Fields
from chain.transactions import decode_transaction
from chain.types import Hash32
from execution.block_rules import check_block, check_header
from node import folder as data
from node.genesis_file import schedule_of
from tests.conformance.blob_transaction import RAW as BLOB_TRANSACTION
from tests.conformance.rpc_exchanges import CHAIN, GENESIS, chain_blocks, exchanges
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.command_line import refusal, tandem
from tests.e2e.headers import header_from_json
from tests.e2e.json_rpc import JsonRpc, RpcError

BLOCKS = chain_blocks()
SENT = [
    json.loads(request)["params"][0]
    for exchange in exchanges()
    if exchange.name.startswith("eth_sendRawTransaction/") and "blob" not in exchange.name
    for request, _ in exchange.pairs
]
TRANSACTIONS = sorted(SENT, key=lambda raw: decode_transaction(bytes.fromhex(raw[2:])).nonce)
"""Of one account of the chain, on top of its newest block."""


def imported(folder: Path, file: Path = CHAIN, *options: str) -> "dict[str, Any]":
    run = tandem("import", str(file), "--data-dir", str(folder), "--genesis", str(GENESIS), "--json", *options)
    assert run.returncode == 0, run.stderr
    facts: dict[str, Any] = json.loads(run.stdout)
    return facts


def refused(*arguments: str) -> str:
    """The one line that `tandem import` ends with."""
    run = tandem("import", *arguments)
    assert run.returncode != 0, run.stdout
    line = run.stderr.strip()
    assert line.startswith("tandem: ")
    assert "\n" not in line, line
    return line


def headers(rpc: JsonRpc, first: int, last: int) -> list[Header]:
    numbers = [[hex(number), False] for number in range(first, last + 1)]
    return [header_from_json(block) for block in rpc.batch("eth_getBlockByNumber", numbers)]


def test_the_chain_goes_on_after_the_newest_imported_block_also_after_a_restart(tmp_path: Path) -> None:
    facts = imported(tmp_path)
    assert (facts["blocks"], facts["transactions"], facts["head"]["number"]) == (54, 249, 54)
    with chain("--data-dir", str(tmp_path), "--check-serial") as running, contextlib.closing(running.rpc()) as rpc:
        assert rpc.call("eth_getBlockByNumber", "finalized", False)["hash"] == facts["head"]["hash"]
        for raw in TRANSACTIONS[:2]:
            rpc.call("eth_sendRawTransaction", raw)
        wait_until(lambda: int(rpc.call("eth_blockNumber"), 16) > 54, "a block of our own")
        running.end()
    forks = data.open_folder(tmp_path).genesis.forks
    with chain("--data-dir", str(tmp_path), "--check-serial") as running, contextlib.closing(running.rpc()) as rpc:
        for raw in (*TRANSACTIONS[2:], "0x" + BLOB_TRANSACTION.hex()):
            rpc.call("eth_sendRawTransaction", raw)
        wait_until(lambda: rpc.call("txpool_status")["pending"] == "0x0", "all are in blocks")
        ours = headers(rpc, 54, int(rpc.call("eth_blockNumber"), 16))
        assert ours[0].hash().hex() == facts["head"]["hash"][2:]
        whole = rpc.batch("debug_getRawBlock", [[hex(header.number)] for header in ours])
        included = sum(int(rpc.call("eth_getBlockTransactionCountByNumber", hex(h.number)), 16) for h in ours[1:])
    assert included == len(TRANSACTIONS) + 1
    assert sum(header.blob_gas_used or 0 for header in ours[1:]) == 131_072
    assert [header.parent_hash for header in ours[1:]] == [header.hash() for header in ours[:-1]]
    parent, made = (decode_block(bytes.fromhex(encoded[2:])) for encoded in whole[:2])
    check_block(made, [parent], forks)
    looked = tandem("repair", "--check", "--data-dir", str(tmp_path))
    assert looked.returncode == 0, looked.stdout
    assert "imported-54  right: blocks up to 54" in looked.stdout


def test_damaged_imported_blocks_must_be_imported_again(tmp_path: Path) -> None:
    imported(tmp_path)
    log = max((tmp_path / "imported-54").glob("*.log"))
    data = log.read_bytes()
    log.write_bytes(data[:-9] + bytes((data[-9] ^ 1,)) + data[-8:])
    run = tandem("repair", "--yes", "--data-dir", str(tmp_path))
    assert run.returncode == 1
    assert f"{log}: the record at byte" in run.stdout
    assert "import them again into an empty one" in run.stderr


def test_init_tells_the_hash_of_block_0_as_other_clients_have_it(tmp_path: Path) -> None:
    run = tandem("init", "--data-dir", str(tmp_path), "--genesis", str(GENESIS))
    assert run.returncode == 0, run.stderr
    assert f"Block 0     0x{decode_block(BLOCKS[0]).header.parent_hash.hex()}" in run.stdout
    assert "Private keys" not in run.stdout


def test_executors_begin_with_the_imported_blocks_also_one_that_decides_later(tmp_path: Path) -> None:
    imported(tmp_path)
    options = ("--data-dir", str(tmp_path), "--executors", "2", "--workers", "1")
    with chain(*options, tampered="1:56") as running, contextlib.closing(running.rpc()) as rpc:
        for number, raw in enumerate(TRANSACTIONS[:2], 55):
            rpc.call("eth_sendRawTransaction", raw)
            wait_until(partial(is_newest_safe, running, number), f"block {number} is agreed on")
        found = rpc.call("tandem_status")["executors"]
        assert [wrong["index"] for wrong in found["wrong"]] == [1]
    assert {path.name for path in tmp_path.glob("storage-*")} == {"storage-0", "storage-1", "storage-2"}


def is_newest_safe(running: ChainProcess, number: int) -> bool:
    """False while rpc begins anew, on another executor."""
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(running.rpc()) as rpc:
        return bool(rpc.call("eth_getBlockByNumber", "safe", False)["number"] == hex(number))
    return False


def test_a_second_file_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    first, second, folder = tmp_path / "first", tmp_path / "second", tmp_path / "chain"
    first.write_bytes(b"".join(BLOCKS[:30]))
    second.write_bytes(b"".join(BLOCKS[20:]))
    assert imported(folder, first)["head"]["number"] == 30
    assert imported(folder, second)["blocks"] == 24
    assert [path.name for path in folder.glob("imported*")] == ["imported-54"]


def test_a_wrong_root_and_a_file_cut_short_are_one_line_and_the_blocks_before_stay(tmp_path: Path) -> None:
    block = decode_block(BLOCKS[9])
    wrong = replace(block, header=replace(block.header, state_root=Hash32(b"\x13" * 32))).encode()
    file, folder = tmp_path / "chain.rlp", tmp_path / "chain"
    file.write_bytes(b"".join([*BLOCKS[:9], wrong, *BLOCKS[10:]]))
    line = refused(str(file), "--data-dir", str(folder), "--genesis", str(GENESIS))
    right = block.header.state_root.hex()
    assert f"block 10 is refused: the state root is 0x{right}, and its header has 0x{'13' * 32}" in line
    file.write_bytes(b"".join(BLOCKS[:12])[:-3])
    line = refused(str(file), "--data-dir", str(folder))
    assert "ends in the middle of block 12 of it: 3 bytes are missing" in line
    genesis = data.open_folder(folder).genesis
    assert genesis.base.number == 11


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain that ran once."""
    folder = tmp_path_factory.mktemp("started")
    options = ("--data-dir", str(folder), "--genesis", str(GENESIS))
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        first = rpc.call("eth_getBlockByNumber", "0x0", False)
        assert first["hash"] == "0x" + decode_block(BLOCKS[0]).header.parent_hash.hex()
    return folder


def test_what_was_started_takes_no_blocks_in(started: Path) -> None:
    assert "was started already" in refused(str(CHAIN), "--data-dir", str(started))


def test_what_does_not_go_together_is_one_line(started: Path, tmp_path: Path) -> None:
    assert "give the chain's folder: --data-dir" in refused(str(CHAIN))
    assert "No such file" in refused(str(tmp_path / "nothing"), "--data-dir", str(tmp_path / "new"))
    line = refused(str(CHAIN), "--data-dir", str(tmp_path / "new"))
    assert "holds no chain yet: give the genesis that the blocks stand on, --genesis FILE" in line
    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(GENESIS.read_bytes()) | {"extraData": "0x01"}))
    assert "began otherwise than" in refusal("--data-dir", str(started), "--genesis", str(other))
    line = refusal("--data-dir", str(tmp_path / "new"), "--genesis", str(GENESIS), "--chain-id", "5")
    assert "--chain-id 5 does not go with --genesis" in line


def test_a_chain_without_a_merge_can_be_read_and_takes_no_transaction(tmp_path: Path) -> None:
    genesis, file, folder = tmp_path / "genesis.json", tmp_path / "chain.rlp", tmp_path / "chain"
    said = json.loads(GENESIS.read_bytes())
    later = ("mergeNetsplitBlock", "terminalTotalDifficulty")
    config = {name: value for name, value in said["config"].items() if name not in later and not name.endswith("Time")}
    genesis.write_text(json.dumps(said | {"config": config}))
    file.write_bytes(b"".join(BLOCKS[:30]))
    run = tandem("import", str(file), "--data-dir", str(folder), "--genesis", str(genesis))
    assert run.returncode == 0, run.stderr
    assert "can only be read" in refusal("--data-dir", str(folder), "--block-time", "1s")
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        assert rpc.call("eth_call", {"to": "0x" + "00" * 19 + "04", "input": "0x1234"}, "latest") == "0x1234"
        assert rpc.call("eth_getBlockByNumber", "latest", False)["number"] == "0x1e"
        with pytest.raises(RpcError, match=r"takes no transactions: its rules \(london\) are from before"):
            rpc.call("eth_sendRawTransaction", TRANSACTIONS[-1])
        with pytest.raises(RpcError, match="this chain can only be read"):
            rpc.call("evm_mine")
        compared = tandem("compare", "--url", running.url, "--block", "2", "--repeats", "1")
        assert compared.returncode == 0, compared.stdout + compared.stderr


def test_a_chain_whose_schedule_ends_with_shanghai_makes_blocks_of_that_shape(tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    names = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul")
    config = {f"{name}Block": 0 for name in (*names, "berlin", "london")}
    config |= {"chainId": 1337, "terminalTotalDifficulty": 0, "shanghaiTime": 0}
    alloc = {"f39fd6e51aad88f6f4ce6ab8827279cfffb92266": {"balance": "0xde0b6b3a7640000"}}
    genesis.write_text(json.dumps({"config": config, "alloc": alloc, "difficulty": "0x0", "gasLimit": "0x1c9c380"}))
    with chain("--genesis", str(genesis), "--check-serial") as running, contextlib.closing(running.rpc()) as rpc:
        sender = rpc.call("eth_accounts")[0]
        rpc.call("eth_sendTransaction", {"from": sender, "to": sender, "value": "0x1"})
        wait_until(lambda: int(rpc.call("eth_blockNumber"), 16) == 1, "a block")
        parent, made = headers(rpc, 0, 1)
        pending = rpc.call("eth_getBlockByNumber", "pending", False)
        assert rpc.call("eth_getBlockByNumber", "0x1", False)["hash"] == "0x" + made.hash().hex()
    check_header(made, parent, schedule_of(Fields(config), 0))
    assert made.withdrawals_root is not None
    assert "excessBlobGas" not in pending
