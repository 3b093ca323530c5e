"""What the rules do at the edges of a block, with the contracts that a genesis carries."""

import hashlib

import pytest

from chain.forks import Fork
from chain.headers import EMPTY_REQUESTS_HASH
from chain.receipts import Log
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    DEPOSIT_CONTRACT,
    HISTORY_STORAGE,
    WITHDRAWAL_REQUESTS,
    system_accounts,
)
from chain.types import Gas, Hash32, Wei
from execution.engine import Engine
from execution.errors import InvalidDepositLog, SystemContractFailed
from execution.system_calls import DEPOSIT_TOPIC
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import ALICE, ENGINE, assemble, environment, execute, state

ROOT = Hash32(b"\x99" * 32)
PUBLIC_KEY = bytes(range(48))


def world() -> MemoryState:
    genesis = state()
    for change in system_accounts(Fork.PRAGUE):
        assert change.code is not None
        genesis.put(change.address, change.account.nonce, 0, change.code, {})
    return genesis


def test_a_block_begins_by_storing_the_beacon_root_and_reserving_the_slot_of_its_parents_hash() -> None:
    writes, slot = ENGINE.block_start(environment(), ROOT, world())
    time = environment().timestamp
    assert writes.slots == {
        (BEACON_ROOTS.address, time % 8191): time,
        (BEACON_ROOTS.address, time % 8191 + 8191): int.from_bytes(ROOT, "big"),
    }
    assert (writes.nonces, writes.balances, writes.codes) == ({}, {}, {})
    assert slot == (HISTORY_STORAGE.address, (9_000 - 1) % 8191)


def test_the_stored_root_is_what_the_contract_then_answers() -> None:
    genesis = world()
    genesis.apply(ENGINE.block_start(environment(), ROOT, genesis)[0])
    question = environment().timestamp.to_bytes(32, "big")
    assert execute(genesis, BEACON_ROOTS.address, data=question).output == ROOT


def test_without_the_contracts_a_block_begins_with_nothing() -> None:
    writes, slot = ENGINE.block_start(environment(), ROOT, state())
    assert (writes.slots, slot) == ({}, None)
    assert Engine(Fork.CANCUN).block_start(environment(Fork.CANCUN), ROOT, world())[1] is None


def test_a_block_without_requests_has_the_empty_requests_hash() -> None:
    writes, requests_hash = ENGINE.block_end(environment(), (), world())
    assert requests_hash == EMPTY_REQUESTS_HASH
    assert Engine(Fork.CANCUN).block_end(environment(Fork.CANCUN), (), world())[1] is None
    assert writes.balances == {}


def test_a_withdrawal_request_comes_out_of_the_queue_at_the_end_of_the_block() -> None:
    genesis = world()
    request = PUBLIC_KEY + (5).to_bytes(8, "big")
    outcome = execute(genesis, WITHDRAWAL_REQUESTS.address, data=request, value=Wei(1), gas=Gas(300_000))
    assert outcome.succeeded
    genesis.apply(outcome.writes)
    writes, requests_hash = ENGINE.block_end(environment(), outcome.logs, genesis)
    item = b"\x01" + ALICE + PUBLIC_KEY + (5).to_bytes(8, "little")
    assert requests_hash == hashlib.sha256(hashlib.sha256(item).digest()).digest()
    genesis.apply(writes)
    assert ENGINE.block_end(environment(), (), genesis)[1] == EMPTY_REQUESTS_HASH


def test_a_consolidation_request_comes_out_of_the_queue_too() -> None:
    genesis = world()
    request = PUBLIC_KEY + PUBLIC_KEY[::-1]
    outcome = execute(genesis, CONSOLIDATION_REQUESTS.address, data=request, value=Wei(1), gas=Gas(300_000))
    genesis.apply(outcome.writes)
    item = b"\x02" + ALICE + request
    requests_hash = ENGINE.block_end(environment(), (), genesis)[1]
    assert requests_hash == hashlib.sha256(hashlib.sha256(item).digest()).digest()


def _deposit_log() -> tuple[Log, bytes]:
    fields = (PUBLIC_KEY, b"\x02" * 32, b"\x03" * 8, b"\x04" * 96, b"\x05" * 8)
    heads, tails = b"", b""
    for value in fields:
        heads += (160 + len(tails)).to_bytes(32, "big")
        tails += len(value).to_bytes(32, "big") + value.ljust((len(value) + 31) // 32 * 32, b"\0")
    return Log(DEPOSIT_CONTRACT, (Hash32(DEPOSIT_TOPIC),), heads + tails), b"".join(fields)


def test_a_deposit_is_read_from_its_log() -> None:
    log, deposit = _deposit_log()
    requests_hash = ENGINE.block_end(environment(), (log, Log(ALICE, log.topics, b"")), world())[1]
    assert requests_hash == hashlib.sha256(hashlib.sha256(b"\x00" + deposit).digest()).digest()


def test_a_malformed_deposit_log_makes_the_block_invalid() -> None:
    log, _ = _deposit_log()
    for data in (log.data[:-1], b"\x01" + log.data[1:]):
        with pytest.raises(InvalidDepositLog):
            ENGINE.block_end(environment(), (Log(log.address, log.topics, data),), world())


def test_a_missing_or_failing_request_contract_makes_the_block_invalid() -> None:
    with pytest.raises(SystemContractFailed, match=r"withdrawal requests \(EIP-7002\): is not there"):
        ENGINE.block_end(environment(), (), state())
    broken = world()
    broken.put(CONSOLIDATION_REQUESTS.address, 1, 0, assemble("0 0 REVERT"), {})
    with pytest.raises(SystemContractFailed, match=r"consolidation requests \(EIP-7251\): execution reverted"):
        ENGINE.block_end(environment(), (), broken)
