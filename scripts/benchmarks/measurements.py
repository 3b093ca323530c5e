"""What is measured: latency, transactions from the first sent to the last mined, and queries."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from scripts.benchmarks.http_client import RpcClient, RpcError, request, result_of
from scripts.benchmarks.node_process import MeasuredNode
from scripts.benchmarks.workload import (
    Call,
    Sender,
    SignedTransaction,
    TransactionsLost,
    World,
    make_world,
    receipts_of,
)

GROUPS = ("start", "latency", "transfers", "erc20", "counter", "keccak", "queries")
STANDSTILL_SECONDS = 2.0
LOST_SECONDS = 20.0
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much to send: `transactions` for each throughput, over `senders` accounts and `connections` sockets."""

    transactions: int
    senders: int
    connections: int
    latency_samples: int
    query_seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `note` says what a reader should know about it."""

    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Burst:
    """`accepted_seconds` until every transaction was answered, `mined_seconds` until every one had its receipt."""

    count: int
    accepted_seconds: float
    mined_seconds: float
    blocks: int
    nudges: int
    failures: int


def percentile(samples: Sequence[float], rank: float) -> float:
    """Nearest-rank percentile of sorted samples."""
    return samples[max(0, math.ceil(rank / 100 * len(samples)) - 1)]


async def measure(node: MeasuredNode, load: Load, wanted: Callable[[str], bool]) -> list[Figure]:
    """Every figure whose group `wanted` accepts, in the order of `GROUPS`."""
    figures = []
    if node.start_seconds is not None and wanted("start"):
        figures.append(Figure("start to first answer", node.start_seconds, "s"))
    async with RpcClient(node.url) as client:
        world = await make_world(client, load.senders)
        if wanted("latency"):
            figures += await _latency(client, world, load.latency_samples)
        for group, title, call in _workloads(world):
            if not wanted(group):
                continue
            try:
                figures += _throughput(group, title, await _burst(node.url, client, world, call, load))
            except TransactionsLost as error:
                # A chain that stands still takes none of the other workloads either, but still answers queries.
                figures.append(Figure(title, 0.0, "tx/s", f"gave up: {error}"))
                break
        if wanted("queries"):
            figures.append(await _queries(node.url, "eth_call", world.balance_query(), load))
            figures.append(await _queries(node.url, "eth_blockNumber", request("eth_blockNumber"), load))
    return figures


def _workloads(world: World) -> Iterator[tuple[str, str, Callable[[Sender], Call]]]:
    yield "transfers", "plain transfers", world.transfer
    yield "erc20", "ERC-20 transfers", world.token_transfer
    yield "counter", "one hot counter", world.increment
    yield "keccak", "100-round keccak loop", world.keccak_loop


async def _latency(client: RpcClient, world: World, samples: int) -> list[Figure]:
    """From the moment a transfer is sent to the moment a client that asks without pause sees its receipt."""
    sender = world.senders[0]
    seconds = []
    for _ in range(samples):
        transaction = sender.sign(world.chain_id, world.transfer(sender))
        began = time.perf_counter()
        result_of(orjson.loads(await client.post(transaction.request)))
        while await client.call("eth_getTransactionReceipt", transaction.hash) is None:
            if time.perf_counter() - began > LOST_SECONDS:
                raise TransactionsLost(f"no receipt in {LOST_SECONDS} s for {transaction.hash}")
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    return [Figure(f"send → receipt, p{rank}", percentile(seconds, rank) * 1000, "ms") for rank in (50, 90, 99)]


def _throughput(group: str, title: str, burst: Burst) -> list[Figure]:
    notes = [f"{burst.count / burst.blocks:.0f} per block"]
    if burst.nudges:
        notes.append(f"stood still {burst.nudges} times until another transaction came")
    if burst.failures:
        notes.append(f"{burst.failures} failed")
    figures = [Figure(title, burst.count / burst.mined_seconds, "tx/s", ", ".join(notes))]
    if group == "transfers":
        figures.append(Figure("raw transactions accepted", burst.count / burst.accepted_seconds, "tx/s"))
    return figures


async def _burst(url: str, client: RpcClient, world: World, call: Callable[[Sender], Call], load: Load) -> Burst:
    # The first of each sender is not measured: it fills empty slots, which costs more gas, and warms what it touches.
    first = [sender.sign(world.chain_id, call(sender)) for sender in world.senders]
    await _send_all(url, [[transaction] for transaction in first], load.connections)
    await _wait_for(client, world, first)
    each = load.transactions // len(world.senders)
    signed = [[sender.sign(world.chain_id, call(sender)) for _ in range(each)] for sender in world.senders]

    began = time.perf_counter()
    await _send_all(url, signed, load.connections)
    accepted = time.perf_counter() - began
    nudges = await _wait_for(client, world, [sequence[-1] for sequence in signed])
    mined = time.perf_counter() - began

    receipts = await receipts_of(client, [one.hash for sequence in signed for one in sequence], LOST_SECONDS)
    blocks = {receipt["blockNumber"] for receipt in receipts}
    failures = sum(receipt["status"] != "0x1" for receipt in receipts)
    return Burst(len(receipts), accepted, mined, len(blocks), nudges, failures)


async def _send_all(url: str, sequences: Sequence[Sequence[SignedTransaction]], connections: int) -> None:
    """Over many connections at once; a sender stays on one of them, so that its nonces arrive in order."""

    async def send(mine: Sequence[Sequence[SignedTransaction]]) -> None:
        async with RpcClient(url) as client:
            for level in zip(*mine, strict=True):
                for transaction in level:
                    result_of(orjson.loads(await client.post(transaction.request)))

    shares = [sequences[index::connections] for index in range(connections)]
    await asyncio.gather(*(send(share) for share in shares if share))


async def _wait_for(client: RpcClient, world: World, transactions: Sequence[SignedTransaction]) -> int:
    """Until all are mined; returns how often the node had to be nudged, raises `TransactionsLost`.

    A node that mines when a transaction arrives may leave others behind that did not fit: where no block comes for a
    while, one more transaction may set it going again.
    """
    missing = [transaction.hash for transaction in transactions]
    nudges, height = 0, ""
    began = grew = nudged = time.monotonic()
    while True:
        receipts = await client.batch("eth_getTransactionReceipt", [[name] for name in missing])
        missing = [name for name, receipt in zip(missing, receipts, strict=True) if receipt is None]
        if not missing:
            return nudges
        now, newest = time.monotonic(), await client.call("eth_blockNumber")
        if newest != height:
            height, grew, nudged = newest, now, now
        if now - grew > LOST_SECONDS or now - began > PATIENCE_SECONDS:
            raise TransactionsLost(
                f"no new block for {now - grew:.0f} s while {len(missing)} senders wait for receipts"
            )
        if now - nudged > STANDSTILL_SECONDS:
            nudge = world.spare.sign(world.chain_id, world.transfer(world.spare))
            await client.post(nudge.request)
            nudges, nudged = nudges + 1, now
        await asyncio.sleep(0.01)


async def _queries(url: str, name: str, body: bytes, load: Load) -> Figure:
    deadline = time.perf_counter() + load.query_seconds

    async def ask() -> int:
        count = 0
        async with RpcClient(url) as client:
            result_of(orjson.loads(await client.post(body)))
            while time.perf_counter() < deadline:
                if b'"error"' in await client.post(body):
                    raise RpcError(f"{name} failed under load")
                count += 1
        return count

    began = time.perf_counter()
    counts = await asyncio.gather(*(ask() for _ in range(load.connections)))
    return Figure(name, sum(counts) / (time.perf_counter() - began), "calls/s")
