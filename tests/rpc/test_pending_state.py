"""What `pending` names: the block that the pool would fill, and the state after it."""

import random
from dataclasses import replace

import pytest

from chain.accounts import Account, AccountChange
from chain.keccak import keccak256
from chain.messages.calls import AccountOverride
from chain.messages.mempool import PooledTransaction
from chain.messages.simulation import Simulated, SimulationFailed
from chain.types import Address, Gas, Hash32, Wei
from consensus.packing import pack
from consensus.sender_queue import Entry, SenderQueue
from rpc.pending_block import packed
from rpc.pending_state import laid_over
from rpc.process import RpcProcess
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, CAROL, GWEI, KEYS, TOKEN, FakeChain, transfer
from tests.rpc.test_calls import asked

CODE = b"\x60\x01"
RICHER = AccountChange(BOB, Account(balance=Wei(7)), {})
WRITTEN = AccountChange(TOKEN, Account(nonce=1, code_hash=keccak256(CODE)), {0: 43, 1: 44}, code=CODE)


@pytest.mark.parametrize("seed", range(20))
def test_the_pending_block_is_packed_as_leaders_pack(seed: int) -> None:
    chance = random.Random(seed)
    queues = [SenderQueue(Address(bytes([number]) * 20), balance=Wei(10**30)) for number in range(4)]
    pooled = []
    for arrival in range(30):
        queue = chance.choice(queues)
        transaction = PooledTransaction(
            hash=Hash32(arrival.to_bytes(32, "big")),
            raw=b"raw",
            sender=queue.address,
            nonce=len(queue.entries),
            gas=Gas(chance.choice((21_000, 50_000))),
            max_fee=Wei(chance.randint(5, 20)),
            max_priority_fee=Wei(chance.randint(0, 6)),
            value=Wei(0),
        )
        queue.entries[transaction.nonce] = Entry(transaction, arrival)
        queue.extend_run()
        pooled.append(transaction)
    base_fee, gas_limit = Wei(8), Gas(400_000)
    expected = [entry.transaction for entry in pack(queues, base_fee, base_fee, gas_limit, 10**6)]
    assert packed(pooled, base_fee, gas_limit) == expected
    assert expected, f"seed {seed}"


async def test_a_pending_transaction_is_found_by_its_place(process: RpcProcess, client: Client) -> None:
    poor, rich = transfer(0), replace(transfer(0), max_priority_fee=Wei(2 * GWEI)).signed_with(KEYS[1])
    for transaction in (poor, rich):
        await process.node.admission.submit(transaction.raw)
    found = [await client.result("eth_getTransactionByBlockNumberAndIndex", "pending", hex(place)) for place in (0, 1)]
    assert [each["hash"] for each in found] == [data_json(rich.hash), data_json(poor.hash)]
    assert await client.result("eth_getTransactionByBlockNumberAndIndex", "pending", "0x2") is None


async def test_pending_state_is_that_after_the_pool(process: RpcProcess, client: Client, chain: FakeChain) -> None:
    chain.callers.simulated = Simulated(0, (), (RICHER, WRITTEN))
    assert await client.result("eth_getBalance", data_json(CAROL), "pending") == hex(10_000 * 10**18)
    assert chain.callers.simulations == [], "nothing waits, so nothing is run"
    await process.node.admission.submit(transfer(0).raw)
    bob, token = data_json(BOB), data_json(TOKEN)
    assert await client.result("eth_getBalance", bob, "pending") == "0x7"
    assert await client.result("eth_getBalance", bob, "latest") != "0x7"
    assert await client.result("eth_getCode", token, "pending") == data_json(CODE)
    assert await client.result("eth_getStorageAt", token, "0x1", "pending") == word_json(44)
    assert await client.result("eth_getStorageAt", token, "0x1", "latest") == word_json(0)
    assert await client.result("eth_getStorageAt", token, "0x0", "pending") == word_json(43)
    assert await client.result("eth_getBalance", data_json(CAROL), "pending") == hex(10_000 * 10**18)
    request = await asked(client, chain, {"to": token}, "pending", {token: {"balance": "0x5"}})
    assert request.overrides == (
        AccountOverride(BOB, 0, Wei(7)),
        AccountOverride(TOKEN, 1, Wei(5), CODE, {0: 43, 1: 44}),
    )
    (first, *_) = chain.callers.simulations
    assert (first.tells_changes, first.blocks[0].leaves_out, first.validates) == (True, True, True)
    assert [call.raw for call in first.blocks[0].calls] == [transfer(0).raw]
    stages = {request.blocks[0].environment.timestamp for request in chain.callers.simulations}
    assert len(stages) == len(chain.callers.simulations), "one run for all requests of a second"


async def test_a_pending_block_that_could_not_be_run_is_tried_again(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    await process.node.admission.submit(transfer(0).raw)
    chain.callers.simulated = SimulationFailed(0, -32000, "state is gone")
    words = "the pending block could not be run: state is gone"
    assert await client.error("eth_getBalance", data_json(BOB), "pending") == (-32000, words)
    chain.callers.simulated = Simulated(0, (), (RICHER,))
    assert await client.result("eth_getBalance", data_json(BOB), "pending") == "0x7"


def test_what_a_call_pretends_goes_before_pending_state() -> None:
    changes = {TOKEN: WRITTEN, BOB: replace(RICHER, account=Account(), clears_storage=True)}
    given = (
        AccountOverride(TOKEN, nonce=9, slots={1: 5}),
        AccountOverride(BOB, slots={2: 6}),
        AccountOverride(CAROL, balance=Wei(3)),
    )
    token, bob, carol = laid_over(changes, given)
    assert token == AccountOverride(TOKEN, 9, Wei(0), CODE, {0: 43, 1: 5})
    assert bob == AccountOverride(BOB, 0, Wei(0), b"", {2: 6}, replaces_storage=True)
    assert carol == given[2]
    (whole, *_) = laid_over(changes, (AccountOverride(TOKEN, slots={7: 7}, replaces_storage=True),))
    assert (whole.slots, whole.replaces_storage) == ({7: 7}, True)


def test_pending_state_takes_no_precompile_away() -> None:
    identity = Address((4).to_bytes(20, "big"))
    paid = AccountChange(identity, Account(balance=Wei(1)), {})
    moved = AccountOverride(identity, precompile_moves_to=ALICE)
    assert laid_over({identity: paid}, ()) == ()
    assert laid_over({identity: paid, ALICE: replace(RICHER, address=ALICE)}, (moved,)) == (moved,)
