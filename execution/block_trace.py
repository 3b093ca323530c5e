"""A stored block run again, one transaction after the other, to see what each of them read and wrote.

Runs in a reader worker: what it misses of the state before the block is read from storage, which blocks.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from chain.accounts import Account
from chain.block_case import BlockCase
from chain.keccak import keccak256
from chain.links import RequestFailed
from chain.messages.traces import Access, BlockTrace, TraceBlock, TraceFailed, TransactionTrace
from chain.records import AccessKind
from chain.transactions import Transaction, included_transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.errors import CallTimeout, CannotInclude, ExecutionError
from execution.evm.tracing import TracingEngine
from execution.known import KnownState
from execution.outcome import Reads, Slot, Writes
from execution.pre_state import PreStateTooLarge, WatchedState
from execution.speculative_view import SpeculativeView
from execution.storage_requests import BlockingReads

MAX_HASHES = 16_384
"""Preimages kept while a transaction runs, the newest; a slot is computed shortly before it is used."""
SLOTS_AFTER_HASH = 2**64
"""How far after a hash the elements of an array may lie."""
MAX_KEYS = 200_000
MAX_CODE_BYTES = 16 * 1024 * 1024
"""What one answer holds at most, which must fit into a message: reads, writes and looks at keys, and bytes of code."""


class TraceDiffers(ExecutionError):
    """The block came out differently when it ran again."""


class TraceTooLarge(ExecutionError):
    """The block touches more than one answer can hold."""

    def __init__(self, number: BlockNumber) -> None:
        super().__init__(f"block {number} reads, writes and looks at more than {MAX_KEYS:,} keys: too many for a trace")


@dataclass(slots=True)
class RunView:
    """The state as one run sees it (implements execution.evm.tracing.TracedView), and what that run told."""

    below: SpeculativeView
    started_ns: int = field(default_factory=time.thread_time_ns)
    accounts: dict[Address, None] = field(default_factory=dict)
    slots: dict[Slot, None] = field(default_factory=dict)
    slot_reads: dict[Slot, int] = field(default_factory=dict)
    hashes: dict[Hash32, bytes] = field(default_factory=dict)

    def account(self, address: Address) -> Account:
        self.accounts[address] = None
        return self.below.account(address)

    def slot(self, address: Address, number: int) -> int:
        value = self.slot_reads[address, number] = self.below.slot(address, number)
        return value

    def code(self, code_hash: Hash32) -> bytes:
        return self.below.code(code_hash)

    def block_hash(self, number: BlockNumber) -> Hash32:
        return self.below.block_hash(number)

    def looked_at(self, address: Address) -> None:
        self.accounts[address] = None

    def looked_at_slot(self, key: Slot) -> None:
        self.slots[key] = None

    def hashed(self, preimage: bytes, digest: Hash32) -> None:
        self.hashes[digest] = preimage
        if len(self.hashes) > MAX_HASHES:
            del self.hashes[next(iter(self.hashes))]


async def trace_block(task: TraceBlock, engine: TracingEngine, reads: BlockingReads) -> BlockTrace | TraceFailed:
    """The trace. Lets the event loop turn between two transactions."""
    try:
        return await _Tracing(task, engine, reads).run()
    except (RequestFailed, TraceDiffers, TraceTooLarge, PreStateTooLarge) as error:
        return TraceFailed(task.trace_id, str(error))
    except CallTimeout:
        limit = f"{task.time_limit_ms / 1000:g} s"
        return TraceFailed(task.trace_id, f"block {task.environment.number} takes longer than {limit} to run again")


class _Tracing:
    """One trace on its way."""

    def __init__(self, task: TraceBlock, engine: TracingEngine, reads: BlockingReads) -> None:
        self._task = task
        self._engine = engine
        self._deadline = time.monotonic() + task.time_limit_ms / 1000
        known = KnownState()
        known.applied = BlockNumber(task.environment.number - 1)
        known.learn_hash(known.applied, task.parent_hash)
        self._before = WatchedState(known)
        self._before.block_hash(known.applied)
        self._view = SpeculativeView(known, reads, task.base, task.environment.beneficiary, self._before)
        self._codes: dict[Hash32, bytes] = {}
        self._keys = 0

    async def run(self) -> BlockTrace:
        """Raises CallTimeout, TraceDiffers, TraceTooLarge, PreStateTooLarge, and RequestFailed if the state is gone."""
        decoded = [(tx.sender, included_transaction(tx.raw)) for tx in self._task.transactions]
        self._view.read_named((sender, tx.to, tx.access_list) for sender, tx in decoded if sender is not None)
        start = self._start()
        traces = []
        for index, (sender, transaction) in enumerate(decoded):
            await asyncio.sleep(0)
            assert sender is not None, "a stored block has no malformed transactions"
            traces.append(self._transaction(index, transaction, sender))
        self._check_gas(sum(trace.gas_used for trace in traces))
        return BlockTrace(self._task.trace_id, start, tuple(traces), self._end(len(traces)), self._codes, self._case())

    def _start(self) -> TransactionTrace:
        view = RunView(self._view)
        writes, slot = self._engine.block_start(self._task.environment, self._task.parent_beacon_root, view)
        if slot is not None:
            view.slots[slot] = None
            writes.slots[slot] = int.from_bytes(self._task.parent_hash, "big")
        return self._merged(-1, view, _slot_reads(view), writes, Wei(0), Gas(0))

    def _transaction(self, index: int, transaction: Transaction, sender: Address) -> TransactionTrace:
        view = RunView(self._view)
        try:
            outcome = self._engine.execute(transaction, sender, self._task.environment, view, self._deadline)
        except CannotInclude as reason:
            raise TraceDiffers(f"transaction {index} of the block could not be run again: {reason}") from None
        return self._merged(index, view, _reads(outcome.reads), outcome.writes, outcome.fee, outcome.gas_used)

    def _end(self, index: int) -> TransactionTrace:
        view = RunView(self._view)
        no_logs = ()  # they decide the hash of the block's requests, and nothing of the state
        writes, _ = self._engine.block_end(self._task.environment, no_logs, view)
        return self._merged(index, view, _slot_reads(view), writes, Wei(0), Gas(0))

    def _merged(
        self,
        index: int,
        view: RunView,
        reads: Iterable[Access],
        writes: Writes,
        fee: Wei,
        gas_used: Gas,
    ) -> TransactionTrace:
        """Takes over the writes; what they changed is known from the state before and after."""
        thread_us = (time.thread_time_ns() - view.started_ns) // 1000
        beneficiary = self._task.environment.beneficiary
        addresses = dict.fromkeys([*writes.nonces, *writes.balances, *writes.codes, *([beneficiary] if fee else [])])
        old_accounts = {address: self._view.account(address) for address in addresses}
        self._view.merge(index, writes, fee)
        self._codes.update((keccak256(code), code) for code in writes.codes.values())
        changes = [
            *_account_changes(old_accounts, {address: self._view.account(address) for address in addresses}),
            *[Access(AccessKind.SLOT, address, slot, value) for (address, slot), value in writes.slots.items()],
        ]
        slots = tuple(dict.fromkeys([*view.slot_reads, *view.slots, *writes.slots]))
        preimages = preimages_of([number for _, number in slots], view.hashes)
        accounts = tuple(dict.fromkeys([*view.accounts, *addresses]))
        trace = TransactionTrace(tuple(reads), tuple(changes), accounts, slots, preimages, thread_us, gas_used)
        self._keys += len(trace.reads) + len(changes) + len(accounts) + len(slots)
        if self._keys > MAX_KEYS:
            raise TraceTooLarge(self._task.environment.number)
        return trace

    def _check_gas(self, gas_used: int) -> None:
        expected = self._task.expected
        if expected is not None and gas_used != expected.gas_used:
            raise TraceDiffers(f"the block used {expected.gas_used} gas, but running it again uses {gas_used}")

    def _case(self) -> BlockCase:
        task = self._task
        return BlockCase(
            environment=task.environment,
            transactions=task.transactions,
            accounts=self._view.with_values(lambda: self._before.accounts(MAX_CODE_BYTES)),
            block_hashes=self._before.block_hashes,
            parent_beacon_root=task.parent_beacon_root,
            expected=task.expected,
        )


def preimages_of(slots: Iterable[int], hashes: Mapping[Hash32, bytes]) -> dict[Hash32, bytes]:
    """Those of the hashes that the slots lie at or shortly after, and that their preimages end with, and so on."""
    digests = sorted(hashes)
    found: dict[Hash32, bytes] = {}
    waiting = list(slots)
    while waiting:
        slot = waiting.pop()
        at = bisect_right(digests, slot.to_bytes(32, "big")) - 1
        if at < 0 or slot - int.from_bytes(digests[at], "big") >= SLOTS_AFTER_HASH or digests[at] in found:
            continue
        preimage = found[digests[at]] = hashes[digests[at]]
        if len(preimage) >= 32:
            waiting.append(int.from_bytes(preimage[-32:], "big"))
    return found


def _reads(reads: Reads) -> Iterator[Access]:
    for address, nonce in reads.nonces.items():
        yield Access(AccessKind.NONCE, address, 0, nonce)
    for address, code_hash in reads.code_hashes.items():
        yield Access(AccessKind.CODE, address, 0, int.from_bytes(code_hash, "big"))
    for address, balance in reads.balances.items():
        yield Access(AccessKind.BALANCE, address, 0, balance)
    for address, minimum in reads.minimums.items():
        yield Access(AccessKind.BALANCE_AT_LEAST, address, 0, minimum)
    for address, empty in reads.empty.items():
        yield Access(AccessKind.EMPTINESS, address, 0, int(empty))
    for (address, slot), value in reads.slots.items():
        yield Access(AccessKind.SLOT, address, slot, value)


def _slot_reads(view: RunView) -> Iterator[Access]:
    """The reads of a system call, of which only slots are of interest."""
    for (address, slot), value in view.slot_reads.items():
        yield Access(AccessKind.SLOT, address, slot, value)


def _account_changes(before: Mapping[Address, Account], after: Mapping[Address, Account]) -> Iterator[Access]:
    for address, account in after.items():
        old = before[address]
        if account.nonce != old.nonce:
            yield Access(AccessKind.NONCE, address, 0, account.nonce)
        if account.balance != old.balance:
            yield Access(AccessKind.BALANCE, address, 0, account.balance)
        if account.code_hash != old.code_hash:
            yield Access(AccessKind.CODE, address, 0, int.from_bytes(account.code_hash, "big"))
