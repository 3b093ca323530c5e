"""Stand-ins for rpc and execution, so that a benchmark measures ordering alone.

They speak over the same links as the real ones. The one for rpc sends every transaction to every validator, the one
for execution believes what is proven, or what more than a third of the stake committed, and answers at once with a
result.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.links import Link
from chain.messages import Message
from chain.messages.mempool import (
    Admit,
    Admitted,
    BlockResult,
    Committed,
    ConsensusNews,
    Evicted,
    FollowCommits,
    FollowConsensus,
    PooledTransaction,
    SenderState,
)
from chain.proposals import decode_proposal
from chain.types import Address, Hash32, Height, Wei
from consensus.commit_proofs import CommitProofs
from execution.announcers import Progress
from execution.intake import Intake
from node.queues.asking import report_failure

BALANCE = Wei(10**30)
MAX_IN_FLIGHT = 4
"""Admit messages that one validator has not answered yet, as rpc has it."""


class TransactionRefused(Exception):
    """A validator did not take a transaction, or gave it up."""


class ValidatorsDisagree(Exception):
    """Two validators committed different proposals at one place of the chain."""


class StandInExecution:
    """Follows what validators commit, and answers each block with its result: everything included."""

    def __init__(
        self, genesis: Genesis, links: Sequence[Link], known: Mapping[bytes, PooledTransaction], progress: Progress
    ) -> None:
        self.executed_transactions = 0
        self.nonces: dict[Address, int] = {}
        self._genesis = genesis
        self._known = known
        self._progress = progress
        stakes = [identity.stake for identity in genesis.validators]
        self._intake = Intake(stakes, Height(0), genesis.id(), CommitProofs(genesis).prove)
        self._results: list[asyncio.Queue[BlockResult]] = [asyncio.Queue() for _ in links]
        self._acknowledged = [0] * len(links)
        self._senders = [_started(self._send_results(index, link)) for index, link in enumerate(links)]
        for index, link in enumerate(links):
            link.follow(lambda: FollowCommits(self._intake.cursor), partial(self._take, index))

    @property
    def height(self) -> Height:
        """The newest height executed."""
        return self._intake.height

    def acknowledged(self) -> bool:
        """Whether every validator has the newest result."""
        return min(self._acknowledged) == self.height

    def close(self) -> None:
        for task in self._senders:
            task.cancel()

    async def _take(self, validator: int, committed: Message) -> None:
        assert isinstance(committed, Committed)
        for accepted in self._intake.claim(validator, committed):
            self._execute(accepted)
        self._progress.moved()

    def _execute(self, committed: Committed) -> None:
        transactions = [self._known[raw] for raw in decode_proposal(committed.proposal).transactions]
        changed = {transaction.sender: transaction.nonce + 1 for transaction in transactions}
        self.nonces |= changed
        self.executed_transactions += len(transactions)
        result = BlockResult(
            height=committed.height,
            proposal=committed.id,
            header_hash=keccak256(b"header" + committed.id),
            gas_limit=self._genesis.gas_limit,
            next_base_fee=self._genesis.base_fee,
            included=tuple(transaction.hash for transaction in transactions),
            left_out=(),
            senders=tuple(SenderState(address, nonce, BALANCE) for address, nonce in changed.items()),
        )
        for results in self._results:
            results.put_nowait(result)

    async def _send_results(self, validator: int, link: Link) -> None:
        while True:
            result = await self._results[validator].get()
            await link.request(result)
            self._acknowledged[validator] = result.height
            self._progress.moved()


class StandInRpc:
    """Sends transactions to every validator in batches, and hears of each validator's state as rpc does."""

    def __init__(self, links: Sequence[Link], executed: StandInExecution, progress: Progress) -> None:
        self.news: dict[int, ConsensusNews] = {}
        self._committed: dict[int, Hash32] = {}
        """The ids of committed proposals that validators told, by how many there are from genesis."""
        self._executed = executed
        self._progress = progress
        self._batches: list[asyncio.Queue[Admit]] = [asyncio.Queue() for _ in links]
        self._feeds = [
            _started(self._feed(link, batches))
            for link, batches in zip(links, self._batches, strict=True)
            for _ in range(MAX_IN_FLIGHT)
        ]
        for link in links:
            link.follow(FollowConsensus, self._take)

    def send(self, transactions: Sequence[PooledTransaction]) -> None:
        senders = dict.fromkeys(transaction.sender for transaction in transactions)
        nonces = self._executed.nonces
        states = tuple(SenderState(sender, nonces.get(sender, 0), BALANCE) for sender in senders)
        admit = Admit(tuple(transactions), states, self._executed.height)
        for batches in self._batches:
            batches.put_nowait(admit)

    def all_connected(self) -> bool:
        """Whether every validator is up and connected to all the others."""
        others = len(self._batches) - 1
        return len(self.news) == len(self._batches) and all(n.connected_peers == others for n in self.news.values())

    def verified_everywhere(self) -> bool:
        """Whether every validator says that the newest block is committed and verified, after which all are silent."""
        height = self._executed.height
        return len(self.news) == len(self._batches) and all(
            news.committed == news.verified == height for news in self.news.values()
        )

    def close(self) -> None:
        for task in self._feeds:
            task.cancel()

    async def _feed(self, link: Link, batches: "asyncio.Queue[Admit]") -> None:
        while True:
            answer = await link.request(await batches.get())
            assert isinstance(answer, Admitted)
            for hash, reason in answer.refused:
                raise TransactionRefused(f"0x{hash.hex()}: {reason}")

    async def _take(self, message: Message) -> None:
        if isinstance(message, Evicted):
            raise TransactionRefused(f"gave up 0x{message.hash.hex()}: {message.reason}")
        assert isinstance(message, ConsensusNews)
        self.news[message.validator] = message
        committed = self._committed.setdefault(message.committed_depth, message.committed_proposal)
        if committed != message.committed_proposal:
            raise ValidatorsDisagree(
                f"proposal {message.committed_depth}: 0x{committed.hex()}, and "
                f"0x{message.committed_proposal.hex()} on validator {message.validator}"
            )
        self._progress.moved()


def _started(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    task = asyncio.create_task(work)
    task.add_done_callback(report_failure)
    return task
