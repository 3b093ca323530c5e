"""Transactions on their way in: through the pool, from storage's states, out of it again."""

import asyncio
from dataclasses import replace

import pytest

import rpc.delivery
from chain.accounts import Account
from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.messages.mempool import Admit, Evicted, ReadMempool, SenderHints, SenderState
from chain.messages.storage import ReadState
from chain.types import Gas, ValidatorIndex, Wei
from rpc.pool import PoolLimits
from rpc.transaction_errors import AlreadyKnown, InsufficientFunds, NonceTooLow, SenderNotAnAccount
from tests.rpc.small_chain import ACCOUNTS, ETHER, KEYS, SmallChain, contract, pooled_like, small_chain, transfer, turns

V0, V1, V2, V3 = map(ValidatorIndex, range(4))


def admits(small: SmallChain, validator: ValidatorIndex = V0) -> list[Admit]:
    return [message for message in small.validators[validator].requests if isinstance(message, Admit)]


async def test_an_admitted_transaction_reaches_every_mempool_with_its_senders_state() -> None:
    small = await small_chain()
    transaction = transfer(nonce=0)
    assert await small.send(transaction) == transaction.hash
    await turns()
    for validator in small.validators.values():
        assert list(validator.mempool) == [transaction.hash]
    [admit] = admits(small)
    assert admit.senders == (SenderState(ACCOUNTS[0], 0, Wei(100 * ETHER)),)
    assert admit.height == 0
    assert admit.transactions[0].sender == ACCOUNTS[0]
    assert admit.transactions[0].raw == transaction.raw
    assert small.admission.pool.get(transaction.hash) == admit.transactions[0]


async def test_a_burst_from_one_sender_costs_one_read_and_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.delivery, "HINTS_S", 0.0)
    small = await small_chain()
    burst = [transfer(nonce=nonce) for nonce in range(100)]
    await asyncio.gather(*map(small.send, burst))
    assert small.storage.count(ReadState) == 1
    assert [t.nonce for admit in admits(small) for t in admit.transactions] == list(range(100))
    assert len(admits(small)) <= 2
    await turns()
    hinted = [pair for m in small.execution.notified if isinstance(m, SenderHints) for pair in m.senders]
    assert hinted == [(t.hash, ACCOUNTS[0]) for t in burst]
    assert len(small.execution.notified) <= 2
    assert await small.admission.pending_nonce(ACCOUNTS[0]) == 100


async def test_many_senders_are_read_at_once() -> None:
    small = await small_chain()
    await asyncio.gather(*(small.send(transfer(key)) for key in KEYS))
    assert small.storage.count(ReadState) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in a batch", "one by one"])
async def test_a_sender_that_is_forgotten_before_its_transaction_enters_is_read_again(together: bool) -> None:
    small = await small_chain(limits=PoolLimits(idle_senders=1))
    sent = [transfer(key) for key in KEYS]
    if together:
        assert await small.admission.submit_all([each.raw for each in sent]) == [each.hash for each in sent]
    else:
        assert await asyncio.gather(*map(small.send, sent)) == [each.hash for each in sent]


async def test_known_transactions_are_refused_before_anything_is_recovered() -> None:
    small = await small_chain()
    await small.send(transfer())
    with pytest.raises(AlreadyKnown):
        await small.send(transfer())


async def test_an_executed_transaction_sent_again_has_a_used_nonce() -> None:
    small = await small_chain()
    await small.send(transfer())
    await small.execute([transfer()])
    with pytest.raises(NonceTooLow, match=r"^nonce too low: next nonce 1, tx nonce 0$"):
        await small.send(transfer())
    assert small.storage.count(ReadState) == 1


async def test_the_states_of_senders_follow_the_blocks() -> None:
    small = await small_chain()
    await small.send(transfer())
    await small.execute([transfer()])
    await small.send(transfer(nonce=1))
    assert admits(small)[-1].senders[0].nonce == 1
    assert admits(small)[-1].height == 1
    assert small.storage.count(ReadState) == 1


