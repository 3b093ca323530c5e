"""States of anvil become states of ours. `anvil/dump-1.7.1.hex` is what anvil 1.7.1 answered to anvil_dumpState after a
token was deployed and minted five times, a transfer, and anvil_setBalance."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.forks import Fork
from chain.system_contracts import system_accounts
from chain.types import Address, Version
from node.anvil_state import BadAnvilState, read_anvil_state, read_state_above
from node.loaded_state import take_in
from node.settings import DEFAULT_GAS_LIMIT, Settings
from storage.loading import Loading
from storage.memory import MemoryKeyValue
from storage.roots import state_root
from storage.state import ABSENT
from storage.store import Store
from tests.storage.world import genesis_of

DUMP = Path(__file__).parent / "anvil" / "dump-1.7.1.hex"
TOKEN = Address(bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"))
RICH = Address(b"\x55" * 20)
TOTAL_SUPPLY = 2


def content() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(bytes.fromhex(DUMP.read_text()[2:])))
    return found


def written(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The state as `anvil --dump-state` writes it, changed."""
    state = content()
    change(state)
    path = folder / "anvil.json"
    path.write_text(json.dumps(state))
    return path


def loaded(file: Path, into: Path) -> Store:
    state = take_in(file, into, Settings())
    genesis = replace(genesis_of(), header=state.head.header, accounts=(), state=state.checksum)
    return Store.open(MemoryKeyValue(), genesis, loading=Loading(into, lambda accounts: None))


def test_the_answer_of_anvil_dump_state_is_read(tmp_path: Path) -> None:
    store, given = loaded(DUMP, tmp_path / "state"), content()
    for text, record in given["accounts"].items():
        address = Address(bytes.fromhex(text[2:]))
        account = store.state.account(address, Version(1)).account
        assert (account.nonce, account.balance) == (record["nonce"], int(record["balance"], 16))
        assert store.state.code(account.code_hash).hex() == record["code"][2:]
        slots = {int(slot, 16): int(value, 16) for slot, value in record["storage"].items()}
        assert dict(store.state.slots(address, Version(1), None)) == slots
    assert store.state.account(RICH, Version(1)).account.balance == 10**30
    assert store.state.slot(TOKEN, TOTAL_SUPPLY, Version(1)) == 1001 + 1002 + 1003 + 1004 + 1005
    header, block = store.head.header, given["block"]
    assert (header.number, header.timestamp) == (7, int(block["timestamp"], 16))
    assert (header.gas_limit, header.base_fee) == (block["gas_limit"], block["basefee"])
    assert header.prev_randao.hex() == block["prevrandao"][2:]


def test_the_newest_header_and_those_before_it_are_anvil_s(tmp_path: Path) -> None:
    store, blocks = (
        loaded(DUMP, tmp_path / "state"),
        {block["header"]["number"]: block["header"] for block in content()["blocks"]},
    )
    newest = store.head.header
    theirs = blocks[hex(newest.number)]
    assert "0x" + newest.parent_hash.hex() == theirs["parentHash"]
    assert "0x" + newest.transactions_root.hex() == theirs["transactionsRoot"]
    assert (hex(newest.gas_used), "0x" + newest.state_root.hex() == theirs["stateRoot"]) == (theirs["gasUsed"], False)
    for number in range(1, newest.number):
        stored = store.blocks.header(number - 1)
        assert stored is not None
        assert "0x" + stored.hash.hex() == blocks[hex(number)]["parentHash"], "what BLOCKHASH gives"


@pytest.mark.parametrize("wrong", ["gasUsed", "parentHash", "requestsHash"])
def test_headers_that_are_none_or_follow_no_other_are_left_out(tmp_path: Path, wrong: str) -> None:
    def change(state: dict[str, Any]) -> None:
        for block in state["blocks"]:
            block["header"][wrong] = "0x" + "11" * 32 if wrong == "parentHash" else None

    state = read_anvil_state(written(tmp_path, change), Settings())
    assert (state.head.header.number, state.earlier) == (7, ())


@pytest.mark.parametrize("form", ["plain", "gzip", "quoted", "folder"])
def test_every_form_gives_the_same_state(tmp_path: Path, form: str) -> None:
    plain = json.dumps(content()).encode()
    data = {
        "plain": plain,
        "gzip": gzip.compress(plain),
        "quoted": b'"' + DUMP.read_bytes().strip() + b'"\n',
        "folder": plain,
    }
    file = tmp_path / "state.json"
    file.write_bytes(data[form])
    named = tmp_path if form == "folder" else file
    expected = take_in(DUMP, tmp_path / "expected", Settings())
    assert take_in(named, tmp_path / "state", Settings()).checksum == expected.checksum
    assert expected.left == "8 blocks, 7 transactions"


