"""Transactions on their way in: through the pool, from storage's states, into the validators' mempools."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

import rpc.admission
import rpc.delivery
from chain.accounts import Account
from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.mempool import Admit, Evicted, ReadMempool, SenderHints, SenderState
from chain.messages.storage import ReadState
from chain.types import Gas, Height, Round, ValidatorIndex, Wei
from rpc.pool import PoolLimits
from rpc.transaction_errors import (
    AlreadyKnown,
    InsufficientFunds,
    NonceTooLow,
    NoValidatorAnswered,
    RefusedByValidators,
    SenderNotAnAccount,
)
from tests.rpc.fake_neighbours import consensus_news
from tests.rpc.small_chain import (
    ACCOUNTS,
    ETHER,
    KEYS,
    SmallChain,
    contract,
    pooled_like,
    small_chain,
    transfer,
    turns,
)

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


async def test_the_leader_and_one_more_are_sent_a_transaction_at_once_and_the_rest_if_it_is_not_executed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 0.0)
    small = await small_chain()
    for validator, told_round in ((0, 9), (3, 8)):
        news = replace(consensus_news(validator, 0), leader=ValidatorIndex(validator + 2), round=Round(told_round))
        await small.chain.consensus_changed(news)
    asked: list[ValidatorIndex | None] = []
    for index, link in small.validators.items():
        link.heard = partial(asked.append, index)
    small.execution.heard = partial(asked.append, None)
    transaction = transfer(nonce=0)
    await small.send(transaction)
    assert asked[:3] == [V2, V1, None], "then its sender goes to execution"
    await turns()
    assert asked[3:] == [V0, V3]
    assert all(list(validator.mempool) == [transaction.hash] for validator in small.validators.values())


async def test_what_is_executed_meanwhile_goes_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    small = await small_chain()
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V1))
    executed, waiting = transfer(nonce=0), transfer(nonce=1)
    await small.send(executed)
    await small.execute([executed])
    await small.send(waiting)
    assert [list(small.validators[v].mempool) for v in (V0, V1)] == [[executed.hash, waiting.hash]] * 2
    assert [list(small.validators[v].mempool) for v in (V2, V3)] == [[]] * 2
    small.admission._delivery._send_kept_back()
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V1)] == [[executed.hash, waiting.hash]] * 2
    assert [list(small.validators[v].mempool) for v in (V2, V3)] == [[waiting.hash]] * 2


async def test_where_more_come_all_get_them_at_once_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    small = await small_chain()
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V1))
    first, second = transfer(nonce=0), transfer(nonce=1)
    await small.send(first)
    await small.send(second)
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V1, V2, V3)] == [[first.hash, second.hash]] * 4


async def test_in_a_burst_one_that_comes_when_all_others_are_executed_is_sent_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    monkeypatch.setattr(rpc.delivery, "BURST_S", 3600.0)
    small = await small_chain()
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V1))
    sent = [transfer(nonce=nonce) for nonce in range(3)]
    await small.send(sent[0])
    await small.send(sent[1])
    await small.execute(sent[:2])
    await small.send(sent[2])
    await turns()
    assert [list(small.validators[v].mempool)[-1] for v in (V0, V1, V2, V3)] == [sent[2].hash] * 4


async def test_while_the_leader_is_away_everyone_is_sent_a_transaction_at_once() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V1))
    small.validators[V1].connected = False
    transaction = transfer(nonce=0)
    await small.send(transaction)
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V2, V3)] == [[transaction.hash]] * 3


async def test_whoever_proved_the_newest_block_leads_until_a_validator_tells_of_a_newer_round() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V1, committed=Height(0)))
    transaction = transfer(nonce=0)
    await small.send(transaction)
    await small.execute([transaction], leader=V3)
    assert small.chain.leader() == V3
    await small.chain.consensus_changed(replace(consensus_news(0, 0), leader=V0, committed=Height(1)))
    assert small.chain.leader() == V0


async def test_a_burst_from_one_sender_costs_one_read_and_few_messages() -> None:
    small = await small_chain()
    burst = [transfer(nonce=nonce) for nonce in range(100)]
    await asyncio.gather(*map(small.send, burst))
    assert small.storage.count(ReadState) == 1
    assert [t.nonce for admit in admits(small) for t in admit.transactions] == list(range(100))
    assert len(admits(small)) <= 2
    hinted = [pair for m in small.execution.notified if isinstance(m, SenderHints) for pair in m.senders]
    assert hinted == [(t.hash, ACCOUNTS[0]) for t in burst]
    assert len(small.execution.notified) <= 2
    assert await small.admission.pending_nonce(ACCOUNTS[0]) == 100


async def test_many_senders_are_read_at_once() -> None:
    small = await small_chain()
    await asyncio.gather(*(small.send(transfer(key)) for key in KEYS))
    assert small.storage.count(ReadState) == 1


async def test_one_validator_is_enough_and_a_hanging_one_does_not_matter() -> None:
    small = await small_chain()
    for index in (V0, V1, V2):
        small.validators[index].hold = asyncio.Event()
    await small.send(transfer())
    assert list(small.validators[V3].mempool) == [transfer().hash]
    assert not small.validators[V0].mempool
    await small.admission.close()


async def test_batches_in_flight_are_bounded_and_grow_instead() -> None:
    small = await small_chain(validators=1)
    gate = small.validators[V0].hold = asyncio.Event()
    sends = []
    for nonce in range(50):
        sends.append(asyncio.ensure_future(small.send(transfer(nonce=nonce))))
        await turns(10)
    assert len(admits(small)) == 4
    gate.set()
    await asyncio.gather(*sends)
    assert len(admits(small)) == 5
    assert [t.nonce for admit in admits(small) for t in admit.transactions] == list(range(50))


async def test_a_transaction_that_every_validator_refuses_is_refused_with_their_words() -> None:
    small = await small_chain()
    for validator in small.validators.values():
        validator.refuse_all = "mempool is full"
    with pytest.raises(RefusedByValidators, match=r"^mempool is full$"):
        await small.send(transfer())
    assert len(small.admission.pool) == 0
    assert await small.admission.pending_nonce(ACCOUNTS[0]) == 0


async def test_a_transaction_that_one_validator_takes_is_admitted() -> None:
    small = await small_chain()
    for index in (V0, V1, V2):
        small.validators[index].refuse_all = "mempool is full"
    gate = small.validators[V3].hold = asyncio.Event()
    sending = asyncio.ensure_future(small.send(transfer()))
    await turns()
    assert not sending.done()
    gate.set()
    assert await sending == transfer().hash
    assert transfer().hash in small.admission.pool


async def test_a_refused_replacement_gives_the_old_transaction_back() -> None:
    small = await small_chain()
    old, new = transfer(), transfer(max_fee=Wei(6 * 10**9), max_priority_fee=Wei(2 * 10**9))
    await small.send(old)
    await turns()
    for validator in small.validators.values():
        validator.refusals[new.hash] = "proposed already"
    with pytest.raises(RefusedByValidators):
        await small.send(new)
    assert [t.hash for t in small.admission.pool] == [old.hash]


async def test_a_transaction_replaced_before_it_left_is_sent_ahead_of_its_replacement() -> None:
    small = await small_chain()
    await small.admission.pending_nonce(ACCOUNTS[0])
    old, new = transfer(), transfer(max_fee=Wei(6 * 10**9), max_priority_fee=Wei(2 * 10**9))
    hashes = await asyncio.gather(small.send(old), small.send(new))
    assert list(hashes) == [old.hash, new.hash]
    [admit] = admits(small)
    assert [t.hash for t in admit.transactions] == [old.hash, new.hash]


async def test_a_validator_that_fails_counts_as_refusing() -> None:
    class Broken(Exception):
        pass

    small = await small_chain(validators=1)

    def fail(message: Message) -> Message:
        raise RequestFailed("DiskFull", "no space left")

    small.validators[V0].answer = fail  # type: ignore[method-assign]
    with pytest.raises(RefusedByValidators, match="no space left"):
        await small.send(transfer())


async def test_without_validators_the_client_is_told_and_the_transaction_goes_out_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.admission, "STORE_TIMEOUT_S", 0.01)
    small = await small_chain()
    for validator in small.validators.values():
        validator.connected = False
    with pytest.raises(NoValidatorAnswered, match="tandem status"):
        await small.send(transfer())
    assert transfer().hash in small.admission.pool
    small.validators[V2].connected = True
    small.admission.validator_joined(V2)
    await turns()
    assert list(small.validators[V2].mempool) == [transfer().hash]


async def test_a_validator_that_comes_back_gets_what_is_not_executed_yet() -> None:
    small = await small_chain()
    sent = [transfer(nonce=nonce) for nonce in range(3)]
    for validator in small.validators:
        small.admission.validator_joined(validator)
    for transaction in sent:
        await small.send(transaction)
    await small.execute(sent[:1])
    lost = small.validators[V1]
    lost.mempool.clear()
    small.admission.validator_joined(V1)
    await turns()
    assert list(lost.mempool) == [t.hash for t in sent[1:]]
    assert lost.count(ReadMempool) == 1


async def test_a_client_that_leaves_does_not_take_its_transaction_with_it() -> None:
    small = await small_chain()
    gate = asyncio.Event()
    for validator in small.validators.values():
        validator.hold = gate
    sending = asyncio.ensure_future(small.send(transfer()))
    await turns()
    sending.cancel()
    gate.set()
    await turns()
    assert transfer().hash in small.validators[V0].mempool
    assert transfer().hash in small.admission.pool


async def test_a_block_that_includes_it_answers_the_client_too() -> None:
    small = await small_chain()
    for validator in small.validators.values():
        validator.hold = asyncio.Event()
    sending = asyncio.ensure_future(small.send(transfer()))
    await turns()
    await small.execute([transfer()])
    assert await sending == transfer().hash
    await small.admission.close()


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
