"""The workers of a Dask cluster as workers of the pool: each is a peer whose tasks travel by the cluster's scheduler.

Dask says who is there and carries bytes; leases, order, affinity and what becomes of lost tasks are the pool's, as for
its own workers. Needs the package `distributed`, and Tandem in the environment of the Dask workers.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from distributed import Client

from chain.codec import decode_message, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.tasks import Attempt, AttemptStatus, RunTransactions, TransactionsRun
from execution.dask_tasks import ForgottenLife, get_ready, run_task
from execution.errors import ExecutionError
from execution.pool import Pool
from execution.storage_requests import StorageRequests

log = logging.getLogger("tandem.execution")

CONNECT_S = 5.0
RETRY_S = 5.0
"""The pause between two attempts to reach a scheduler that is gone."""


class ClusterLost(Exception):
    """The scheduler does not answer any more."""


class DaskPeer:
    """One worker of the cluster (implements chain.links.Peer). It takes its tasks one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.tasks: asyncio.Queue[RunTransactions] = asyncio.Queue()
        self.life = ""
        self.begin()

    def begin(self) -> None:
        """From now on the worker knows nothing."""
        self.life = f"{self._name} {secrets.token_hex(8)}"
        while not self.tasks.empty():
            self.tasks.get_nowait()

    @property
    def name(self) -> str:
        return self._name

    @property
    def open(self) -> bool:
        return True

    def push(self, message: Message) -> bool:
        assert isinstance(message, RunTransactions)
        self.tasks.put_nowait(message)
        return True

    async def drained(self) -> None:
        """Leases bound what waits here."""


class DaskWorkers:
    """Keeps the pool's workers those of the cluster at `address` (tcp://host:port)."""

    def __init__(
        self,
        address: str,
        pool: Pool,
        storage: StorageRequests,
        evm: str,
        on_trouble: Callable[[str], None],
        retry_s: float = RETRY_S,
    ) -> None:
        self._address = address
        self._pool = pool
        self._storage = storage
        self._evm = evm
        self._on_trouble = on_trouble
        self._retry_s = retry_s
        self._peers: dict[str, tuple[DaskPeer, asyncio.Task[None]]] = {}
        self._named = 0
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Until cancelled. While the cluster is away, execution runs everything itself, and people are told so."""
        told = False
        while True:
            try:
                async with Client(self._address, asynchronous=True, timeout=CONNECT_S, set_as_default=False) as client:
                    if told:
                        self._on_trouble(f"the Dask cluster at {self._address} is back")
                        told = False
                    await self._serve(client)
            except (OSError, ClusterLost) as error:
                log.warning("no Dask cluster at %s: %s", self._address, error)
            finally:
                for address in list(self._peers):
                    self._remove(address)
            if not told:
                self._on_trouble(f"the Dask cluster at {self._address} is gone: execution runs everything by itself")
                told = True
            await asyncio.sleep(self._retry_s)

    async def _serve(self, client: Any) -> None:
        """Until the cluster is lost, which it raises as ClusterLost."""
        self._lost = asyncio.get_running_loop().create_future()
        client.subscribe_topic("all", lambda event: self._hear(client, event[1]))
        for address in (await client.scheduler.identity())["workers"]:
            self._add(client, address)
        await self._lost

    def _hear(self, client: Any, event: Any) -> None:
        """An event of the scheduler."""
        match event:
            case {"action": "add-worker", "worker": str(address)}:
                self._add(client, address)
            case {"action": "remove-worker", "worker": str(address)}:
                self._remove(address)

    def _add(self, client: Any, address: str) -> None:
        self._remove(address)
        peer = DaskPeer(f"dask-{self._named}")
        self._named += 1
        self._peers[address] = peer, asyncio.create_task(self._work(client, peer, address))

    def _remove(self, address: str) -> None:
        peer, work = self._peers.pop(address, (None, None))
        if peer is not None and work is not None:
            self._pool.left(peer)
            if work is not asyncio.current_task():
                work.cancel()

    async def _work(self, client: Any, peer: DaskPeer, address: str) -> None:
        """The worker's life, from when it is ready for tasks, whose time to answer counts from when they are sent."""
        try:
            await client.submit(get_ready, workers=[address], pure=False)
        except Exception as error:
            self._give_up(client, address, error)
            return
        self._pool.follow(peer)
        while True:
            task = await peer.tasks.get()
            try:
                answer = await self._run(client, peer, address, task)
            except ForgottenLife:
                peer.begin()
                self._pool.follow(peer)
            except Exception as error:
                self._give_up(client, address, error)
                return
            else:
                self._pool.finished(peer, task.task_id, answer)

    async def _run(self, client: Any, peer: DaskPeer, address: str, task: RunTransactions) -> TransactionsRun:
        """A task's answer. What its run misses is read from storage here, and it starts again."""
        encoded, answers = encode_message(task), dict[bytes, bytes]()
        while True:
            future = client.submit(
                run_task, peer.life, self._evm, encoded, answers, workers=[address], pure=False, key=_key(task)
            )
            done, said = await future
            if done:
                answer = decode_message(said)
                assert isinstance(answer, TransactionsRun)
                return answer
            try:
                answers[said] = encode_message(await self._storage.request(decode_message(said)))
            except (ExecutionError, RequestFailed) as refused:
                log.warning("storage does not answer what task %d of %s reads: %s", task.task_id, peer.name, refused)
                return _failed(task)

    def _give_up(self, client: Any, address: str, error: Exception) -> None:
        """A worker's task failed: the worker is lost, or cannot do what is asked of it, or the scheduler is gone."""
        if client.status != "running":
            if not self._lost.done():
                self._lost.set_exception(ClusterLost(str(error)))
        elif address in self._peers:
            reason = f"{type(error).__name__}: {error}"
            self._on_trouble(f"the Dask worker at {address} is left out: {reason}")
        self._remove(address)


def _failed(task: RunTransactions) -> TransactionsRun:
    attempts = [Attempt(tx.index, AttemptStatus.ENGINE_FAILED, None, 0, 0, 0) for tx in task.transactions]
    return TransactionsRun(task.task_id, tuple(attempts), (), ())


def _key(task: RunTransactions) -> str:
    return f"tandem-{task.task_id}-{secrets.token_hex(8)}"