async def test_want_of_funds_never_rests_on_what_is_remembered() -> None:
    small = await small_chain()
    rich = transfer(value=Wei(150 * ETHER))
    words = f"insufficient funds for gas \\* price \\+ value: balance {100 * ETHER}, tx cost "
    with pytest.raises(InsufficientFunds, match=words):
        await small.send(rich)
    # The block's news does not mention the account that was paid, which no well-behaved execution would do.
    added = await small.execute(credits={ACCOUNTS[0]: 60 * ETHER}, tell=False)
    await small.tell(replace(added, news=replace(added.news, senders=())))
    assert await small.send(rich) == rich.hash


async def test_news_that_passes_a_read_by_wins_over_its_answer() -> None:
    small = await small_chain()
    gate = small.storage.hold = asyncio.Event()
    sending = asyncio.ensure_future(small.send(transfer(nonce=1)))
    await turns()
    small.storage.hold = None
    await small.execute([transfer(nonce=0)])
    gate.set()
    await sending
    assert small.admission.pool.state(ACCOUNTS[0]) == SenderState(
        ACCOUNTS[0], 1, small.storage.states[1][ACCOUNTS[0]].balance
    )
    assert await small.admission.pending_nonce(ACCOUNTS[0]) == 2


async def test_a_contract_cannot_send_but_an_account_that_delegates_can() -> None:
    small = await small_chain()
    code, delegation = b"\x60\x00", b"\xef\x01\x00" + bytes(20)
    for address, code_bytes in ((ACCOUNTS[0], code), (ACCOUNTS[1], delegation)):
        small.storage.codes[keccak256(code_bytes)] = code_bytes
        small.storage.states[0][address] = contract(code_bytes)
    with pytest.raises(SenderNotAnAccount) as refused:
        await small.send(transfer(nonce=1))
    words = f"sender not an eoa: address {checksummed(ACCOUNTS[0])}, codehash: 0x{keccak256(code).hex()}"
    assert refused.value.message == words
    assert await small.admission.pending_nonce(ACCOUNTS[0]) == 1
    with pytest.raises(SenderNotAnAccount):
        await small.send(transfer(nonce=1))
    await small.send(transfer(KEYS[1], nonce=1))


async def test_the_newest_blocks_gas_limit_counts() -> None:
    small = await small_chain()
    head = small.storage.blocks[-1]
    small.storage.blocks[-1] = replace(head, header=replace(head.header, gas_limit=Gas(30_000)))
    await small.chain.open()
    with pytest.raises(Exception, match=r"^exceeds block gas limit$"):
        await small.send(transfer(gas=Gas(30_001)))
    await small.send(transfer(gas=Gas(30_000)))


async def test_pending_transactions_are_told_when_they_become_so() -> None:
    small = await small_chain()
    first, second, third = (transfer(nonce=nonce) for nonce in range(3))
    await small.send(third)
    await small.send(second)
    assert small.told == []
    await small.send(first)
    assert small.told == [first.hash, second.hash, third.hash]


async def test_an_eviction_by_all_validators_is_final_and_remembered() -> None:
    small = await small_chain()
    await small.send(transfer())
    await turns()
    for index in (V0, V1, V2):
        await small.admission.transaction_evicted(index, Evicted(transfer().hash, "left out 3 times"))
        assert transfer().hash in small.admission.pool
    await small.admission.transaction_evicted(V3, Evicted(transfer().hash, "left out 3 times"))
    assert small.admission.pool.eviction(transfer().hash) == "left out 3 times"


async def test_an_eviction_before_the_others_have_answered_is_not_final() -> None:
    small = await small_chain()
    gate = asyncio.Event()
    for index in (V1, V2, V3):
        small.validators[index].hold = gate
    await small.send(transfer())
    await small.admission.transaction_evicted(V0, Evicted(transfer().hash, "no room"))
    assert transfer().hash in small.admission.pool
    for index in (V1, V2, V3):
        small.validators[index].refuse_all = "no room either"
    gate.set()
    await turns()
    assert small.admission.pool.eviction(transfer().hash) == "no room either"


