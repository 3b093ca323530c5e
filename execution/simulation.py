"""eth_simulateV1 in a reader worker: blocks of calls on top of a stored one (geth's internal/ethapi/simulate.go)."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from chain.fees import BLOB_GAS_PER_BLOB, next_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.headers import EMPTY_REQUESTS_HASH, Header
from chain.links import RequestFailed
from chain.merkle import ordered_root
from chain.messages.execution import BlockEnvironment
from chain.messages.simulation import (
    BlockToSimulate,
    CallInBlock,
    RunSimulation,
    Simulated,
    SimulatedBlock,
    SimulatedCall,
    SimulationFailed,
    StateRoot,
    WorkOutRoot,
)
from chain.receipts import Log, Receipt, bloom_of
from chain.transactions import Transaction
from chain.types import ZERO_HASH, BlockNumber, Gas, Hash32, Wei
from execution.block_execution import reward_of
from execution.engine import Engine
from execution.errors import (
    CallTimeout,
    CannotInclude,
    ExecutionError,
    FeeCapTooLow,
    InitCodeTooLarge,
    InsufficientFunds,
    IntrinsicGasTooLow,
    NonceTooHigh,
    NonceTooLow,
    SystemContractFailed,
    TipAboveFeeCap,
)
from execution.evm.computation import Computation
from execution.evm.executor import Executor, Result
from execution.evm.stepping import stepping
from execution.known import KnownState
from execution.outcome import Outcome, Writes
from execution.overrides import OverrideRefused
from execution.reader import UnexpectedAnswer
from execution.speculative_view import SpeculativeView
from execution.storage_requests import BlockingReads
from execution.transfer_logs import TransferLogs

NumberedLogs: TypeAlias = tuple[tuple[int, Log], ...]
MAX_ANSWER_BYTES = 6 * 1024 * 1024
LOG_BYTES = 200
SERVER_ERROR = -32_000
INTERNAL_ERROR = -32_603
BLOCK_GAS_LIMIT_REACHED = -38_015
CODES: tuple[tuple[type[CannotInclude], int], ...] = (
    (NonceTooLow, -38_010),
    (NonceTooHigh, -38_011),
    (FeeCapTooLow, -38_012),
    (IntrinsicGasTooLow, -38_013),
    (InsufficientFunds, -38_014),
    (InitCodeTooLarge, -38_025),
    (TipAboveFeeCap, -32_602),
)
"""geth's internal/ethapi/errors.go."""
CAPPED = " (gas limit was capped by the RPC server's global gas cap)"


class SimulationRefused(ExecutionError):
    """A block or call that cannot be; `code` is JSON-RPC's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def simulate(task: RunSimulation, engine: Engine, reads: BlockingReads) -> Simulated | SimulationFailed:
    """`engine` has the rules of the first block's fork, and gives those of others by `of_fork`."""
    try:
        simulation = _Simulation(task, engine, reads)
        made = simulation.blocks()
        return Simulated(task.call_id, made, simulation.view.changes() if task.tells_changes else ())
    except SimulationRefused as refusal:
        return SimulationFailed(task.call_id, refusal.code, str(refusal))
    except (OverrideRefused, SystemContractFailed) as error:
        return SimulationFailed(task.call_id, SERVER_ERROR, str(error))
    except RequestFailed as error:
        return SimulationFailed(task.call_id, SERVER_ERROR, error.text)
    except CallTimeout:
        limit_s = task.time_limit_ms / 1000
        return SimulationFailed(task.call_id, SERVER_ERROR, f"execution aborted (timeout = {limit_s:g}s)")


class _Simulation:
    """The chain of simulated blocks as it grows."""

    def __init__(self, task: RunSimulation, engine: Engine, reads: BlockingReads) -> None:
        self._task = task
        self._engine = engine
        self._reads = reads
        self._deadline = time.monotonic() + task.time_limit_ms / 1000
        self._known = KnownState()
        self._view = SpeculativeView(self._known, reads, task.version, task.base.beneficiary)
        self._parent = task.base
        self._gas_left = int(task.gas_cap)
        self._bytes = 0

    def blocks(self) -> tuple[SimulatedBlock, ...]:
        """Raises SimulationRefused, OverrideRefused, CallTimeout, and RequestFailed if the state is gone."""
        made = []
        for block in self._task.blocks:
            simulated = _Block(self, block, self._parent).run()
            made.append(simulated)
            self._parent = simulated.header
        return tuple(made)

    @property
    def task(self) -> RunSimulation:
        return self._task

    @property
    def view(self) -> SpeculativeView:
        return self._view

    @property
    def deadline(self) -> float:
        return self._deadline

    def engine_of(self, fork: Fork) -> Engine:
        return self._engine.of_fork(fork)

    def begin(self, number: BlockNumber, parent_hash: Hash32) -> None:
        """Blocks see the hashes of those before them, simulated or not."""
        self._known.applied = BlockNumber(number - 1)
        self._known.learn_hash(self._known.applied, parent_hash)

    def gas_for(self, wanted: Gas) -> Gas:
        return Gas(min(wanted, self._gas_left))

    def use(self, gas: Gas) -> None:
        if gas > self._gas_left:
            raise SimulationRefused(SERVER_ERROR, f"RPC gas cap exhausted: need {gas}, remaining {self._gas_left}")
        self._gas_left -= gas

    def tell(self, size: int) -> None:
        """Counts bytes of the answer, which one message must hold."""
        self._bytes += size
        if self._bytes > MAX_ANSWER_BYTES:
            raise SimulationRefused(SERVER_ERROR, "response too large: simulate fewer calls")

    def state_root(self) -> Hash32:
        """Of no use, and not worked out, where the changes themselves are told."""
        if self._task.tells_changes:
            return ZERO_HASH
        answer = self._reads.request(WorkOutRoot(self._task.version, self._view.changes()))
        if not isinstance(answer, StateRoot):
            raise UnexpectedAnswer("StateRoot", answer)
        return answer.root


