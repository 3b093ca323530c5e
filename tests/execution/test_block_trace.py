"""Traces of stored blocks: run again on the state before them, and telling what every transaction did with it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chain.accounts import EMPTY_ACCOUNT
from chain.block_case import CaseTransaction, ExpectedBlock
from chain.codec import decode_message, encode_message
from chain.fork_schedule import only
from chain.forks import Fork
from chain.keccak import keccak256
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.calls import CallOutcomes
from chain.messages.execution import BlockEnvironment
from chain.messages.storage import BlockApplied
from chain.messages.traces import Access, BlockTrace, TraceBlock, TraceFailed, TransactionTrace
from chain.records import AccessKind
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, Gas, Version, Wei
from execution.block_trace import preimages_of, trace_block
from execution.call_worker import CallWorkerProcess
from execution.evm.tracing import TracingEngine
from tests.contracts import artifact
from tests.execution.memory_storage import BlockingStorage
from tests.execution.test_equivalence import COUNTER, EMPTY, LOOP, TOKEN, Generator, balance_slot, call, world_genesis
from tests.execution.test_workers import PoolLink, balance_of
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ENGINE, ETHER, GWEI, KEYS, Chain, transaction, until

TRACERS = {evm: TracingEngine(Fork.PRAGUE, evm) for evm in ("compiled", "interpreter")}


def task_for(chain: Chain, **fields: Any) -> TraceBlock:
    """The trace of the chain's newest block."""
    head, block = chain.storage.head, chain.storage.blocks[chain.storage.head.number][1]
    given: dict[str, Any] = {
        "trace_id": 7,
        "base": Version(head.version - 1),
        "environment": environment_at(head),
        "parent_hash": head.header.parent_hash,
        "parent_beacon_root": ZERO_HASH,
        "transactions": tuple(map(CaseTransaction, block.transactions, block.senders)),
        "expected": ExpectedBlock(head.header.gas_used, head.header.receipts_root, head.header.logs_bloom),
        "time_limit_ms": 60_000,
    }
    return TraceBlock(**(given | fields))


def environment_at(head: BlockApplied) -> BlockEnvironment:
    return BlockEnvironment.of(head.header, CHAIN_ID, only(Fork.PRAGUE))


async def traced(chain: Chain, evm: str = "compiled", **fields: Any) -> BlockTrace:
    """The trace of the newest block, as it crosses the border."""
    answer = await trace_block(task_for(chain, **fields), TRACERS[evm], BlockingStorage(chain.storage))
    assert isinstance(answer, BlockTrace), answer
    found = decode_message(encode_message(answer))
    assert isinstance(found, BlockTrace)
    return found


async def after(*transactions: Transaction) -> tuple[Chain, BlockTrace]:
    chain = Chain(world_genesis())
    block = await chain.run(transactions)
    assert block.included == tuple(tx.hash for tx in transactions)
    return chain, await traced(chain)


def differences(chain: Chain) -> dict[tuple[AccessKind, Address, int], int]:
    """Every key that the newest block changed, with its value after it, by storage's copies of the state."""
    version = chain.storage.head.version
    (old_accounts, old_slots), (accounts, slots) = chain.storage.versions[version - 1], chain.storage.versions[version]
    found: dict[tuple[AccessKind, Address, int], int] = {}
    for address in old_accounts.keys() | accounts.keys():
        old, new = old_accounts.get(address, EMPTY_ACCOUNT), accounts.get(address, EMPTY_ACCOUNT)
        if old.nonce != new.nonce:
            found[AccessKind.NONCE, address, 0] = new.nonce
        if old.balance != new.balance:
            found[AccessKind.BALANCE, address, 0] = new.balance
        if old.code_hash != new.code_hash:
            found[AccessKind.CODE, address, 0] = int.from_bytes(new.code_hash, "big")
    for key in old_slots.keys() | slots.keys():
        if old_slots.get(key, 0) != slots.get(key, 0):
            found[AccessKind.SLOT, *key] = slots.get(key, 0)
    return found


def all_traces(trace: BlockTrace) -> list[TransactionTrace]:
    return [trace.start, *trace.transactions, trace.end]


def written(trace: BlockTrace, chain: Chain) -> dict[tuple[AccessKind, Address, int], int]:
    """The last value written to each key, without what ended as it began."""
    last = {(w.kind, w.address, w.slot): w.value for one in all_traces(trace) for w in one.writes}
    return {key: value for key, value in last.items() if value_before(chain, *key) != value}


