"""The block access list of EIP-7928: a block made by hand, and random ones against how the state changed."""

from typing import Any

import pytest

from chain import rlp
from chain.accounts import EMPTY_ACCOUNT
from chain.keccak import keccak256
from chain.messages.traces import BlockTrace
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY_STORAGE,
    HISTORY_WINDOW_BLOCKS,
    WITHDRAWAL_REQUESTS,
)
from chain.transactions import Transaction
from chain.types import Address, Gas, Wei
from execution.reader import created_address
from rpc.block_access_list import block_access_list, encode_access_list
from rpc.render import data_json, word_json
from tests.execution.test_block_trace import traced
from tests.execution.test_equivalence import COUNTER, EMPTY, TOKEN, Generator, balance_slot, call, world_genesis
from tests.execution.world import ADDRESSES, BENEFICIARY, ETHER, GWEI, KEYS, Chain, transaction
from tests.rpc.json_schema import problems

QUANTITY = r"^0x(0|[1-9a-f][0-9a-f]{0,63})$"
INDEX = {"type": "string", "pattern": r"^0x(0|[1-9a-f][0-9a-f]{0,7})$"}
WORD = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}


def _changes(name: str, value: dict[str, Any]) -> dict[str, Any]:
    each = {"index": INDEX, name: value}
    item = {"type": "object", "required": list(each), "additionalProperties": False, "properties": each}
    return {"type": "array", "items": item}


SLOT_CHANGES = {"key": WORD, "changes": _changes("value", WORD)}
ACCOUNT = {
    "address": {"type": "string", "pattern": "^0x[0-9a-f]{40}$"},
    "storageChanges": {
        "type": "array",
        "items": {
            "type": "object",
            "required": list(SLOT_CHANGES),
            "additionalProperties": False,
            "properties": SLOT_CHANGES,
        },
    },
    "storageReads": {"type": "array", "items": WORD},
    "balanceChanges": _changes("value", {"type": "string", "pattern": QUANTITY}),
    "nonceChanges": _changes("value", {"type": "string", "pattern": r"^0x(0|[1-9a-f][0-9a-f]{0,15})$"}),
    "codeChanges": _changes("code", {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}),
}
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": list(ACCOUNT),
        "additionalProperties": False,
        "properties": ACCOUNT,
    },
}
"""What ethereum/execution-apis says of eth_getBlockAccessList, with every member required."""


def by_address(listed: list[dict[str, Any]]) -> dict[Address, dict[str, Any]]:
    return {Address(bytes.fromhex(entry["address"][2:])): entry for entry in listed}


def nothing_but(address: Address, **members: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"storageChanges": [], "storageReads": [], "balanceChanges": [], "nonceChanges": []}
    return {"address": data_json(address), **empty, "codeChanges": [], **members}


LOOK = b"\x73" + EMPTY[1] + bytes.fromhex("31505f545f5500")
"""BALANCE, POP; storage[0] = storage[0]."""


def sent_by_hand(reader: Address) -> list[Transaction]:
    """A transfer, a token transfer that reverts, a creation of LOOK at `reader`, a call to it, two increments."""
    init = (
        bytes([0x5F + len(LOOK)]) + LOOK + bytes.fromhex("5f52") + bytes([0x60, len(LOOK), 0x60, 32 - len(LOOK), 0xF3])
    )
    return [
        transaction(KEYS[0], 0, to=EMPTY[0], value=Wei(7)),
        transaction(KEYS[1], 0, to=TOKEN, data=call("transfer(address,uint256)", EMPTY[0], 10**30), gas=Gas(100_000)),
        transaction(KEYS[2], 0, to=None, data=init, gas=Gas(200_000)),
        transaction(KEYS[0], 1, to=reader, gas=Gas(100_000)),
        transaction(KEYS[0], 2, to=COUNTER, data=call("increment()"), gas=Gas(100_000)),
        transaction(KEYS[0], 3, to=COUNTER, data=call("increment()"), gas=Gas(100_000)),
    ]


async def test_a_block_by_hand() -> None:
    reader = created_address(ADDRESSES[2], 0)
    chain = Chain(world_genesis())
    block = await chain.run(sent_by_hand(reader))
    receipts = block.apply.receipts
    assert [receipt.succeeded for receipt in receipts] == [True, False, True, True, True, True]
    listed = by_address(block_access_list(await traced(chain)))
    paid = [21_000 * receipts[0].gas_price + 7]
    for receipt in receipts[3:]:
        paid.append(paid[-1] + receipt.gas_used * receipt.gas_price)
    start = 1000 * ETHER
    assert listed[ADDRESSES[0]] == nothing_but(
        ADDRESSES[0],
        balanceChanges=[
            {"index": index, "value": hex(start - total)}
            for index, total in zip(("0x1", "0x4", "0x5", "0x6"), paid, strict=True)
        ],
        nonceChanges=[
            {"index": i, "value": v} for i, v in (("0x1", "0x1"), ("0x4", "0x2"), ("0x5", "0x3"), ("0x6", "0x4"))
        ],
    )
    assert listed[EMPTY[0]] == nothing_but(EMPTY[0], balanceChanges=[{"index": "0x1", "value": "0x7"}])
    assert listed[TOKEN] == nothing_but(TOKEN, storageReads=[word_json(balance_slot(ADDRESSES[1]))])
    assert listed[reader] == nothing_but(
        reader,
        storageReads=[word_json(0)],
        nonceChanges=[{"index": "0x3", "value": "0x1"}],
        codeChanges=[{"index": "0x3", "code": data_json(LOOK)}],
    )
    assert listed[EMPTY[1]] == nothing_but(EMPTY[1])
    increments = [{"index": "0x5", "value": word_json(1)}, {"index": "0x6", "value": word_json(2)}]
    assert listed[COUNTER] == nothing_but(COUNTER, storageChanges=[{"key": word_json(0), "changes": increments}])
    fees = [receipt.gas_used * GWEI for receipt in receipts]
    assert listed[BENEFICIARY] == nothing_but(
        BENEFICIARY,
        balanceChanges=[{"index": hex(n), "value": hex(sum(fees[:n]))} for n in range(1, 7)],
    )
    parent = word_json(int.from_bytes(chain.storage.hashes[0], "big"))
    assert listed[HISTORY_STORAGE.address] == nothing_but(
        HISTORY_STORAGE.address,
        storageChanges=[{"key": word_json(0), "changes": [{"index": "0x0", "value": parent}]}],
    )
    for queue in (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS):
        assert listed[queue.address] == nothing_but(queue.address, storageReads=[word_json(n) for n in range(4)])
    assert set(listed) == {
        *ADDRESSES[:3], EMPTY[0], EMPTY[1], TOKEN, reader, COUNTER, BENEFICIARY, HISTORY_STORAGE.address,
        BEACON_ROOTS.address, WITHDRAWAL_REQUESTS.address, CONSOLIDATION_REQUESTS.address,
    }  # fmt: skip


