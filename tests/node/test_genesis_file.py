"""geth's genesis files: their forks, their first block, and one line for what cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.blocks import decode_block
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.json_fields import Fields
from chain.system_contracts import SYSTEM_CONTRACTS, WITHDRAWAL_REQUESTS
from node import folder as data
from node.genesis_file import BadGenesisFile, schedule_of, start_from
from node.settings import Settings
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.conformance.rpc_exchanges import GENESIS, chain_blocks

NEEDED = {"0x" + contract.address.hex(): {"code": "0x" + contract.code.hex()} for contract in SYSTEM_CONTRACTS}
ALLOC = {"0x" + "11" * 20: {"balance": "0x1"}, **NEEDED}
CONFIG: dict[str, Any] = {
    "chainId": 1337,
    **{f"{name}Block": 0 for name in ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople")},
    **{f"{name}Block": 0 for name in ("petersburg", "istanbul", "berlin", "london")},
    "terminalTotalDifficulty": 0,
    **{f"{name}Time": 0 for name in ("shanghai", "cancun", "prague", "osaka")},
}


def written(folder: Path, config: dict[str, Any] | None = None, **fields: Any) -> Path:
    path = folder / "genesis.json"
    path.write_text(json.dumps({"config": CONFIG | (config or {}), "alloc": ALLOC, "difficulty": "0x0"} | fields))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BadGenesisFile) as caught:
        start_from(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_block_0_has_the_hash_that_another_client_gave_it(tmp_path: Path) -> None:
    genesis = data.create_or_open(tmp_path / "chain", Settings(genesis=GENESIS)).genesis
    store = Store.open(MemoryKeyValue(), genesis)
    first = decode_block(chain_blocks()[0])
    assert store.head.hash == first.header.parent_hash
    assert genesis.chain_id == 3_503_995_874_084_926


def test_forks_are_in_force_from_the_blocks_and_times_of_the_file() -> None:
    forks = start_from(GENESIS).forks
    by_block = {0: "homestead", 3: "tangerine-whistle", 6: "spurious-dragon", 9: "byzantium", 12: "constantinople"}
    by_block |= {15: "petersburg", 18: "istanbul", 24: "berlin", 27: "london", 36: "paris"}
    for first, label in by_block.items():
        assert forks.at(first, 0).label == label
        assert forks.at(first, 10**9).label == (label if first < 36 else "bpo2")
    by_time = {389: "paris", 390: "shanghai", 420: "cancun", 450: "prague", 480: "osaka", 510: "bpo1", 540: "bpo2"}
    assert {time: forks.at(40, time).label for time in by_time} == by_time


def test_a_chain_that_began_after_the_merge_has_its_times_from_the_start(tmp_path: Path) -> None:
    start = start_from(written(tmp_path))
    assert start.forks.at(0, 0) == Fork.OSAKA
    assert start.header.requests_hash is not None
    assert start.header.base_fee == 10**9
    assert start.header.gas_limit == 4_712_388


def test_without_petersburg_constantinople_is_petersburg() -> None:
    schedule = schedule_of(Fields({"constantinopleBlock": 7}), 0)
    assert schedule == ForkSchedule(((7, Fork.PETERSBURG),))


def test_numbers_may_be_hexadecimal_decimal_or_plain(tmp_path: Path) -> None:
    alloc = {"22" * 20: {"balance": "1000", "nonce": 5, "storage": {"0x1": "0x02", "03": "0x0"}}}
    start = start_from(written(tmp_path, alloc=alloc | NEEDED, gasLimit="30000000", timestamp=9, nonce="0x42"))
    change = start.accounts[0]
    assert (change.account.balance, change.account.nonce, change.slots) == (1000, 5, {1: 2})
    assert (start.header.gas_limit, start.header.timestamp, start.header.nonce) == (30_000_000, 9, b"\0" * 7 + b"\x42")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"bpo3Time": 5}, "config.bpo3Time: Tandem knows the forks up to bpo2, not this one"),
        ({"pragueTime": 3, "osakaTime": 2}, "config: osaka at 2 comes before prague at 3"),
        ({"terminalTotalDifficulty": 10}, "give the number of the first block after the merge"),
        ({"terminalTotalDifficulty": None}, "config: shanghai needs the merge"),
        ({"daoForkBlock": 5, "daoForkSupport": True}, "the DAO fork's change of the state"),
        ({"blobSchedule": {"osaka": {"target": 1, "max": 2, "baseFeeUpdateFraction": 3}}}, "config.blobSchedule.osaka"),
        ({"londonBlock": "0x1"}, "config.londonBlock: a whole number belongs here, not '0x1'"),
        ({"chainId": 0}, "config.chainId: 0 is out of range"),
        ({"chainId": None}, "config.chainId: a whole number belongs here, not nothing"),
    ],
)
def test_a_configuration_that_cannot_be_had_is_one_line(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    assert words in refusal(written(tmp_path, config))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alloc": {"0x12": {}}}, "alloc.0x12: an address of 20 bytes in hex belongs here"),
        ({"alloc": {"11" * 20: {"balance": "much"}}}, "balance: a number in 0x hex"),
        ({"alloc": {"11" * 20: {"storage": {"zz": "0x1"}}}}, "storage: 32 bytes in hex belongs here, not 'zz'"),
        ({"alloc": {"11" * 20: {}, "0x" + "11" * 20: {}}}, "alloc: an account stands there twice"),
        ({"alloc": None}, "alloc: a JSON object belongs here, not nothing"),
        ({"mixHash": "0x12"}, "mixHash: 32 bytes in 0x hex belongs here"),
        ({"gasLimit": "0x" + "1" * 20}, "gasLimit: a number of at most 64 bits belongs here"),
    ],
)
def test_a_field_that_cannot_be_is_named(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    assert words in refusal(written(tmp_path, **fields))


def test_a_contract_without_which_no_block_can_be_made_is_asked_for(tmp_path: Path) -> None:
    address = "0x" + WITHDRAWAL_REQUESTS.address.hex()
    alloc = {name: account for name, account in ALLOC.items() if name != address}
    assert f"alloc: add the contract {address}, withdrawal requests (EIP-7002)" in refusal(
        written(tmp_path, alloc=alloc)
    )
    later = Settings(genesis=written(tmp_path, {"pragueTime": 2, "osakaTime": 2}, alloc=alloc))
    with pytest.raises(BadGenesisFile, match="alloc: add the contract"):
        data.create_or_open(tmp_path / "begun", later)
    data.create_or_open(tmp_path / "imported", later, imports=True)
    assert data.create_or_open(tmp_path / "imported", later).genesis, "blocks from elsewhere may deploy it"


def test_a_file_that_is_not_json_or_not_there_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    assert "cannot be read (No such file or directory)" in refusal(path)
    path.write_bytes(b"{")
    assert "is not JSON" in refusal(path)
    path.write_bytes(b"[]")
    assert "a JSON object belongs here" in refusal(path)