def value_before(chain: Chain, kind: AccessKind, address: Address, slot: int) -> int:
    """What a key held before the newest block."""
    accounts, slots = chain.storage.versions[chain.storage.head.version - 1]
    account = accounts.get(address, EMPTY_ACCOUNT)
    if kind == AccessKind.SLOT:
        return slots.get((address, slot), 0)
    if kind == AccessKind.CODE:
        return int.from_bytes(account.code_hash, "big")
    return account.nonce if kind == AccessKind.NONCE else account.balance


@pytest.mark.parametrize("seed", range(4))
async def test_what_a_trace_says_was_written_is_how_the_state_changed(seed: int) -> None:
    chain, generator = Chain(world_genesis()), Generator(seed)
    for number in range(3):
        block = await chain.run(generator.block(30))
        trace = await traced(chain)
        assert written(trace, chain) == differences(chain), f"seed {seed}, block {number + 1}"
        assert [tx.gas_used for tx in trace.transactions] == [r.gas_used for r in block.apply.receipts], f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
async def test_each_transaction_reads_what_the_ones_before_it_wrote(seed: int) -> None:
    chain, generator = Chain(world_genesis()), Generator(seed)
    await chain.run(generator.block(10))
    await chain.run(generator.block(40))
    trace = await traced(chain)
    accounts, slots = chain.storage.versions[chain.storage.head.version - 1]
    state = {(AccessKind.BALANCE, a, 0): int(account.balance) for a, account in accounts.items()}
    state |= {(AccessKind.NONCE, a, 0): account.nonce for a, account in accounts.items()}
    state |= {(AccessKind.SLOT, *key): value for key, value in slots.items()}
    for one in all_traces(trace):
        for read in one.reads:
            if read.kind in (AccessKind.BALANCE, AccessKind.NONCE, AccessKind.SLOT):
                assert read.value == state.get((read.kind, read.address, read.slot), 0), f"seed {seed}: {read}"
        state |= {(write.kind, write.address, write.slot): write.value for write in one.writes}


async def test_both_ways_of_running_bytecode_give_the_same_trace() -> None:
    chain, generator = Chain(world_genesis()), Generator(3)
    await chain.run(generator.block(40))
    ways = [await traced(chain, evm) for evm in ("compiled", "compiled", "interpreter")]
    timeless = [[replace(one, thread_us=0) for one in all_traces(trace)] for trace in ways]
    assert timeless[0] == timeless[1] == timeless[2]
    assert all(one.thread_us > 0 for one in ways[0].transactions)


async def test_preimages_of_the_slots_of_mappings_are_told_and_no_others() -> None:
    transfer = transaction(
        KEYS[0], 0, to=TOKEN, data=call("transfer(address,uint256)", ADDRESSES[1], 5), gas=Gas(100_000)
    )
    loop = transaction(KEYS[2], 0, to=LOOP, data=call("run(uint256)", 30), gas=Gas(100_000))
    _, trace = await after(transfer, loop)
    token, hashing = trace.transactions
    keys = [who.rjust(32, b"\0") + bytes(32) for who in (ADDRESSES[0], ADDRESSES[1])]
    assert token.preimages == {keccak256(key): key for key in keys}
    assert {slot for _, slot in token.slots} == {balance_slot(ADDRESSES[0]), balance_slot(ADDRESSES[1])}
    caller = ADDRESSES[2].rjust(32, b"\0") + bytes(32)
    assert hashing.preimages == {keccak256(caller): caller}, "not the 30 hashes that are no slots"


def test_preimages_are_followed_from_array_to_mapping_to_variable() -> None:
    inner = b"\x0a" * 32 + (7).to_bytes(32, "big")
    array = (int.from_bytes(keccak256(inner), "big") + 2).to_bytes(32, "big")
    unrelated = b"\x0b" * 64
    hashes = {keccak256(preimage): preimage for preimage in (inner, array, unrelated)}
    element = int.from_bytes(keccak256(array), "big") + 1_000
    assert preimages_of([element, 3], hashes) == {keccak256(inner): inner, keccak256(array): array}
    assert preimages_of([element + 2**64, 2**256 - 1], hashes) == {}


async def test_the_case_of_a_trace_has_the_state_that_the_block_reads() -> None:
    chain = Chain(world_genesis())
    generator = Generator(1)
    await chain.run(generator.block(30))
    await chain.run(generator.block(30))
    trace = await traced(chain)
    case, (accounts, slots) = trace.case, chain.storage.versions[chain.storage.head.version - 1]
    assert case.block_hashes == {1: chain.storage.hashes[1]}
    assert case.expected == task_for(chain).expected
    for one in all_traces(trace):
        for address in one.accounts:
            assert (address in case.accounts) == (address in accounts)
    for address, account in case.accounts.items():
        real = accounts[address]
        assert (account.nonce, account.balance, keccak256(account.code)) == (real.nonce, real.balance, real.code_hash)
        assert all(slots.get((address, slot), 0) == value for slot, value in account.slots.items())
        assert all(account.slots.values())
    assert case.accounts[TOKEN].code == artifact("Token").deployed_bytecode


