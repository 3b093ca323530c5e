"""tandem_getBlockExecution and tandem_getTransactionExecution: the record in JSON, put together with its block."""

import contextlib
import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from chain.keccak import keccak256
from chain.records import AccessKind, AttemptResult, Dependency, LeftOutRecord
from chain.transactions import Transaction
from chain.types import Address, Gas
from rpc.block_execution import Failure, block_execution
from rpc.errors import InvalidParams
from rpc.executions import DEPENDENCIES, KINDS, RESULTS
from rpc.methods import METHODS, OWN_PREFIX
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.executions_world import ARTEFACT, append, block_record, lost, ran, transaction_record, waited
from tests.rpc.fake_chain import ALICE, BOB, KEYS, TOKEN, FakeChain, transfer

TRANSFER = keccak256(b"transfer(address,uint256)")[:4]


def call(nonce: int, key: bytes, data: bytes = TRANSFER, to: Address = TOKEN) -> Transaction:
    return replace(transfer(nonce, key, to), data=data).signed_with(key)


async def test_a_block_s_execution_tells_times_attempts_and_the_speed_up(client: Client, chain: FakeChain) -> None:
    first, second = call(0, KEYS[0]), call(0, KEYS[1])
    records = [transaction_record(first.hash, ran(thread_us=300)), transaction_record(second.hash, ran(thread_us=150))]
    number = await append(chain, (first, records[0]), (second, records[1]), execution_us=250, serial_from=1)
    told = await client.result("tandem_getBlockExecution", hex(number))
    transactions = told.pop("transactions")
    assert told == {
        "number": number,
        "hash": data_json(chain.head.hash),
        "strategy": "optimistic",
        "workers": 2,
        "executionUs": 250,
        "threadUs": 450,
        "serialUs": 450,
        "serialTime": "estimated",
        "speedup": 1.8,
        "criticalPathUs": None,
        "criticalPath": None,
        "attempts": 2,
        "conflicts": 0,
        "serialFrom": 1,
        "leftOut": 0,
    }
    assert transactions[1] == {
        "hash": data_json(second.hash),
        "position": 1,
        "transactionIndex": 1,
        "from": data_json(BOB),
        "to": data_json(TOKEN),
        "contract": None,
        "function": "transfer(address,uint256)",
        "gasUsed": 21_000,
        "leftOut": None,
        "failure": None,
        "attempts": [
            {
                "worker": "worker-0",
                "startUs": 0,
                "endUs": 150,
                "threadUs": 150,
                "result": "accepted",
                "conflict": None,
            }
        ],
        "waits": [],
    }


async def test_the_serial_time_is_the_measured_one_where_the_block_was_checked(
    client: Client, chain: FakeChain
) -> None:
    only = call(0, KEYS[0])
    await append(chain, (only, transaction_record(only.hash, ran(thread_us=300))), execution_us=100, serial_us=260)
    told = await client.result("tandem_getBlockExecution", "latest")
    assert (told["serialUs"], told["serialTime"], told["speedup"]) == (260, "measured", 2.6)


async def test_a_block_that_no_worker_took_part_in_was_serial_itself(client: Client, chain: FakeChain) -> None:
    only = call(0, KEYS[0])
    await append(chain, (only, transaction_record(only.hash, ran("", thread_us=70))), execution_us=100, serial_us=60)
    told = await client.result("tandem_getBlockExecution", "latest")
    assert (told["serialUs"], told["serialTime"], told["speedup"]) == (100, "measured", 1.0)


async def test_a_conflict_tells_the_key_what_was_read_and_found_and_who_wrote_it(
    client: Client, chain: FakeChain
) -> None:
    first, second = call(0, KEYS[0]), call(0, KEYS[1])
    runs = lost(0, slot=7, seen=5, found=6), ran("", 100)
    await append(chain, (first, transaction_record(first.hash)), (second, transaction_record(second.hash, *runs)))
    told = await client.result("tandem_getBlockExecution", "latest")
    assert (told["attempts"], told["conflicts"], told["threadUs"], told["serialUs"]) == (3, 1, 260, 200)
    attempts = told["transactions"][1]["attempts"]
    assert [attempt["worker"] for attempt in attempts] == ["worker-1", "execution"]
    assert attempts[0]["result"] == "conflict"
    assert attempts[0]["conflict"] == {
        "kind": "slot",
        "address": data_json(TOKEN),
        "contract": None,
        "slot": word_json(7),
        "variable": "slot 7",
        "read": "0x5",
        "found": "0x6",
        "variables": [],
        "writer": {"position": 0, "hash": data_json(first.hash)},
        "dependency": "real",
    }


