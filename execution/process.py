"""The execution process: follows committed proposals, executes them in order, hands the blocks to storage, and tells
validators and rpc what became of them.

Executing and applying overlap (execution.pipeline): blocks run on top of a few that storage still applies.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from chain.forks import Fork
from chain.genesis import Genesis
from chain.links import Link, Peer
from chain.messages import Message
from chain.messages.execution import BlockNews, ExecutionStatus, FollowBlocks, ReadExecutionStatus
from chain.messages.link import Done
from chain.messages.mempool import CatchingUp, Committed, FollowCommits, SenderHints
from chain.messages.storage import BlockApplied, ReadHead, ReadSettings, StoredSettings
from chain.messages.tasks import FollowTasks, ReceiptsSummarized, RootComputed, TransactionsRun
from chain.operations import BlockSettings
from chain.types import Hash32, ValidatorIndex
from execution.announcers import NewsFollower, Progress, ResultSender
from execution.assembly import ExecutedBlock
from execution.block_run import TransactionEngine
from execution.errors import ExecutionError
from execution.history import Announcement, History
from execution.intake import WINDOW, FalseProposal, Intake, Prove, nothing_is_proven
from execution.lost_blocks import LostBlocks
from execution.operations import ExecutedOperation, Operations
from execution.pipeline import Pipeline
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.reader import UnexpectedAnswer
from execution.senders import Senders
from execution.storage_requests import PatientStorage, StorageRequests

log = logging.getLogger("tandem.execution")


OutsideWorkers: TypeAlias = Callable[[Pool, StorageRequests], Coroutine[Any, Any, None]]
"""Keeps workers in the pool that do not connect by themselves, and reads from storage for them. Never ends."""


class UnknownRequest(ExecutionError):
    """A message that execution does not answer."""

    def __init__(self, message: Message) -> None:
        super().__init__(f"execution does not answer a {type(message).__name__}")


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """`strategy` by name; with `check_serial`, mismatches are saved in the folder `cases`."""

    strategy: str = "optimistic"
    check_serial: bool = False
    cases: Path = Path("cases")


@dataclass(slots=True)
class _Running:
    """What exists once storage has told where the chain stands."""

    processor: BlockProcessor
    intake: Intake
    history: History
    senders: list[ResultSender]
    pipeline: Pipeline
    lost_blocks: LostBlocks


class ExecutionProcess:
    """Implements chain.links.Service; `run` does the work. `validators` in the order of the genesis. `prove` says
    whether a proof shows that a proposal is committed.
    """

    def __init__(
        self,
        genesis: Genesis,
        storage: Link,
        validators: Sequence[Link],
        engine_for: Callable[[Fork], TransactionEngine],
        options: ExecutionOptions,
        on_block: Callable[[BlockNews, ExecutedBlock], None],
        on_trouble: Callable[[str], None],
        outside_workers: OutsideWorkers | None = None,
        prove: Prove = nothing_is_proven,
    ) -> None:
        self._genesis = genesis
        self._prove = prove
        self._storage = PatientStorage(storage, on_trouble)
        self._validators = validators
        self._engine_for = engine_for
        self._options = options
        self._on_block = on_block
        self._on_trouble = on_trouble
        self._outside_workers = outside_workers
        self._pool = Pool(cores=len(os.sched_getaffinity(0)) if outside_workers is None else None)
        self._senders = Senders(genesis.forks.newest)
        self._progress = Progress()
        self._newest = Progress()
        self._results = Progress()
        self._running: asyncio.Future[_Running] = asyncio.get_running_loop().create_future()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._followers: dict[Peer, asyncio.Task[None]] = {}
        self._counters: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled. Raises what must stop the process: SerialMismatch, ProposalsForked, a refusal of storage."""
        running = self._start(*await self._head())
        self._running.set_result(running)
        for index, validator in enumerate(self._validators):
            validator.follow(self._follow_request(running, index), partial(self._take, running, index))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(running.pipeline.run())
                group.create_task(self._apply(running))
                group.create_task(self._fail())
                if self._outside_workers is not None:
                    group.create_task(self._outside_workers(self._pool, self._storage))
                for sender in running.senders:
                    group.create_task(sender.run())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            running.lost_blocks.close()
            for follower in self._followers.values():
                follower.cancel()

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        if isinstance(message, FollowTasks):
            self._pool.follow(peer)
        elif isinstance(message, FollowBlocks):
            await self._follow_blocks(message, peer)
        elif isinstance(message, ReadExecutionStatus):
            return await self._status()
        else:
            raise UnknownRequest(message)
        return Done()

    def hear(self, message: Message, peer: Peer) -> None:
        """Workers' outcomes, and rpc's hints. Raises UnknownRequest."""
        if isinstance(message, TransactionsRun | RootComputed | ReceiptsSummarized):
            self._pool.finished(peer, message.task_id, message)
        elif isinstance(message, SenderHints):
            self._senders.hint(message.senders)
        else:
            raise UnknownRequest(message)

    def joined(self, peer: Peer) -> None:
        """Who connected says by its first request what it wants."""

    def left(self, peer: Peer) -> None:
        self._pool.left(peer)
        follower = self._followers.pop(peer, None)
        if follower is not None:
            follower.cancel()

    async def _head(self) -> tuple[BlockApplied, BlockSettings]:
        head, stored = await self._storage.request(ReadHead()), await self._storage.request(ReadSettings())
        if not isinstance(head, BlockApplied):
            raise UnexpectedAnswer("BlockApplied", head)
        if not isinstance(stored, StoredSettings):
            raise UnexpectedAnswer("StoredSettings", stored)
        return head, stored.settings

    def _start(self, head: BlockApplied, settings: BlockSettings) -> _Running:
        genesis, options = self._genesis, self._options
        processor = BlockProcessor(
            genesis.chain_id,
            genesis.forks,
            head,
            self._storage,
            self._engine_for,
            options.strategy,
            self._pool,
            self._senders,
            options.cases if options.check_serial else None,
            settings,
            shares_roots=self._outside_workers is None,
        )
        stakes = [validator.stake for validator in genesis.validators]
        history = History(self._storage, head.height, genesis.gas_limit, settings)
        senders = [
            ResultSender(ValidatorIndex(index), validator, history, self._results, self._on_trouble)
            for index, validator in enumerate(self._validators)
        ]
        intake = Intake(stakes, head.height, head.proposal, self._prove)
        operations = Operations(genesis, processor, self._storage)
        pipeline = Pipeline(processor, operations, head.height, self._progress.moved)
        return _Running(processor, intake, history, senders, pipeline, LostBlocks(stakes, self._on_trouble))

    def _follow_request(self, running: _Running, validator: int) -> Callable[[], Message]:
        def request() -> Message:
            running.senders[validator].connected()
            running.lost_blocks.not_heard(validator)
            return FollowCommits(running.intake.cursor)

        return request

    async def _take(self, running: _Running, validator: int, message: Message) -> None:
        """A validator pushed a committed proposal. One far ahead of execution waits here, and those behind it there."""
        try:
            if isinstance(message, CatchingUp):
                running.lost_blocks.heard(validator, message, running.intake.height)
                return
            if not isinstance(message, Committed):
                raise UnknownRequest(message)
            while message.height > running.pipeline.newest + WINDOW:
                await self._progress.wait()
            for committed in running.intake.claim(validator, message):
                running.pipeline.proposals.put_nowait(committed.proposal)
        except FalseProposal as error:
            log.warning("%s", error)
        except ExecutionError as error:
            if not self._failure.done():
                self._failure.set_exception(error)

    async def _fail(self) -> None:
        await self._failure

    async def _apply(self, running: _Running) -> None:
        while True:
            executed = await running.pipeline.blocks.get()
            applied = await self._applied(executed)
            if isinstance(executed, ExecutedOperation):
                blocks = executed.blocks
                if executed.replaces_state:
                    running.processor.state_replaced(applied)
                else:
                    running.processor.applied(executed, applied)
                announcement = await running.history.announce_operation(executed, applied, running.intake.height)
            else:
                blocks = (executed,)
                running.processor.applied(executed, applied)
                intake = running.intake
                announcement = running.history.announce(executed, applied, intake.height, intake.prover)
            self._newest.moved()  # rpc first: a client waits for it
            self._results.moved()
            for block, block_hash in zip(blocks, applied.hashes, strict=True):
                self._count(block)
                self._on_block(_news_of(block, block_hash, announcement), block)

    async def _applied(self, executed: ExecutedBlock | ExecutedOperation) -> BlockApplied:
        applied = await self._storage.request(executed.apply)
        if not isinstance(applied, BlockApplied):
            raise UnexpectedAnswer("BlockApplied", applied)
        return applied

    async def _follow_blocks(self, message: FollowBlocks, peer: Peer) -> None:
        running = await asyncio.shield(self._running)
        former = self._followers.pop(peer, None)
        if former is not None:
            former.cancel()
        follower = NewsFollower(peer, message.after, running.history, self._newest)
        self._followers[peer] = asyncio.create_task(follower.run())

    async def _status(self) -> ExecutionStatus:
        running = await asyncio.shield(self._running)
        counters = {
            **self._counters,
            "recovered_senders": self._senders.recovered,
            "state_requests": running.processor.state_requests,
            "lost_workers": self._pool.lost_workers,
        }
        return ExecutionStatus(
            executed=running.history.newest,
            committed=running.intake.height,
            strategy=self._options.strategy,
            workers=len(self._pool.workers),
            queued_tasks=self._pool.waiting,
            counters=counters,
            stalled=self._storage.stalled or running.lost_blocks.stalled,
        )

    def _count(self, block: ExecutedBlock) -> None:
        self._counters["blocks"] += 1
        self._counters["transactions"] += len(block.included)
        self._counters["left_out"] += len(block.left_out)
        self._counters["retries"] += block.record.retries
        self._counters["serial_fallbacks"] += int(block.record.serial_from >= 0)


def _news_of(block: ExecutedBlock, block_hash: Hash32, announcement: Announcement) -> BlockNews:
    """The height's news as that of one of its blocks."""
    assert announcement.news is not None
    header = block.apply.header
    return replace(
        announcement.news,
        number=header.number,
        hash=block_hash,
        timestamp=header.timestamp,
        gas_used=header.gas_used,
        included=block.included,
        left_out=block.left_out,
        retries=block.record.retries,
        execution_us=block.record.execution_us,
    )
