"""The Ethereum block that execution assembles."""

import pytest
import rlp
from trie import HexaryTrie

from chain.fees import next_base_fee
from chain.fork_schedule import only
from chain.forks import Fork
from chain.headers import EMPTY_REQUESTS_HASH, count_fields, decode_header, fields_of
from chain.operations import INITIAL_SETTINGS
from chain.proposals import BlockInputs
from chain.receipts import bloom_of
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Gas, Wei
from execution.block_settings import environment_of
from tests.execution.test_equivalence import COUNTER, EMPTY, TOKEN, call, world_genesis
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ETHER, GWEI, KEYS, Chain, transaction


def transfer(who: int, nonce: int, **fields: object) -> Transaction:
    return transaction(KEYS[who], nonce, **({"to": EMPTY[0], "value": Wei(1)} | fields))


def root_of(values: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    return bytes(trie.root_hash)


@pytest.mark.parametrize("fork", [fork for fork in Fork if fork >= Fork.PARIS])
def test_a_header_has_the_fields_of_its_fork(fork: Fork) -> None:
    parent = world_genesis().header
    inputs = BlockInputs(parent.timestamp * 1000, BENEFICIARY, ZERO_HASH, parent.gas_limit)
    header = environment_of(CHAIN_ID, only(fork), parent, inputs, INITIAL_SETTINGS).header()
    assert count_fields(header) == fields_of(fork)
    assert decode_header(header.encode()) == header


async def test_roots_bloom_and_cumulative_gas_are_ethereums() -> None:
    chain = Chain(world_genesis())
    call_data = call("transfer(address,uint256)", EMPTY[0], 1)
    block = await chain.run(
        [
            transfer(0, 0),
            transaction(KEYS[1], 0, to=TOKEN, data=call_data, gas=Gas(120_000)),
            transaction(KEYS[2], 0, to=COUNTER, data=call("increment()"), gas=Gas(120_000)),
            *[transfer(3, n) for n in range(140)],
        ]
    )
    header, receipts = block.apply.header, block.apply.receipts
    assert header.transactions_root == root_of(list(block.apply.transactions))
    assert header.receipts_root == root_of([receipt.encode() for receipt in receipts])
    assert header.logs_bloom == bloom_of(log for receipt in receipts for log in receipt.logs)
    assert header.logs_bloom != bytes(256)
    total = 0
    for receipt in receipts:
        total += receipt.gas_used
        assert receipt.cumulative_gas == total
    assert header.gas_used == total


async def test_the_header_leaves_to_storage_what_only_storage_knows() -> None:
    chain = Chain(world_genesis())
    header = (await chain.run([transfer(0, 0)])).apply.header
    assert (header.parent_hash, header.state_root) == (ZERO_HASH, ZERO_HASH)
    assert header.requests_hash == EMPTY_REQUESTS_HASH
    assert header.beneficiary == BENEFICIARY
    assert (await chain.run([])).apply.header.base_fee == next_base_fee(header)


async def test_a_block_may_have_its_parents_second_but_never_an_earlier_one() -> None:
    chain = Chain(world_genesis())
    seconds = [1_700_000_010_999, 1_700_000_010_100, 1_700_000_003_000, 1_700_000_011_000]
    stamps = [(await chain.run([], timestamp_ms=ms)).apply.header.timestamp for ms in seconds]
    assert stamps == [1_700_000_010, 1_700_000_010, 1_700_000_010, 1_700_000_011]


async def test_what_does_not_fit_waits_for_the_next_block_and_smaller_ones_still_fit() -> None:
    chain = Chain(world_genesis())
    block = await chain.run(
        [transfer(0, 0), transfer(1, 0, gas=Gas(50_000)), transfer(2, 0), transfer(3, 0)], gas_limit=Gas(63_000)
    )
    assert len(block.included) == 3
    (out,) = block.left_out
    assert (out.reason, out.retry) == ("gas limit reached: have 42000, want 50000", True)


async def test_a_used_nonce_is_evicted_and_a_gap_waits() -> None:
    chain = Chain(world_genesis())
    block = await chain.run([transfer(0, 0), transfer(0, 0, value=Wei(2)), transfer(0, 5), transfer(0, 1)])
    assert [(out.reason.split(":")[0], out.retry) for out in block.left_out] == [
        ("nonce too low", False),
        ("nonce too high", True),
    ]
    assert len(block.included) == 2


async def test_malformed_transactions_are_evicted_with_the_reason() -> None:
    chain = Chain(world_genesis())
    good = transfer(0, 0)
    other_chain = transaction(KEYS[1], 0, chain_id=1)
    block = await chain.run([b"\x7f", good.raw[:-1], other_chain.raw, good])
    assert block.included == (good.hash,)
    reasons = [out.reason for out in block.left_out]
    assert reasons[0] == "transaction type not supported"
    assert reasons[1].startswith("rlp: ")
    assert reasons[2] == "invalid chain id: have 1, want 31337"
    assert not any(out.retry for out in block.left_out)


async def test_fees_go_to_the_beneficiary_and_the_base_fee_to_nobody() -> None:
    chain = Chain(world_genesis())
    block = await chain.run([transfer(0, 0, max_priority_fee=Wei(2 * GWEI))])
    base_fee = block.apply.header.base_fee
    assert chain.balance(BENEFICIARY) == 21_000 * 2 * GWEI
    assert chain.balance(ADDRESSES[0]) == 1000 * ETHER - 1 - 21_000 * ((base_fee or 0) + 2 * GWEI)


async def test_the_new_states_of_senders_are_told_those_of_contracts_are_not() -> None:
    chain = Chain(world_genesis())
    pay_contract = transaction(KEYS[0], 0, to=COUNTER, data=call("increment()"), gas=Gas(120_000))
    block = await chain.run([pay_contract, transfer(1, 7)])
    told = {state.address: state for state in block.senders}
    assert told[ADDRESSES[0]].nonce == 1
    assert told[ADDRESSES[1]].nonce == 0, "the sender of a transaction that was left out is told too"
    assert COUNTER not in told
    assert BENEFICIARY in told
