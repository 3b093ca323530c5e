"""The transactions that wait for their block, and which of them go into the next one.

Pure: it is told of admitted transactions, of the branch that the next proposal extends and of execution's results,
and says what to propose, what to store and what it gave up. A transaction leaves only when a block included it or
with a reason; being in a proposal is not enough, because the proposal's branch may be abandoned or execution may
leave the transaction out.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chain.codec import encode_message
from chain.fees import highest_base_fee_after, next_base_fee
from chain.genesis import Genesis
from chain.messages.mempool import AT_ONCE, BlockResult, LeftOut, PooledTransaction, Production, SenderState
from chain.operations import Mine, OrderedOperation
from chain.proposals import Proposal
from chain.replacement import outbids
from chain.types import Address, Gas, Hash32, Height, Wei
from consensus.branch import Branch, BranchBlock, Resolver
from consensus.errors import TransactionsTooLarge, UndecodableTransaction, WrongOperation
from consensus.operation_queue import MAX_OPERATION_BYTES, OperationQueue, operation_in, takes_transactions
from consensus.packing import LEAST_TRANSACTION_GAS, pack, stuck_first
from consensus.payload import Packed, Pending
from consensus.sender_queue import Entry, SenderQueue, highest_cost
from consensus.waiting import Waiting, price

MAX_RETRIES = 3
MAX_PROPOSAL_BYTES = 512 * 1024
"""Checking a few thousand transactions takes each validator tens of milliseconds, well within the 200 of a round."""
MAX_REMEMBERED = 16_384
"""Included transactions that are still remembered."""


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    transactions: int = 32_768
    bytes: int = 64 * 1024 * 1024


DEFAULT_LIMITS = MempoolLimits()


@dataclass(slots=True)
class MempoolChanges:
    """What one event did: to store, to delete, to tell. `refused` never got in, `evicted` were in.

    `senders` holds the new state of senders with waiting transactions, None for those that have none any more.
    """

    stored: list[Entry] = field(default_factory=list)
    deleted: list[Hash32] = field(default_factory=list)
    senders: dict[Address, tuple[SenderState, Height] | None] = field(default_factory=dict)
    refused: list[tuple[Hash32, str]] = field(default_factory=list)
    evicted: list[tuple[Hash32, str]] = field(default_factory=list)
    operations_done: list[int] = field(default_factory=list)


class Mempool:
    """Implements `consensus.payload.Payload`."""

    def __init__(self, genesis: Genesis, limits: MempoolLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._gas_limit = genesis.gas_limit
        self._waiting = Waiting()
        self._included: OrderedDict[Hash32, None] = OrderedDict()
        self._resolver = Resolver(self._waiting.transaction)
        self._branch = Branch(self._resolver)
        self._result = Height(0)
        self._next_base_fee = next_base_fee(genesis.base)
        self._changed: frozenset[Address] = frozenset()
        """The accounts that the newest executed block changed."""
        self._pending: tuple[int, Pending] | None = None
        """With the number of changes of what waits that it was found at."""
        self._allows_operations = genesis.dev_api
        self._production = AT_ONCE
        self.operations = OperationQueue(genesis.dev_api)

    def __len__(self) -> int:
        return len(self._waiting.entries)

    def __contains__(self, hash: Hash32) -> bool:
        return hash in self._waiting.entries

    @property
    def size_bytes(self) -> int:
        return self._waiting.size_bytes

    def restore(
        self,
        entries: Iterable[Entry],
        senders: Iterable[tuple[SenderState, Height]],
        result: Height,
        next_base_fee: Wei | None,
        production: Production = AT_ONCE,
        operations: Iterable[OrderedOperation] = (),
    ) -> None:
        """What the store held when the validator last stopped. Before anything else."""
        self._result, self._production = result, production
        self.operations.restore(operations, production.operations)
        if next_base_fee is not None:
            self._next_base_fee = next_base_fee
        for state, height in senders:
            self._waiting.queue(state.address).update_state(state.nonce, state.balance, height)
        for entry in sorted(entries, key=lambda e: e.arrival):
            self._waiting.insert(entry)
        for queue in self._waiting.queues.values():
            self._waiting.begin_run(queue)

    def transactions_after(self, after: bytes, count: int) -> tuple[tuple[PooledTransaction, ...], bool]:
        """A page of all transactions in the order of their hashes, and whether there are more."""
        entries = self._waiting.entries
        hashes = heapq.nsmallest(count + 1, (hash for hash in entries if hash > after))
        return tuple(entries[hash].transaction for hash in hashes[:count]), len(hashes) > count

    # Admission

    def admit(
        self, transactions: Sequence[PooledTransaction], senders: Sequence[SenderState], height: Height
    ) -> MempoolChanges:
        """Takes what it can; a transaction held already is taken again without effect."""
        changes = MempoolChanges()
        if transactions:
            self._count_branch()
        for state in senders:
            self._learn_state(state, height, changes)
        for transaction in transactions:
            refusal = self._admit_one(transaction, height, changes)
            if refusal is not None:
                changes.refused.append((transaction.hash, refusal))
        if any(entry.transaction.hash in self._branch for entry in changes.stored):
            self._branch.count_again()
            self._count_branch()
        return self._with_senders(changes, {entry.transaction.sender for entry in changes.stored})

    def _admit_one(self, transaction: PooledTransaction, height: Height, changes: MempoolChanges) -> str | None:
        if transaction.hash in self._waiting.entries:
            return None
        queue = self._waiting.queue(transaction.sender)
        if transaction.hash in self._included and not self._was_taken_back(transaction, queue, height):
            return None
        if transaction.nonce < queue.nonce:
            return _nonce_too_low(transaction, queue.nonce)
        replaced = queue.entries.get(transaction.nonce)
        if replaced is not None:
            if replaced.transaction.hash in self._branch:
                return f"replacement refused: 0x{replaced.transaction.hash.hex()} is in a proposed block already"
            if not outbids(transaction, replaced.transaction):
                return "replacement transaction underpriced"
            self._evict(replaced, f"replaced by 0x{transaction.hash.hex()}", changes)
        else:
            refusal = self._make_room(transaction, changes)
            if refusal is not None:
                return refusal
        changes.stored.append(self._waiting.arrived(transaction))
        if transaction.hash in changes.deleted:  # evicted before in the same message, and taken again
            changes.deleted.remove(transaction.hash)
        return None

    def _was_taken_back(self, transaction: PooledTransaction, queue: SenderQueue, height: Height) -> bool:
        """Whether a block that included it is gone, by what rpc has seen of a height that is no result here yet."""
        return height > self._result and queue.nonce <= transaction.nonce

    def _make_room(self, newcomer: PooledTransaction, changes: MempoolChanges) -> str | None:
        """Evicts the transactions that pay least, if the newcomer pays more; else the refusal, in geth's words."""
        passed: list[Entry] = []
        refusal = None
        while self._is_full_for(newcomer):
            entry = self._waiting.take_cheapest()
            if entry is None:
                refusal = "txpool is full"
                break
            if price(entry.transaction) >= price(newcomer):
                passed.append(entry)
                refusal = "transaction underpriced"
                break
            if entry.transaction.hash in self._branch:
                passed.append(entry)
                continue
            self._evict(entry, "evicted: the mempool is full and this transaction pays least", changes)
        self._waiting.put_back(passed)
        return refusal

    def _is_full_for(self, newcomer: PooledTransaction) -> bool:
        waiting, limits = self._waiting, self._limits
        return len(waiting.entries) >= limits.transactions or waiting.size_bytes + len(newcomer.raw) > limits.bytes

    # Results

    def apply_result(self, result: BlockResult) -> MempoolChanges:
        """What execution made of a block. The same result again changes nothing."""
        changes = MempoolChanges()
        is_news = result.height > self._result
        for state in result.senders:
            self._learn_state(state, result.height, changes)
        if is_news:
            self._result, self._next_base_fee = result.height, result.next_base_fee
            self._gas_limit, self._production = result.gas_limit, result.production
            self._changed = frozenset([state.address for state in result.senders])
            changes.operations_done = self.operations.executed(result.production.operations)
            executed = self._branch.drop_up_to(result.height)
            if result.undone:
                self._drop(executed, changes)
            if result.reverted:
                self._included.clear()
            self._moved(executed)
        for hash in result.included:
            self._note_included(hash, changes)
        if is_news:
            for left in result.left_out:
                self._note_left_out(left, changes)
        for state in result.senders:
            self._evict_hopeless(state, changes)
        self._with_senders(changes, set())
        self._waiting.forget_idle()
        return changes

    def _drop(self, executed: Sequence[BranchBlock], changes: MempoolChanges) -> None:
        """Blocks that were executed and taken back since: what they included is gone."""
        for transaction in (transaction for block in executed for transaction in block.transactions):
            entry = self._waiting.entries.get(transaction.hash)
            if entry is not None:
                self._evict(entry, "its block was taken back", changes)

    def admit_operations(self, operations: Sequence[OrderedOperation]) -> tuple[str, list[OrderedOperation]]:
        """Takes all of them, or says why not; and which are new, to be stored."""
        refusal = next(filter(None, map(self.operations.refusal, operations)), "")
        if refusal:
            return refusal, []
        self._pending = None
        return "", [operation for operation in operations if self.operations.add(operation)]

    def interval_ms(self, started_with: int | None) -> int | None:
        """See Payload."""
        chosen = self._production.interval_ms
        return started_with if chosen is None else chosen or None

    def _note_included(self, hash: Hash32, changes: MempoolChanges) -> None:
        self._included[hash] = None
        if len(self._included) > MAX_REMEMBERED:
            self._included.popitem(last=False)
        entry = self._waiting.entries.get(hash)
        if entry is not None:
            self._remove(entry, changes)

    def _note_left_out(self, left: LeftOut, changes: MempoolChanges) -> None:
        entry = self._waiting.entries.get(left.hash)
        if entry is None:
            return
        entry.retries += 1
        if not left.retry or entry.retries > MAX_RETRIES:
            self._evict(entry, left.reason, changes)

    def _evict_hopeless(self, state: SenderState, changes: MempoolChanges) -> None:
        """Transactions whose nonce another one used, and the next one if its sender cannot pay for it any more."""
        queue = self._waiting.queue(state.address)
        for nonce in [n for n in queue.entries if n < state.nonce]:
            entry = queue.entries[nonce]
            self._evict(entry, _nonce_too_low(entry.transaction, state.nonce), changes)
        while not queue.in_flight and (head := queue.head) is not None:
            cost = highest_cost(head.transaction)
            if cost <= queue.balance:
                break
            reason = f"address 0x{state.address.hex()} have {queue.balance} want {cost}"
            self._evict(head, f"insufficient funds for gas * price + value: {reason}", changes)

    # What the core asks (Payload)

    def follow(self, blocks: Sequence[Proposal]) -> None:
        self._moved(self._branch.follow([block for block in blocks if block.height > self._result]))

    def pending(self) -> Pending:
        waiting = self._waiting
        if self._pending is None or self._pending[0] != waiting.changes:
            bound = self._highest_base_fee()
            stuck = stuck_first(waiting.ready.values(), bound, self._gas_limit, MAX_PROPOSAL_BYTES)
            count, senders = waiting.ready_count - sum(stuck), len(waiting.ready) - len(stuck)
            full_of_gas = waiting.ready_gas + LEAST_TRANSACTION_GAS > self._gas_limit
            full = full_of_gas or waiting.ready_bytes >= MAX_PROPOSAL_BYTES
            at_once = self._production.automine and not self._branch.operates
            operation = self.operations.turn is not None and not self._branch.operates
            in_step = count == senders and self._changed.issuperset(islice(waiting.ready, len(stuck), None))
            found = Pending(senders > 0 and at_once, full and at_once, operation, count, in_step)
            self._pending = waiting.changes, found
        return self._pending[1]

    def pack(self) -> Packed:
        """Nothing after an operation that is not executed, if a block is due: it may change or drop what waits."""
        if self._branch.operates:
            return Packed((), None)
        operation = self.operations.turn
        if operation is not None and not takes_transactions(operation):
            return Packed((), encode_message(operation))
        return Packed(self._packed(), None if operation is None else encode_message(operation))

    def _packed(self) -> tuple[bytes, ...]:
        bound = self._highest_base_fee()
        chosen = pack(self._waiting.ready.values(), self._next_base_fee, bound, self._gas_limit, MAX_PROPOSAL_BYTES)
        return tuple(entry.transaction.raw for entry in chosen)

    def check(self, proposal: Proposal, gas_limit: Gas) -> None:
        if proposal.operation is not None:
            self._check_operation(proposal, proposal.operation)
        size = sum(map(len, proposal.transactions))
        if size > MAX_PROPOSAL_BYTES:
            raise TransactionsTooLarge(f"{size} bytes of transactions where {MAX_PROPOSAL_BYTES} are allowed")
        resolved = self._resolver.resolve(proposal)
        if len(resolved) != len(proposal.transactions):
            raise UndecodableTransaction(f"{len(proposal.transactions) - len(resolved)} of them in {proposal.id.hex()}")
        gas = sum(transaction.gas for transaction in resolved)
        if gas > max(gas_limit, self._gas_limit):  # an operation may have set another
            raise TransactionsTooLarge(f"transactions of {gas} gas in a block of {gas_limit}")

    def _check_operation(self, proposal: Proposal, operation: bytes) -> None:
        if not self._allows_operations:
            raise WrongOperation("this chain was made with --no-dev-api")
        if len(operation) > 2 * MAX_OPERATION_BYTES:
            raise WrongOperation(f"an operation of {len(operation)} bytes")
        if not isinstance(operation_in(operation), Mine) and proposal.transactions:
            raise WrongOperation("transactions beside an operation that makes no block")

    def _highest_base_fee(self) -> Wei:
        """A bound on the base fee of the block that the next proposal makes."""
        newest = self._branch.newest
        in_flight = 0 if newest is None else newest - self._result
        return highest_base_fee_after(self._next_base_fee, in_flight)

    # Bookkeeping

    def _learn_state(self, state: SenderState, height: Height, changes: MempoolChanges) -> None:
        queue = self._waiting.queue(state.address)
        if queue.update_state(state.nonce, state.balance, height):
            self._waiting.queues.move_to_end(state.address)
            changes.senders[state.address] = None
            self._waiting.begin_run(queue)

    def _with_senders(self, changes: MempoolChanges, more: set[Address]) -> MempoolChanges:
        """Fills in the states of the senders touched, which must be stored as long as they have transactions here."""
        for address in [*changes.senders, *sorted(more)]:
            queue = self._waiting.queue(address)
            if queue.entries:
                changes.senders[address] = SenderState(address, queue.nonce, queue.balance), queue.height
        return changes

    def _evict(self, entry: Entry, reason: str, changes: MempoolChanges) -> None:
        changes.evicted.append((entry.transaction.hash, reason))
        self._remove(entry, changes)

    def _remove(self, entry: Entry, changes: MempoolChanges) -> None:
        transaction = entry.transaction
        self._waiting.remove(entry)
        changes.deleted.append(transaction.hash)
        changes.stored = [stored for stored in changes.stored if stored is not entry]
        changes.senders[transaction.sender] = None

    def _moved(self, left: Sequence[BranchBlock]) -> None:
        """These left the branch followed, others may have joined it: their senders' runs change."""
        touched: dict[Address, SenderQueue] = {}
        for block in left:
            for tx in block.pooled if block.counted else ():
                queue = touched[tx.sender] = self._waiting.queue(tx.sender)
                if queue.in_flight.get(tx.nonce, (None, 0))[0] == block.height:
                    del queue.in_flight[tx.nonce]
        self._begin_runs(touched)
        if self._waiting.entries:
            self._count_branch()
        self._pending = None

    def _count_branch(self) -> None:
        """Tells the senders' queues what of theirs is in the branch. Nobody needs to know as long as nothing waits."""
        touched: dict[Address, SenderQueue] = {}
        for block in self._branch.uncounted():
            for tx in block.pooled:
                queue = touched[tx.sender] = self._waiting.queue(tx.sender)
                queue.in_flight[tx.nonce] = (block.height, highest_cost(tx))
            block.counted = True
        self._begin_runs(touched)

    def _begin_runs(self, touched: Mapping[Address, SenderQueue]) -> None:
        for queue in touched.values():
            self._waiting.begin_run(queue)


def _nonce_too_low(transaction: PooledTransaction, state_nonce: int) -> str:
    sender = transaction.sender.hex()
    return f"nonce too low: address 0x{sender}, tx: {transaction.nonce} state: {state_nonce}"
