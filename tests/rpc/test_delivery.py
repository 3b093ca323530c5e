"""Transactions on their way to the validators: whom they are sent to, when, and what the client is told."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
import uvloop

import rpc.delivery
import rpc.store_deadlines
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.mempool import Admit, ConsensusNews, ReadMempool
from chain.operations import AdmitOperations, Mine
from chain.types import Hash32, Height, Round, ValidatorIndex, Wei
from rpc.operator import Operator
from rpc.tasks import Tasks
from rpc.transaction_errors import NoValidatorAnswered, RefusedByValidators
from tests.rpc.fake_neighbours import consensus_news
from tests.rpc.small_chain import ACCOUNTS, AnsweringLink, SmallChain, pooled_like, small_chain, transfer, turns
from tests.rpc.test_admission import V0, V1, V2, V3, admits


def led_by(leader: ValidatorIndex) -> ConsensusNews:
    """Before the first block."""
    return replace(consensus_news(0, 0), leader=leader, proposed=Height(0), committed=Height(0))


async def test_the_leader_and_one_more_are_sent_a_transaction_at_once_and_the_rest_if_it_is_not_executed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 0.0)
    small = await small_chain()
    for validator, told_round in ((0, 9), (3, 8)):
        news = replace(
            led_by(ValidatorIndex(validator + 2)), validator=ValidatorIndex(validator), round=Round(told_round)
        )
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
    await small.chain.consensus_changed(led_by(V1))
    executed, waiting = transfer(nonce=0), transfer(nonce=1)
    await small.send(executed)
    await small.execute([executed])
    await small.send(waiting)
    assert [list(small.validators[v].mempool) for v in (V0, V1)] == [[executed.hash, waiting.hash]] * 2
    assert [list(small.validators[v].mempool) for v in (V2, V3)] == [[]] * 2
    small.admission._delivery.send_kept_back()
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V1)] == [[executed.hash, waiting.hash]] * 2
    assert [list(small.validators[v].mempool) for v in (V2, V3)] == [[waiting.hash]] * 2


async def test_before_an_operation_every_validator_is_sent_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    small = await small_chain()
    await small.chain.consensus_changed(led_by(V1))
    await small.send(transfer(nonce=0))
    operator = Operator(small.chain, small.validators, Tasks(), small.admission.send_waiting)
    mining = asyncio.create_task(operator.execute(Mine(1, 1)))
    await turns()
    sent = [[type(message) for message in validator.requests] for validator in small.validators.values()]
    assert sent == [[Admit, AdmitOperations]] * 4, "else the block would lack it where one leads that does not have it"
    mining.cancel()


@pytest.fixture
def kept_back_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of what is kept back because time has passed."""
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    monkeypatch.setattr(rpc.delivery, "LATER_IN_BURST_S", 3600.0)


async def burst_of(small: SmallChain, count: int) -> list[Hash32]:
    """While validator 1 leads: none waits before the first, so that validator 0 is told of it as well."""
    await small.chain.consensus_changed(led_by(V1))
    stored = small.validators[V0].hold = small.validators[V1].hold = asyncio.Event()
    sends = []
    for nonce in range(count):
        sends.append(asyncio.ensure_future(small.send(transfer(nonce=nonce))))
        await turns()
    stored.set()
    return await asyncio.gather(*sends)


@pytest.mark.usefixtures("kept_back_for_long")
async def test_where_more_come_only_the_leader_is_sent_them_and_the_others_what_is_not_executed_soon() -> None:
    small = await small_chain()
    sent = await burst_of(small, 4)
    held = [list(small.validators[v].mempool) for v in (V0, V1, V2, V3)]
    assert held == [sent[:1], sent, [], []]
    await small.execute([transfer(nonce=0), transfer(nonce=1)])
    small.admission._delivery.send_kept_back()
    await turns()
    held = [list(small.validators[v].mempool) for v in (V0, V1, V2, V3)]
    assert held == [[sent[0], *sent[2:]], sent, sent[2:], sent[2:]]
    assert [len(admits(small, v)) for v in (V0, V2, V3)] == [2, 1, 1]


@pytest.mark.usefixtures("kept_back_for_long")
async def test_who_only_stores_it_is_not_sent_what_was_kept_back() -> None:
    small = await small_chain()
    sent = await burst_of(small, 3)
    last = await small.send(transfer(nonce=3))
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V1)] == [[sent[0], last], [*sent, last]]


@pytest.mark.usefixtures("kept_back_for_long")
async def test_one_client_that_does_not_wait_for_receipts_is_answered_by_either_of_two() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(led_by(V1))
    small.validators[V1].hold = asyncio.Event()
    sent = [await small.send(transfer(nonce=nonce)) for nonce in range(3)]
    assert [list(small.validators[v].mempool) for v in (V0, V2, V3)] == [sent, [], []]
    await small.admission.close()


@pytest.mark.usefixtures("kept_back_for_long")
async def test_of_several_that_come_together_only_the_leader_is_told_at_once() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(led_by(V1))
    several = [transfer(nonce=nonce) for nonce in range(3)]
    sent = await small.admission.submit_all([transaction.raw for transaction in several])
    assert [list(small.validators[v].mempool) for v in (V0, V1, V2, V3)] == [[], sent, [], []]


async def test_what_was_kept_back_goes_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 0.0)
    monkeypatch.setattr(rpc.delivery, "LATER_IN_BURST_S", 0.0)
    small = await small_chain()
    sent = await burst_of(small, 3)
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V1, V2, V3)] == [sent] * 4


