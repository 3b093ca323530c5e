"""Running validators with their stand-ins for rpc and execution around them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from chain.messages.mempool import PooledTransaction
from execution.announcers import Progress
from node.plan import Kind, Role
from node.sockets import sockets_of
from scripts.benchmarks.stand_ins import StandInExecution, StandInRpc
from scripts.benchmarks.validators import OrderingChain, Validators, running_validators
from scripts.benchmarks.workload import TransactionsLost

T = TypeVar("T")
LOST_SECONDS = 30.0


class OrderingWorld:
    def __init__(
        self, validators: Validators, rpc: StandInRpc, executors: Sequence[StandInExecution], progress: Progress
    ) -> None:
        self.validators = validators
        self.rpc = rpc
        self._executors = executors
        self._progress = progress

    @property
    def ordered(self) -> int:
        """Transactions in blocks that execution would take: more than a third of the stake committed them."""
        return self._executors[0].executed_transactions

    @property
    def blocks(self) -> int:
        return self._executors[0].height

    @property
    def rounds(self) -> int:
        return max((news.round for news in self.rpc.news.values()), default=0)

    @property
    def timeouts(self) -> int:
        """Rounds given up, as the validator has it that saw the most."""
        return max((news.timeouts for news in self.rpc.news.values()), default=0)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Raises TransactionsLost when nothing moves any more, ValidatorEnded when one has ended."""
        while not happened():
            try:
                await asyncio.wait_for(self._progress.wait(), LOST_SECONDS)
            except TimeoutError:
                self.validators.usage()
                raise TransactionsLost(
                    f"nothing moved for {LOST_SECONDS} s after {self.ordered} transactions"
                ) from None

    async def until_ordered(self, transactions: int) -> None:
        await self.until(lambda: self.ordered >= transactions)

    async def executed_everywhere(self) -> None:
        """Every validator has the newest result."""
        await self.until(lambda: all(executor.acknowledged() for executor in self._executors))

    async def at_rest(self) -> None:
        """Every block is committed on every validator, the same one, and verified. Raises ValidatorsDisagree."""
        await self.executed_everywhere()
        await self.until(self.rpc.verified_everywhere)


@contextlib.asynccontextmanager
async def ordering_world(
    chain: OrderingChain, signed: Sequence[PooledTransaction], profiles: Path | None
) -> AsyncIterator[OrderingWorld]:
    known = {transaction.raw: transaction for transaction in signed}
    progress = Progress()
    with running_validators(chain, profiles) as validators:
        endpoints = [validators.plan.endpoints.validator(index) for index in range(chain.validators)]
        async with contextlib.AsyncExitStack() as stack:
            executors = []
            for number in range(chain.executors):
                sockets = await stack.enter_async_context(sockets_of(Role(Kind.EXECUTION, executor=number)))
                links = [sockets.link(endpoint) for endpoint in endpoints]
                executor = StandInExecution(validators.genesis, links, known, progress)
                stack.callback(executor.close)
                executors.append(executor)
            sockets = await stack.enter_async_context(sockets_of(Role(Kind.RPC)))
            rpc = StandInRpc([sockets.link(endpoint) for endpoint in endpoints], executors[0], progress)
            stack.callback(rpc.close)
            yield OrderingWorld(validators, rpc, executors, progress)


async def unless_failed(work: Awaitable[T]) -> T:
    """The result of `work`, or the error of what goes on beside it: a stand-in's, a link's."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[Any] = loop.create_future()

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not failed.done():
            failed.set_exception(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(fail)
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, failed], return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        return await task
    finally:
        failed.cancel()
        task.cancel()
        await asyncio.wait([task])