def test_older_versions_name_and_write_some_things_otherwise(tmp_path: Path) -> None:
    def older(state: dict[str, Any]) -> None:
        block = state["block"]
        state["block"] = {
            "number": int(block["number"], 16),
            "coinbase": "0x" + "77" * 20,
            "timestamp": int(block["timestamp"], 16),
            "gas_limit": "0xffffffffffffffff",
            "basefee": hex(block["basefee"]),
        }
        state["best_block_number"] = "0x7"
        del state["blocks"], state["transactions"], state["historical_states"]

    state = read_anvil_state(written(tmp_path, older), Settings())
    header = state.head.header
    assert (header.number, header.beneficiary, header.gas_limit) == (7, b"\x77" * 20, DEFAULT_GAS_LIMIT)
    assert header.base_fee == content()["block"]["basefee"]
    assert state.left == ""


def test_a_state_without_a_block_begins_at_0(tmp_path: Path) -> None:
    def bare(state: dict[str, Any]) -> None:
        state["block"] = state["best_block_number"] = None

    header = read_anvil_state(written(tmp_path, bare), Settings()).head.header
    assert (header.number, header.gas_limit) == (0, DEFAULT_GAS_LIMIT)


def test_an_account_that_has_nothing_but_slots_is_taken(tmp_path: Path) -> None:
    alone, gone = Address(b"\x71" * 20), Address(b"\x72" * 20)
    slots = {hex(5): hex(66), hex(6): hex(0)}

    def add(state: dict[str, Any]) -> None:
        empty = {"nonce": 0, "balance": "0x0", "code": "0x"}
        state["accounts"]["0x" + alone.hex()] = empty | {"storage": slots}
        state["accounts"]["0x" + gone.hex()] = empty | {"storage": {"0x6": "0x0"}}

    file = written(tmp_path, add)
    store = loaded(file, tmp_path / "state")
    assert dict(store.state.slots(alone, Version(1), None)) == {5: 66}
    assert store.state.account(gone, Version(1)) == ABSENT
    above = {change.address: change for change in read_state_above(file).accounts}
    assert (above[alone].account.is_empty, above[alone].slots) == (False, {5: 66, 6: 0})
    assert above[gone].account.is_empty


def test_the_contracts_of_the_protocol_are_added_where_they_lack(tmp_path: Path) -> None:
    accounts = {change.address: change for change in read_anvil_state(DUMP, Settings()).accounts}
    for expected in system_accounts(Fork.OSAKA):
        assert accounts[expected.address].code == expected.code
    history = Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"))
    assert len(accounts[history].slots) == 7


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"[1]", "it has no accounts"),
        (b'{"accounts": []}', "it has no accounts"),
        (b'{"accounts": {}, "block": {"number": "0x0"}, "transactions": 1}', "its transactions are no list"),
        (b"0x1f8b00", "Error|EOF|ended|Compressed|Unknown"),
        (b"0x1f8", "non-hexadecimal"),
        (
            b'{"accounts": {"0x12": {"nonce": 0, "balance": "0x0", "code": "0x", "storage": {}}}}',
            '"0x12" is no address',
        ),
        (b'{"accounts": {"0x%s": {"nonce": 0}}}' % (b"11" * 20), "has no code"),
        (
            b'{"accounts": {"0x%s": {"nonce": -1, "balance": "0x0", "code": "0x", "storage": {}}}}' % (b"11" * 20),
            "-1 is no number",
        ),
        (b"\x00\x01\x02", "utf-8|Expecting value"),
    ],
)
def test_what_is_no_state_is_refused_in_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(data)
    with pytest.raises(BadAnvilState, match=reason) as refusal:
        read_anvil_state(path, Settings())
    with pytest.raises(BadAnvilState, match=reason):
        read_state_above(path)
    assert f"{path} is no state that tandem dump or anvil wrote" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_before_what_was_set_after_the_block_the_root_is_the_one_that_anvil_computed() -> None:
    accounts = [account for account in read_anvil_state(DUMP, Settings()).accounts if account.address != RICH]
    given = {Address(bytes.fromhex(text[2:])) for text in content()["accounts"]}
    root = state_root((c.address, c.account, c.slots) for c in accounts if c.address in given)
    [newest] = [block["header"] for block in content()["blocks"] if block["header"]["number"] == "0x7"]
    assert root.hex() == newest["stateRoot"][2:]


def test_the_root_is_that_of_all_accounts(tmp_path: Path) -> None:
    state = read_anvil_state(DUMP, Settings())
    assert state.head.root == state.head.header.state_root
    assert loaded(DUMP, tmp_path / "state").head.header.state_root == state.head.root
