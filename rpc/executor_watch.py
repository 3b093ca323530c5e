"""What validators with more than a third of the stake make of the executors, and telling it to who runs them."""

import asyncio
import logging
from collections import Counter

from chain.genesis import Genesis
from chain.messages.executors import ExecutorsVerdict
from chain.messages.mempool import ExecutorsNews, WrongExecutor
from chain.types import ExecutorIndex, Height
from rpc.chain_view import ChainView
from rpc.errors import ServerError
from rpc.methods import Processes
from rpc.tasks import Tasks
from rpc.vouching import highest_agreed

log = logging.getLogger("tandem.rpc")

TELL_AGAIN_AFTER_S = 1.0


class ExecutorWatch:
    """`count` is how many executors the chain is run with. What is found is told once, again only if that failed."""

    def __init__(self, genesis: Genesis, chain: ChainView, processes: Processes, count: int) -> None:
        self._stakes = [validator.stake for validator in genesis.validators]
        self._chain = chain
        self._processes = processes
        self._tasks = Tasks()
        self._telling = False
        self.count = count
        self.verdict = self._told = ExecutorsVerdict(count, Height(0), ())

    def consensus_changed(self) -> None:
        """A validator has told its view."""
        self.verdict = self._judge()
        if self.verdict != self._told and not self._telling:
            self._telling = True
            self._tasks.start(self._tell())

    async def close(self) -> None:
        await self._tasks.close()

    def _judge(self) -> ExecutorsVerdict:
        views = [(news.executors, self._stakes[index]) for index, news in self._chain.consensus.items()]
        total = sum(self._stakes)
        wanted = highest_agreed(((view.wanted, stake) for view, stake in views), total)
        disputed = highest_agreed(((view.disputed, stake) for view, stake in views), total)
        return ExecutorsVerdict(max(wanted, self.count), Height(disputed), self._wrong(views, total))

    def _wrong(self, views: list[tuple[ExecutorsNews, int]], total_stake: int) -> tuple[WrongExecutor, ...]:
        named: dict[ExecutorIndex, WrongExecutor] = {}
        stakes: Counter[ExecutorIndex] = Counter()
        for view, stake in views:
            for wrong in view.wrong:
                named.setdefault(wrong.executor, wrong)
                stakes[wrong.executor] += stake
        return tuple(named[executor] for executor in sorted(named) if 3 * stakes[executor] > total_stake)

    async def _tell(self) -> None:
        while self._told != self.verdict:
            telling = self.verdict
            try:
                await self._processes.change_executors(telling)
            except ServerError as error:
                log.warning("the executors cannot be changed: %s", error)
                await asyncio.sleep(TELL_AGAIN_AFTER_S)
            else:
                self._told = telling
        self._telling = False