async def test_a_contract_that_destroys_itself_where_it_is_created_leaves_only_what_it_looked_at() -> None:
    """It reads slot 5, writes slot 6, and sends its balance, which is nothing, to an account that is not there."""
    init = bytes.fromhex("60055450600160065573") + EMPTY[2] + b"\xff"
    chain = Chain(world_genesis())
    block = await chain.run([transaction(KEYS[0], 0, to=None, data=init, gas=Gas(200_000))])
    assert block.apply.receipts[0].succeeded
    listed = by_address(block_access_list(await traced(chain)))
    created = created_address(ADDRESSES[0], 0)
    assert listed[created] == nothing_but(created, storageReads=[word_json(5), word_json(6)])
    assert listed[EMPTY[2]] == nothing_but(EMPTY[2])


async def test_without_transactions_there_is_only_what_the_system_calls_did() -> None:
    chain = Chain(world_genesis())
    await chain.run([])
    listed = by_address(block_access_list(await traced(chain)))
    assert BENEFICIARY not in listed
    number = word_json(chain.storage.head.number - 1 % HISTORY_WINDOW_BLOCKS)
    assert [each["key"] for each in listed[HISTORY_STORAGE.address]["storageChanges"]] == [number]


@pytest.mark.parametrize("seed", range(3))
async def test_the_last_changes_in_the_list_are_how_the_state_changed(seed: int) -> None:
    chain, generator = Chain(world_genesis()), Generator(seed)
    for _ in range(3):
        await chain.run(generator.block(25))
        trace = await traced(chain)
        check(block_access_list(trace), chain, trace, f"seed {seed}")


def check(listed: list[dict[str, Any]], chain: Chain, trace: BlockTrace, where: str) -> None:
    assert not problems(listed, SCHEMA), where
    version = chain.storage.head.version
    (old_accounts, old_slots), (accounts, slots) = chain.storage.versions[version - 1], chain.storage.versions[version]
    by = by_address(listed)
    assert list(by) == sorted(by), where
    for address in accounts.keys() | old_accounts.keys():
        old, new = old_accounts.get(address, EMPTY_ACCOUNT), accounts.get(address, EMPTY_ACCOUNT)
        entry = by.get(address, nothing_but(address))
        last_balance = [int(each["value"], 16) for each in entry["balanceChanges"]][-1:]
        last_nonce = [int(each["value"], 16) for each in entry["nonceChanges"]][-1:]
        last_code = [keccak256(bytes.fromhex(each["code"][2:])) for each in entry["codeChanges"]][-1:]
        assert (last_balance or [old.balance]) == [new.balance], where
        assert (last_nonce or [old.nonce]) == [new.nonce], where
        assert (last_code or [old.code_hash]) == [new.code_hash], where
    told = {
        (address, int(each["key"], 16)): int(each["changes"][-1]["value"], 16)
        for address, entry in by.items()
        for each in entry["storageChanges"]
    }
    assert {key: value for key, value in (old_slots | told).items() if value} == slots, where
    for entry in listed:
        reads, changed = entry["storageReads"], [each["key"] for each in entry["storageChanges"]]
        assert reads == sorted(reads), where
        assert changed == sorted(changed), where
        assert not set(reads) & set(changed), where
        every = [entry[n] for n in ("balanceChanges", "nonceChanges", "codeChanges")]
        for changes in [*every, *(each["changes"] for each in entry["storageChanges"])]:
            indices = [int(each["index"], 16) for each in changes]
            assert indices == sorted(set(indices)), where
            assert not indices or indices[-1] <= len(trace.transactions) + 1, where


def test_the_raw_list_has_every_member_in_its_place() -> None:
    listed = [
        {
            "address": "0x" + "aa" * 20,
            "storageChanges": [{"key": word_json(1), "changes": [{"index": "0x1", "value": word_json(0x1234)}]}],
            "storageReads": [word_json(0)],
            "balanceChanges": [{"index": "0x2", "value": "0x0"}],
            "nonceChanges": [{"index": "0x1", "value": "0x7"}],
            "codeChanges": [{"index": "0x1", "code": "0x00"}],
        }
    ]
    expected = [
        b"\xaa" * 20,
        [[b"\x01", [[b"\x01", b"\x12\x34"]]]],
        [b""],
        [[b"\x02", b""]],
        [[b"\x01", b"\x07"]],
        [[b"\x01", b"\x00"]],
    ]
    assert rlp.decode(encode_access_list(listed)) == [expected]
    assert encode_access_list([]) == b"\xc0"