def test_what_is_due_sooner_takes_along_what_came_before_it() -> None:
    feed = rpc.delivery._Feed(V0, AnsweringLink())
    first, second, third, fourth = (pooled_like(transfer(nonce=nonce).raw, ACCOUNTS[0]) for nonce in range(4))
    feed.keep_back([first], due=1.0)
    feed.keep_back([second], due=5.0)
    feed.keep_back([third], due=2.0)
    feed.keep_back([fourth], due=4.0)
    assert feed.take_kept_back(until=1.0) == [first]
    assert feed.take_kept_back(until=2.0) == [second, third], "a replacement does not overtake what it replaces"
    assert feed.take_kept_back() == [fourth]


async def test_what_nobody_wants_any_more_is_forgotten_before_what_is_due_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    monkeypatch.setattr(rpc.delivery, "LATER_IN_BURST_S", 3600.0)
    small = await small_chain()
    await burst_of(small, 3)
    await small.execute([transfer(nonce=0), transfer(nonce=1), transfer(nonce=2)])
    delivery = small.admission._delivery
    feed = delivery._feeds[V2]
    assert feed.kept_back
    delivery._send_due()
    assert not feed.kept_back
    assert delivery._timer is None
    assert not admits(small, V2)


def test_what_is_due_already_and_what_is_due_later_have_one_timer_on_uvloop_too() -> None:
    async def tell() -> None:
        delivery, now = (await small_chain()).admission._delivery, asyncio.get_running_loop().time()
        delivery._wake_at(now - 1)
        delivery._wake_at(now + 3600)
        await turns()
        assert delivery._timer is None, "nothing was kept back"

    uvloop.run(tell())


@pytest.mark.parametrize("by_block", [True, False], ids=["by a block", "by a validator"])
async def test_whoever_leads_next_is_sent_at_once_what_was_kept_back(
    by_block: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc.delivery, "LATER_IN_BURST_S", 3600.0)
    monkeypatch.setattr(rpc.delivery, "LATER_S", 3600.0)
    small = await small_chain()
    sent = await burst_of(small, 3)
    if by_block:
        await small.execute([transfer(nonce=0)], leader=V3)
    else:
        await small.chain.consensus_changed(replace(led_by(V3), round=Round(99)))
        small.admission.leader_named()
    await turns()
    assert list(small.validators[V3].mempool) == sent[1 if by_block else 0 :]
    assert not small.validators[V2].mempool


async def test_in_a_burst_one_that_comes_when_all_others_are_executed_does_not_come_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rpc.delivery, "BURST_S", 3600.0)
    small = await small_chain()
    monkeypatch.setattr(rpc.delivery, "LATER_S", 0.0)
    await burst_of(small, 2)
    await small.execute([transfer(nonce=0), transfer(nonce=1)])
    last = await small.send(transfer(nonce=2))
    await turns()
    assert [last in small.validators[v].mempool for v in (V0, V1, V2, V3)] == [True, True, False, False]


async def test_while_the_leader_is_away_everyone_is_sent_a_transaction_at_once() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(led_by(V1))
    small.validators[V1].connected = False
    transaction = transfer(nonce=0)
    await small.send(transaction)
    await turns()
    assert [list(small.validators[v].mempool) for v in (V0, V2, V3)] == [[transaction.hash]] * 3


async def test_whoever_proved_the_newest_block_leads_until_a_validator_tells_of_a_newer_round() -> None:
    small = await small_chain()
    await small.chain.consensus_changed(led_by(V1))
    transaction = transfer(nonce=0)
    await small.send(transaction)
    await small.execute([transaction], leader=V3)
    assert small.chain.leader() == V3
    for proposed, leader in ((2, V3), (1, V0)):
        news = replace(consensus_news(0, 0), leader=V0, committed=Height(1), proposed=Height(proposed))
        await small.chain.consensus_changed(news)
        assert small.chain.leader() == leader, "while a block is on its way the next is not of that round"


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
    assert len(admits(small)) == 2
    gate.set()
    await asyncio.gather(*sends)
    assert [[t.nonce for t in admit.transactions] for admit in admits(small)] == [[0], [1], [*range(2, 50)]]


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
    assert await small.admission.submit_all([old.raw, new.raw]) == [old.hash, new.hash]
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
    monkeypatch.setattr(rpc.store_deadlines, "STORE_TIMEOUT_S", 0.01)
    monkeypatch.setattr(rpc.store_deadlines, "FULL_DISK_TIMEOUT_S", 0.01)
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


async def test_what_is_replaced_while_the_only_validator_is_away_is_answered_when_it_is_back() -> None:
    small = await small_chain(validators=1)
    validator = small.validators[V0]
    validator.connected = False
    await small.admission.pending_nonce(ACCOUNTS[0])
    old, new = transfer(), transfer(max_fee=Wei(6 * 10**9), max_priority_fee=Wei(2 * 10**9))
    sends = [asyncio.ensure_future(small.send(transaction)) for transaction in (old, new)]
    await turns()
    validator.connected = True
    small.admission.validator_joined(V0)
    await turns()
    assert [send.done() and send.result() for send in sends] == [old.hash, new.hash]
    [admit] = admits(small)
    assert [t.hash for t in admit.transactions] == [old.hash, new.hash], "it is there before it can be replaced"
    assert not small.admission._delivery.is_waited_for


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