async def test_a_registered_contract_has_its_names_in_what_is_told(client: Client, chain: FakeChain) -> None:
    layout = {
        "storage": [
            {"label": "low", "slot": "7", "offset": 0, "type": "t_uint64"},
            {"label": "high", "slot": "7", "offset": 8, "type": "t_uint64"},
        ],
        "types": {"t_uint64": {"encoding": "inplace", "label": "uint64", "numberOfBytes": "8"}},
    }
    await client.result("tandem_registerContract", data_json(TOKEN), {"name": "Pool", "storageLayout": layout})
    only = call(0, KEYS[0])
    runs = lost(-1, slot=7, seen=1, found=1 + 2**64), ran("")
    await append(chain, (only, transaction_record(only.hash, *runs, waits=[waited(-1, slot=7)])))
    told = await client.result("tandem_getTransactionExecution", data_json(only.hash))
    assert told["contract"] == "Pool"
    assert told["attempts"][0]["conflict"]["variable"] == "Pool.high"
    assert told["attempts"][0]["conflict"]["variables"] == [{"variable": "Pool.high", "read": "0x0", "found": "0x1"}]
    assert told["waits"][0]["variable"] == "Pool.low, Pool.high"


async def test_a_conflict_over_an_account_has_no_slot_and_may_have_no_writer(client: Client, chain: FakeChain) -> None:
    only = call(0, KEYS[0])
    runs = lost(-1, kind=AccessKind.BALANCE_AT_LEAST, address=ALICE, dependency=ARTEFACT), ran("")
    await append(chain, (only, transaction_record(only.hash, *runs)))
    told = await client.result("tandem_getTransactionExecution", data_json(only.hash))
    conflict = told["attempts"][0]["conflict"]
    assert (conflict["kind"], conflict["slot"], conflict["writer"]) == ("balanceAtLeast", None, None)
    assert (conflict["address"], conflict["dependency"]) == (data_json(ALICE), "artefact")


async def test_a_wait_tells_for_whom_how_long_and_over_what(client: Client, chain: FakeChain) -> None:
    first, second = call(0, KEYS[0]), call(0, KEYS[1])
    waits = [waited(0, kind=AccessKind.ACCOUNT, waited_us=40, dependency=ARTEFACT)]
    await append(chain, (first, transaction_record(first.hash)), (second, transaction_record(second.hash, waits=waits)))
    told = await client.result("tandem_getTransactionExecution", data_json(second.hash))
    assert told["waits"] == [
        {
            "kind": "account",
            "address": data_json(TOKEN),
            "contract": None,
            "slot": None,
            "variable": None,
            "for": {"position": 0, "hash": data_json(first.hash)},
            "waitedUs": 40,
            "dependency": "artefact",
        }
    ]
    assert (told["blockNumber"], told["blockHash"]) == (chain.head.header.number, data_json(chain.head.hash))
    assert told["strategy"] == "optimistic"


async def test_one_left_out_has_a_position_and_no_index_and_those_after_it_keep_theirs(
    client: Client, chain: FakeChain
) -> None:
    gone, kept = call(7, KEYS[0]), call(0, KEYS[1])
    left_out = LeftOutRecord("nonce too high", retry=True, sender=ALICE, to=TOKEN, selector=TRANSFER)
    tried = ran("")._replace(result=AttemptResult.NOT_INCLUDABLE)
    await append(
        chain,
        (gone, transaction_record(gone.hash, tried, left_out=left_out)),
        (kept, transaction_record(kept.hash)),
    )
    told = await client.result("tandem_getBlockExecution", "latest")
    assert told["leftOut"] == 1
    first, second = told["transactions"]
    assert (first["position"], first["transactionIndex"], first["leftOut"]) == (0, None, "nonce too high")
    assert (first["from"], first["to"], first["gasUsed"]) == (data_json(ALICE), data_json(TOKEN), 0)
    assert first["attempts"][0]["result"] == "notIncludable"
    assert (second["position"], second["transactionIndex"], second["from"]) == (1, 0, data_json(BOB))
    alone = await client.result("tandem_getTransactionExecution", data_json(gone.hash))
    assert alone == {"blockNumber": told["number"], "blockHash": told["hash"], "strategy": told["strategy"], **first}