async def test_the_case_has_the_parent_s_hash_even_if_nobody_asks_for_it() -> None:
    chain, trace = await after(transaction(KEYS[0], 0))
    assert trace.case.block_hashes == {0: chain.storage.hashes[0]}


async def test_a_balance_that_is_only_credited_is_written_and_not_read() -> None:
    _, trace = await after(transaction(KEYS[0], 0, to=EMPTY[0], value=Wei(5)))
    (transfer,) = trace.transactions
    assert Access(AccessKind.BALANCE, EMPTY[0], 0, 5) in transfer.writes
    assert {read.kind for read in transfer.reads if read.address == EMPTY[0]} == {AccessKind.EMPTINESS, AccessKind.CODE}
    assert [w.value for w in transfer.writes if w.address == BENEFICIARY] == [21_000 * GWEI]
    assert not [read for read in transfer.reads if read.address == BENEFICIARY]
    assert Access(AccessKind.BALANCE, ADDRESSES[0], 0, 1000 * ETHER) not in transfer.reads


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"time_limit_ms": 0}, "block 1 takes longer than 0 s to run again"),
        ({"expected": ExpectedBlock(Gas(5), ZERO_HASH, b"")}, "the block used 5 gas, but running it again uses"),
        ({"base": Version(2)}, "transaction 0 of the block could not be run again: nonce too low"),
    ],
)
async def test_why_there_is_no_trace_is_told(fields: dict[str, Any], reason: str) -> None:
    chain, _ = await after(transaction(KEYS[0], 0, to=COUNTER, data=call("increment()"), gas=Gas(100_000)))
    answer = await trace_block(task_for(chain, **fields), TRACERS["compiled"], BlockingStorage(chain.storage))
    assert isinstance(answer, TraceFailed)
    assert answer.reason.startswith(reason)


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ("MAX_KEYS", "block 1 reads, writes and looks at more than 10 keys: too many for a trace"),
        ("MAX_CODE_BYTES", "the contracts that the block looks at have more than 10 bytes of code"),
    ],
)
async def test_a_block_that_touches_too_much_for_one_answer_is_not_told(
    bound: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, _ = await after(transaction(KEYS[0], 0, to=COUNTER, data=call("increment()"), gas=Gas(100_000)))
    monkeypatch.setattr(f"execution.block_trace.{bound}", 10)
    answer = await trace_block(task_for(chain), TRACERS["compiled"], BlockingStorage(chain.storage))
    assert answer == TraceFailed(7, reason)


class GoneStorage:
    def request(self, message: Message) -> Message:
        raise RequestFailed("VersionOutOfRange", "state version 1 is out of range")


async def test_a_trace_on_a_state_that_is_gone_tells_so() -> None:
    chain, _ = await after(transaction(KEYS[0], 0))
    answer = await trace_block(task_for(chain), TRACERS["compiled"], GoneStorage())
    assert answer == TraceFailed(7, "state version 1 is out of range")


async def test_calls_are_answered_while_a_long_trace_runs() -> None:
    calls = [transaction(KEYS[n], 0, to=LOOP, data=call("run(uint256)", 5), gas=Gas(100_000)) for n in range(20)]
    chain, _ = await after(*calls)
    link, storage = PoolLink(), BlockingStorage(chain.storage)
    worker = CallWorkerProcess(link, storage, lambda _: ENGINE, lambda _: TRACERS["compiled"])
    running = asyncio.ensure_future(worker.run())
    await asyncio.sleep(0)
    assert link.take is not None
    await link.take(task_for(chain))
    for _ in range(3):
        await link.take(balance_of(1, ADDRESSES[0]))
    await until(lambda: len(link.answers) == 4)
    assert [type(answer) for answer in link.answers] == [CallOutcomes] * 3 + [BlockTrace]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_an_engine_that_nobody_traces_has_the_usual_instructions_and_accounts() -> None:
    traced_rules, usual = TRACERS["compiled"]._rules, ENGINE._computation
    assert usual.account_db.__name__ == "AccountDB"
    assert traced_rules.programs is not usual.programs
    different = {
        opcode
        for opcode, instruction in usual.programs.instruction_set.items()
        if traced_rules.programs.instruction_set[opcode] != instruction
    }
    assert different == {0x20}