async def test_what_a_validator_that_is_away_has_stored_survives_the_refusals_of_the_others() -> None:
    small = await small_chain()
    gate = asyncio.Event()
    for index in (V1, V2, V3):
        small.validators[index].hold = gate
        small.validators[index].refuse_all = "no room"
    await small.send(transfer())
    small.validators[V0].connected = False
    gate.set()
    await turns()
    assert transfer().hash in small.admission.pool


async def test_the_pool_is_rebuilt_from_the_mempools_after_a_restart() -> None:
    before = await small_chain()
    kept = [transfer(nonce=nonce) for nonce in range(5)] + [transfer(KEYS[1])]
    for transaction in kept:
        await before.send(transaction)
    await turns()
    after = await small_chain()
    validator = after.validators[V0]
    validator.mempool = before.validators[V0].mempool
    validator.page_size = 2
    after.admission.validator_joined(V0)
    await turns(60)
    assert {t.hash for t in after.admission.pool} == {t.hash for t in kept}
    assert validator.count(ReadMempool) == 3
    assert await after.admission.pending_nonce(ACCOUNTS[0]) == 5
    with pytest.raises(AlreadyKnown):
        await after.send(kept[0])


@pytest.mark.parametrize("first", [V0, V1])
async def test_of_two_mempools_that_differ_in_a_nonce_the_one_that_outbids_is_rebuilt(first: ValidatorIndex) -> None:
    """Everything was killed when the replacement had reached one validator."""
    small = await small_chain()
    cheap = transfer()
    dear = transfer(max_fee=Wei(2 * cheap.max_fee), max_priority_fee=Wei(2 * cheap.max_priority_fee))
    for index, held in ((V0, dear), (V1, cheap)):
        small.validators[index].mempool[held.hash] = pooled_like(held.raw, ACCOUNTS[0])
    for index in (first, V0 if first == V1 else V1):
        small.admission.validator_joined(index)
        await turns(40)
    await small.admission.transaction_evicted(V0, Evicted(cheap.hash, f"replaced by 0x{dear.hash.hex()}"))
    assert [t.hash for t in small.admission.pool] == [dear.hash]
    assert small.admission.pool.eviction(cheap.hash) == f"replaced by 0x{dear.hash.hex()}"
    assert dear.hash in small.validators[V1].mempool, "sent to those that lack it"


async def test_what_is_pending_is_known_when_the_last_validator_has_told_its_mempool() -> None:
    """Each may be the only one that was told of a transaction."""
    small = await small_chain()
    held = transfer()
    last = max(small.validators)
    small.validators[last].mempool[held.hash] = pooled_like(held.raw, ACCOUNTS[0])
    known = asyncio.ensure_future(small.admission.mempools_known())
    for index in sorted(small.validators)[:-1]:
        small.admission.validator_joined(index)
        await turns(40)
        assert not known.done()
    small.admission.validator_joined(last)
    await known
    assert [t.hash for t in small.admission.pool] == [held.hash]


async def test_a_validators_word_on_a_sender_is_not_taken() -> None:
    small = await small_chain()
    forged = pooled_like(transfer().raw, ACCOUNTS[5])
    small.validators[V0].mempool[forged.hash] = forged
    small.admission.validator_joined(V0)
    await turns(40)
    assert [t.sender for t in small.admission.pool] == [ACCOUNTS[0]]


async def test_what_was_executed_meanwhile_is_not_adopted() -> None:
    small = await small_chain()
    await small.execute([transfer()])
    old = pooled_like(transfer().raw, ACCOUNTS[0])
    small.validators[V0].mempool[old.hash] = old
    small.admission.validator_joined(V0)
    await turns(40)
    assert len(small.admission.pool) == 0


async def test_limits_reach_the_pool() -> None:
    small = await small_chain(limits=PoolLimits(transactions=1))
    await small.send(transfer())
    with pytest.raises(Exception, match=r"^txpool is full$"):
        await small.send(transfer(KEYS[1]))


async def test_an_account_that_does_not_exist_cannot_pay() -> None:
    small = await small_chain()
    small.storage.states[0][ACCOUNTS[0]] = Account()
    with pytest.raises(InsufficientFunds, match="balance 0, tx cost"):
        await small.send(transfer())