@pytest.mark.parametrize(
    ("gas", "succeeded", "failure"),
    [(50_000, False, Failure.REVERTED), (21_000, False, Failure.ALL_GAS_USED), (21_000, True, None)],
)
def test_a_transaction_that_failed_tells_whether_it_used_all_its_gas(
    chain: FakeChain, gas: int, succeeded: bool, failure: Failure | None
) -> None:
    sent = replace(call(0, KEYS[0]), gas=Gas(gas)).signed_with(KEYS[0])
    block = chain.append(sent)
    receipts = (replace(block.receipts[0], succeeded=succeeded),)
    told = block_execution(replace(block, receipts=receipts), block_record(transaction_record(sent.hash)))
    assert [each.failure for each in told.transactions] == [failure]


async def test_one_left_out_that_a_later_block_takes_in_is_told_of_there(client: Client, chain: FakeChain) -> None:
    late = call(1, KEYS[0])
    left_out = LeftOutRecord("nonce too high", retry=True, sender=ALICE, to=TOKEN, selector=TRANSFER)
    await append(chain, (late, transaction_record(late.hash, left_out=left_out)))
    number = await append(chain, (late, transaction_record(late.hash)))
    told = await client.result("tandem_getTransactionExecution", data_json(late.hash))
    assert (told["blockNumber"], told["leftOut"], told["transactionIndex"]) == (number, None, 0)


async def test_the_record_of_a_block_that_took_its_place_is_not_told_as_its_own(
    client: Client, chain: FakeChain
) -> None:
    one, other = call(0, KEYS[0]), call(0, KEYS[1])
    number = await append(chain, (one, transaction_record(one.hash)))
    chain.records[number] = block_record(transaction_record(other.hash))
    assert await client.result("tandem_getBlockExecution", data_json(chain.head.hash)) is None
    assert await client.result("tandem_getTransactionExecution", data_json(one.hash)) is None


async def test_a_block_in_which_nothing_ran_has_no_speed_up(client: Client, chain: FakeChain) -> None:
    await append(chain)
    told = await client.result("tandem_getBlockExecution", data_json(chain.head.hash))
    assert (told["speedup"], told["transactions"], told["serialUs"]) == (None, [], 100)


async def test_what_does_not_exist_is_null_and_so_is_genesis(client: Client) -> None:
    assert await client.result("tandem_getBlockExecution", "0x63") is None
    assert await client.result("tandem_getBlockExecution", "0x" + "11" * 32) is None
    assert await client.result("tandem_getBlockExecution", "earliest") is None
    assert await client.result("tandem_getTransactionExecution", "0x" + "11" * 32) is None


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("tandem_getBlockExecution", [5], "a block is a tag such as latest, a number in hex such as 0x1f, or a hash"),
        ("tandem_getBlockExecution", [{"blockHash": "0x12"}], "a hash is 0x and 64 hex digits"),
        ("tandem_getBlockExecution", [{"blockHash": 12}], "a hash is 0x and 64 hex digits"),
        ("tandem_getTransactionExecution", ["0x12"], "a hash is 0x and 64 hex digits"),
        ("tandem_getTransactionExecution", [12], "a hash is 0x and 64 hex digits"),
        ("tandem_getTransactionExecution", ["0x" + "zz" * 32], "a hash is 0x and 64 hex digits"),
        ("tandem_getContract", ["0x123"], "an address is 0x and 40 hex digits"),
        ("tandem_registerContract", [None, []], "give an object with what the compiler says: name, abi, storageLayout"),
    ],
)
async def test_bad_arguments_are_told_in_plain_words(
    client: Client, method: str, params: list[Any], words: str
) -> None:
    code, told = await client.error(method, *params)
    assert code == -32602
    position = len(params) - 1
    assert told.startswith(f"invalid argument {position}: {words}")


OWN_METHODS = [name for name in METHODS if name.startswith(OWN_PREFIX)]
WRONG_VALUES: list[Any] = [[], [7], [["x"]], {}, {"blockHash": 1}, 1.5, "", "0x", "0xzz", "0x123", True, -1, None]


@pytest.mark.parametrize("method", OWN_METHODS)
def test_no_method_of_tandem_s_own_speaks_of_go(method: str) -> None:
    words = []
    for arguments in product(WRONG_VALUES, repeat=len(METHODS[method].arguments)):
        with contextlib.suppress(InvalidParams):
            METHODS[method].parse(list(arguments))
            continue
        with pytest.raises(InvalidParams) as caught:
            METHODS[method].parse(list(arguments))
        words.append(caught.value.message)
    assert not [told for told in words if re.search(r"json:|Go |common\.|hexutil|int64", told)]


def test_every_kind_result_and_dependency_has_a_name() -> None:
    assert set(KINDS) == set(AccessKind)
    assert set(RESULTS) == set(AttemptResult)
    assert set(DEPENDENCIES) == set(Dependency)