class _Block:
    """One block on its way."""

    def __init__(self, simulation: _Simulation, block: BlockToSimulate, parent: Header) -> None:
        self._simulation = simulation
        self._block = block
        self._parent_hash = parent.hash()
        self._difficulty = parent.difficulty
        self._environment = _environment(block, parent, simulation.task.validates)
        self._engine = simulation.engine_of(self._environment.fork)
        self._view = simulation.view
        self._gas_used = 0
        self._blob_gas_used = 0
        self._logs = 0
        self._transactions: list[Transaction] = []
        self._receipts: list[Receipt] = []

    def run(self) -> SimulatedBlock:
        simulation, block = self._simulation, self._block
        simulation.begin(self._environment.number, self._parent_hash)
        if block.overrides:
            self._engine = self._engine.overridden(block.overrides, self._view)
        self._start()
        calls, left_out = [], []
        for position, call in enumerate(block.calls):
            try:
                calls.append(self._call(call))
            except SimulationRefused:
                if not block.leaves_out:
                    raise
                left_out.append(position)
        requests_hash = self._end([log for receipt in self._receipts for log in receipt.logs])
        header = self._header(requests_hash, simulation.state_root())
        return SimulatedBlock(header, tuple(calls), tuple(left_out))

    def _start(self) -> None:
        writes, slot = self._engine.block_start(self._environment, self._block.parent_beacon_root, self._view)
        if slot is not None:
            writes.slots[slot] = int.from_bytes(self._parent_hash, "big")
        self._view.merge(-1, writes, Wei(0))

    def _end(self, logs: Sequence[Log]) -> Hash32 | None:
        index = len(self._transactions)
        writes, requests_hash = self._engine.block_end(self._environment, logs, self._view)
        self._view.merge(index, writes, Wei(0))
        paid = Writes(balances={self._environment.beneficiary: reward_of(self._environment.fork)})
        for withdrawal in self._block.withdrawals:
            paid.balances[withdrawal.address] = paid.balances.get(withdrawal.address, 0) + withdrawal.amount
        self._view.merge(index, paid, Wei(0))
        return requests_hash

    def _call(self, call: SimulatedCall) -> CallInBlock:
        simulation, message = self._simulation, call.message
        remaining = Gas(self._environment.gas_limit - self._gas_used)
        wanted = remaining if call.gas is None else call.gas
        if remaining < wanted:
            words = f"block gas limit reached: remaining: {remaining}, required: {wanted}"
            raise SimulationRefused(BLOCK_GAS_LIMIT_REACHED, words)
        is_pooled = self._block.leaves_out
        gas = wanted if is_pooled else simulation.gas_for(wanted)
        nonce = self._view.account(message.sender).nonce if call.nonce is None else call.nonce
        transaction = call.transaction(self._environment.chain_id, gas, nonce)
        outcome, peak, logs = self._executed(transaction, call)
        if not is_pooled:
            simulation.use(outcome.gas_used)
        simulation.tell(len(outcome.output) + sum(len(log.data) + LOG_BYTES for _, log in logs))
        self._take(transaction, outcome)
        return CallInBlock(
            nonce=nonce,
            gas=gas,
            output=outcome.output,
            error=outcome.error + (CAPPED if outcome.error and gas < wanted and not _reverted(outcome) else ""),
            gas_used=outcome.gas_used,
            peak_gas=peak,
            logs=logs if outcome.succeeded else (),
        )

    def _executed(self, transaction: Transaction, call: SimulatedCall) -> tuple[Outcome, Gas, NumberedLogs]:
        """Runs the call; step by step only if that tells more: of transfers, or which logs were undone."""
        first = self._logs
        executor, result = self._run(self._engine.rules, transaction, call)
        logs = tuple(enumerate(executor.db.logs, first))
        self._logs += len(logs)
        if self._simulation.task.traces_transfers or executor.db.undone_logs:
            listener = TransferLogs(first, tells_transfers=self._simulation.task.traces_transfers)
            executor, result = self._run(stepping(self._engine.rules, listener), transaction, call)
            logs, self._logs = listener.logs, listener.next
        return executor.outcome(transaction, result), result.peak_gas, logs

    def _run(self, rules: type[Computation], transaction: Transaction, call: SimulatedCall) -> tuple[Executor, Result]:
        """Raises SimulationRefused for what a block cannot have."""
        sender, is_signed = call.message.sender, bool(call.raw)
        environment, validates = self._environment, self._simulation.task.validates
        if transaction.blob_hashes and not transaction.max_blob_fee and not validates:
            environment = replace(environment, blob_base_fee=Wei(0))
        executor = Executor(
            rules, environment, self._view, deadline=self._simulation.deadline, asks_no_fees=not validates
        )
        try:
            if is_signed:
                executor.check(transaction, sender)
            elif validates:
                executor.check_nonce(transaction, sender)
            return executor, executor.run(transaction, sender)
        except CannotInclude as refusal:
            if is_signed:
                raise SimulationRefused(SERVER_ERROR, str(refusal)) from None
            code = next((code for kind, code in CODES if isinstance(refusal, kind)), INTERNAL_ERROR)
            raise SimulationRefused(code, f"err: {refusal} (supplied gas {transaction.gas})") from None

    def _take(self, transaction: Transaction, outcome: Outcome) -> None:
        """Show what the call did to those after it, and its fee, which goes to this block's beneficiary."""
        writes, payee = outcome.writes, self._environment.beneficiary
        if outcome.fee:
            writes.balances[payee] = writes.balances.get(payee, 0) + outcome.fee
        self._view.merge(len(self._transactions), writes, Wei(0))
        self._transactions.append(transaction)
        self._gas_used += outcome.gas_used
        self._blob_gas_used += BLOB_GAS_PER_BLOB * len(transaction.blob_hashes)
        state_root = self._simulation.state_root() if self._environment.fork < Fork.BYZANTIUM else None
        self._receipts.append(outcome.receipt(transaction.type, Gas(self._gas_used), state_root))

    def _header(self, requests_hash: Hash32 | None, state_root: Hash32) -> Header:
        environment, fork = self._environment, self._environment.fork
        is_cancun = fork >= Fork.CANCUN
        withdrawals = [withdrawal.encode() for withdrawal in self._block.withdrawals]
        return Header(
            parent_hash=self._parent_hash,
            beneficiary=environment.beneficiary,
            state_root=state_root,
            transactions_root=ordered_root([transaction.raw for transaction in self._transactions]),
            receipts_root=ordered_root([receipt.encode() for receipt in self._receipts]),
            logs_bloom=bloom_of(log for receipt in self._receipts for log in receipt.logs),
            number=environment.number,
            gas_limit=environment.gas_limit,
            gas_used=Gas(self._gas_used),
            timestamp=environment.timestamp,
            prev_randao=self._block.environment.prev_randao,
            extra_data=self._block.extra_data,
            difficulty=self._difficulty if fork < Fork.PARIS else 0,
            base_fee=environment.base_fee if fork >= Fork.LONDON else None,
            withdrawals_root=ordered_root(withdrawals) if fork >= Fork.SHANGHAI else None,
            blob_gas_used=Gas(self._blob_gas_used) if is_cancun else None,
            excess_blob_gas=environment.excess_blob_gas if is_cancun else None,
            parent_beacon_root=(self._block.parent_beacon_root or ZERO_HASH) if is_cancun else None,
            requests_hash=(requests_hash or EMPTY_REQUESTS_HASH) if fork >= Fork.PRAGUE else None,
        )


def _reverted(outcome: Outcome) -> bool:
    return outcome.error == "execution reverted"


def _environment(block: BlockToSimulate, parent: Header, validates: bool) -> BlockEnvironment:
    """What follows from the block before: base fee and excess blob gas."""
    environment, fork = block.environment, block.environment.fork
    base_fee = block.base_fee
    if base_fee is None:
        base_fee = next_base_fee(parent) if validates and fork >= Fork.LONDON else Wei(0)
    excess = next_excess_blob_gas(parent, fork) if fork >= Fork.CANCUN else Gas(0)
    if fork < Fork.PARIS:
        environment = replace(environment, prev_randao=Hash32(parent.difficulty.to_bytes(32, "big")))
    return replace(environment, base_fee=base_fee, excess_blob_gas=excess)
