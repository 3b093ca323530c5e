"""tandem_getBlockExecution and tandem_getTransactionExecution: the record in JSON, put together with its block."""

from dataclasses import replace

from chain.keccak import keccak256
from chain.records import AccessKind, AttemptResult, Dependency, LeftOutRecord
from chain.transactions import Transaction
from chain.types import Address
from rpc.executions import DEPENDENCIES, KINDS, RESULTS
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.executions_world import ARTEFACT, append, lost, ran, transaction_record, waited
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
    assert await client.result("tandem_getTransactionExecution", data_json(gone.hash)) is None


async def test_a_block_in_which_nothing_ran_has_no_speed_up(client: Client, chain: FakeChain) -> None:
    await append(chain)
    told = await client.result("tandem_getBlockExecution", data_json(chain.head.hash))
    assert (told["speedup"], told["transactions"], told["serialUs"]) == (None, [], 100)


async def test_what_does_not_exist_is_null_and_so_is_genesis(client: Client) -> None:
    assert await client.result("tandem_getBlockExecution", "0x63") is None
    assert await client.result("tandem_getBlockExecution", "0x" + "11" * 32) is None
    assert await client.result("tandem_getBlockExecution", "earliest") is None
    assert await client.result("tandem_getTransactionExecution", "0x" + "11" * 32) is None


async def test_bad_arguments_are_told_in_geth_s_words(client: Client) -> None:
    code, words = await client.error("tandem_getBlockExecution", 5)
    assert (code, words.startswith("invalid argument 0:")) == (-32602, True)
    code, words = await client.error("tandem_getTransactionExecution", "0x12")
    assert (code, words) == (-32602, "invalid argument 0: hex string has length 2, want 64 for common.Hash")


def test_every_kind_result_and_dependency_has_a_name() -> None:
    assert set(KINDS) == set(AccessKind)
    assert set(RESULTS) == set(AttemptResult)
    assert set(DEPENDENCIES) == set(Dependency)
