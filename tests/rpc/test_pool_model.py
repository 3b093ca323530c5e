"""The pool against its rules said again, over random transactions, blocks and refusals."""

import os
import random

import pytest

from chain.messages.mempool import PooledTransaction, SenderState
from chain.types import Address, Hash32, Wei
from rpc.errors import TransactionRejected
from rpc.pool import Place, PoolLimits, TransactionPool
from rpc.transaction_errors import (
    AccountLimitExceeded,
    AlreadyKnown,
    InsufficientFunds,
    InsufficientFundsForAll,
    InsufficientFundsForReplacement,
    NonceTooLow,
    PoolFull,
    ReplacementUnderpriced,
)
from tests.rpc.pool_world import ALICE, BOB, V0, execute, pooled

SEED = int(os.environ.get("TANDEM_SEED", "7"))


class Model:
    """The pool's rules said again, slowly: everything is computed from the list of transactions."""

    def __init__(self) -> None:
        self.states = {address: SenderState(address, 0, Wei(5_000)) for address in (ALICE, BOB)}
        self.held: list[PooledTransaction] = []
        self.evicted: set[Hash32] = set()

    def of(self, sender: Address) -> list[PooledTransaction]:
        return [t for t in self.held if t.sender == sender]

    def next_nonce(self, sender: Address) -> int:
        nonce = self.states[sender].nonce
        nonces = {t.nonce for t in self.of(sender)}
        while nonce in nonces:
            nonce += 1
        return nonce

    def cost(self, sender: Address) -> int:
        return sum(t.value + t.max_fee for t in self.of(sender))

    def refusal(self, new: PooledTransaction, limits: PoolLimits) -> type[TransactionRejected] | None:
        state, cost = self.states[new.sender], new.value + new.max_fee
        [*old] = [t for t in self.of(new.sender) if t.nonce == new.nonce]
        spent = self.cost(new.sender) - sum(t.value + t.max_fee for t in old)
        behind_gap = [t for t in self.of(new.sender) if t.nonce > self.next_nonce(new.sender)]
        if new in self.held:
            return AlreadyKnown
        if new.nonce < state.nonce:
            return NonceTooLow
        if state.balance < cost:
            return InsufficientFunds
        if state.balance < spent + cost:
            return InsufficientFundsForReplacement if old else InsufficientFundsForAll
        if not old and len(self.held) >= limits.transactions:
            return PoolFull
        if not old and new.nonce > self.next_nonce(new.sender) and len(behind_gap) >= limits.queued_of_one_sender:
            return AccountLimitExceeded
        if old and not all(
            10 * b >= 11 * a - 9 and b > a
            for a, b in ((old[0].max_fee, new.max_fee), (old[0].max_priority_fee, new.max_priority_fee))
        ):
            return ReplacementUnderpriced
        return None

    def add(self, new: PooledTransaction) -> None:
        for old in [t for t in self.of(new.sender) if t.nonce == new.nonce]:
            self.held.remove(old)
            self.evicted.add(old.hash)
        self.held.append(new)
        self.evicted.discard(new.hash)


def random_block(model: Model, pool: TransactionPool, rng: random.Random) -> None:
    """Execute some of a sender's next transactions, give its nonce a push, or change its balance."""
    sender = rng.choice((ALICE, BOB))
    state = model.states[sender]
    ready = sorted((t for t in model.of(sender) if t.nonce < model.next_nonce(sender)), key=lambda t: t.nonce)
    included = ready[: rng.randrange(4)]
    nonce = state.nonce + len(included) + (rng.random() < 0.2)
    model.states[sender] = SenderState(sender, nonce, Wei(rng.randrange(3_000, 8_000)))
    for transaction in model.of(sender):
        if transaction in included or transaction.nonce < nonce:
            model.held.remove(transaction)
            if transaction not in included:
                model.evicted.add(transaction.hash)
    execute(pool, included, [model.states[sender]])


def check(model: Model, pool: TransactionPool) -> None:
    assert set(pool) == set(model.held)
    assert len(pool) == len(model.held)
    assert pool.raw_bytes == sum(len(t.raw) for t in model.held)
    for sender, state in model.states.items():
        assert pool.state(sender) == state
        assert pool.pending_nonce(sender) == model.next_nonce(sender)
        assert pool.queued_cost(sender) == model.cost(sender)
    pending = [t for t in model.held if t.nonce < model.next_nonce(t.sender)]
    assert pool.counts() == (len(pending), len(model.held) - len(pending))
    for transaction in model.held:
        assert pool.place(transaction.hash) is (Place.PENDING if transaction in pending else Place.QUEUED)
    assert all(pool.eviction(transaction_hash) is not None for transaction_hash in model.evicted)


@pytest.mark.parametrize("run", range(5))
def test_the_pool_is_its_model_whatever_happens(run: int) -> None:
    print(f"TANDEM_SEED={SEED}")
    rng = random.Random(f"{SEED} {run}")
    limits = PoolLimits(transactions=12, queued_of_one_sender=4, idle_senders=2, evictions=100_000)
    model, pool = Model(), TransactionPool(limits)
    for state in model.states.values():
        pool.learn(state)
    for _ in range(1_500):
        sender = rng.choice((ALICE, BOB))
        nonce = max(0, model.states[sender].nonce + rng.randrange(-1, 8))
        fee, tip = rng.randrange(90, 130), rng.randrange(1, 20)
        new = pooled(nonce, sender, fee, tip, rng.choice((0, 0, 1_000, 9_000)))
        expected = model.refusal(new, limits)
        if expected is None:
            pool.add(new)
            model.add(new)
        else:
            with pytest.raises(expected) as refused:
                pool.add(new)
            assert refused.type is expected
        if rng.random() < 0.15:
            random_block(model, pool, rng)
        if model.held and rng.random() < 0.05:
            gone = rng.choice(model.held)
            model.held.remove(gone)
            model.evicted.add(gone.hash)
            assert pool.given_up_by(gone.hash, V0, "gave up", others=0)
        check(model, pool)
