"""What is measured of consensus alone: how soon it orders, how much, and what that costs."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.messages.mempool import PooledTransaction
from scripts.benchmarks.figures import Figure, percentile
from scripts.benchmarks.ordering_world import OrderingWorld, ordering_world, unless_failed
from scripts.benchmarks.signed_load import signed_transactions
from scripts.benchmarks.validators import OrderingChain, Usage

SENDERS = 100
BATCH = 500
OUTSTANDING = 16_384
"""Transactions sent and not committed: half of what a mempool holds."""
WARM_UP = 1_000
PAUSE_SECONDS = 0.1
"""Long enough for the validators to fall silent."""
COMPACTION_SECONDS = 2.0
"""As long as LevelDB goes on with its files after a load."""


@dataclass(frozen=True, slots=True)
class OrderingLoad:
    """How much to send: `transactions` of `size` bytes for the throughput, one at a time for the latency."""

    transactions: int
    size: int
    latency_samples: int
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Where everything stood. CPU of the stand-ins is that of this process."""

    at: float
    blocks: int
    rounds: int
    timeouts: int
    usage: Usage
    own_cpu_seconds: float


def make_load(load: OrderingLoad) -> list[PooledTransaction]:
    return signed_transactions(WARM_UP + 2 * load.latency_samples + load.transactions, SENDERS, load.size)


async def measure_ordering(
    chain: OrderingChain, load: OrderingLoad, signed: Sequence[PooledTransaction], profiles: Path | None
) -> list[Figure]:
    """`signed` as `make_load` gives it."""
    return await unless_failed(_measure(chain, load, signed, profiles))


async def _measure(
    chain: OrderingChain, load: OrderingLoad, signed: Sequence[PooledTransaction], profiles: Path | None
) -> list[Figure]:
    quiet_from, burst_from = WARM_UP + load.latency_samples, WARM_UP + 2 * load.latency_samples
    async with ordering_world(chain, signed, profiles) as world:
        await world.until(world.rpc.all_connected)
        await _send_all(world, signed[:WARM_UP])
        await world.at_rest()
        return [
            *await _busy_latency(world, signed[WARM_UP:quiet_from]),
            *_latency("from silence", await _one_at_a_time(world, signed[quiet_from:burst_from], PAUSE_SECONDS)),
            *await _throughput(world, signed[burst_from:]),
            await _idle(world, load.idle_seconds),
        ]


async def _one_at_a_time(world: OrderingWorld, signed: Sequence[PooledTransaction], pause_s: float) -> list[float]:
    """Seconds from an Admit sent to its commit, as execution learns of it. Its result is out before the next one."""
    seconds = []
    for transaction in signed:
        target = world.ordered + 1
        began = time.perf_counter()
        world.rpc.send([transaction])
        await world.until_ordered(target)
        seconds.append(time.perf_counter() - began)
        await world.executed_everywhere()
        await asyncio.sleep(pause_s)
    return sorted(seconds)


async def _busy_latency(world: OrderingWorld, signed: Sequence[PooledTransaction]) -> list[Figure]:
    before = world.validators.usage().cpu_seconds
    seconds = await _one_at_a_time(world, signed, 0)
    used = sum(world.validators.usage().cpu_seconds) - sum(before)
    cpu = Figure("CPU of all validators, one commit", used / len(signed) * 1000, "ms")
    return [*_latency("one after the other", seconds), cpu]


def _latency(name: str, seconds: Sequence[float]) -> list[Figure]:
    return [Figure(f"commit latency {name}, p{rank}", percentile(seconds, rank) * 1000, "ms") for rank in (50, 99)]


async def _send_all(world: OrderingWorld, signed: Sequence[PooledTransaction]) -> None:
    """In batches, with a bounded number of them not committed; returns when all are."""
    before = world.ordered
    for start in range(0, len(signed), BATCH):
        batch = signed[start : start + BATCH]
        await world.until_ordered(before + start + len(batch) - OUTSTANDING)
        world.rpc.send(batch)
    await world.until_ordered(before + len(signed))


async def _throughput(world: OrderingWorld, signed: Sequence[PooledTransaction]) -> list[Figure]:
    """From the first Admit to the last commit."""
    began = _moment(world)
    await _send_all(world, signed)
    ended = _moment(world)
    await world.at_rest()
    seconds, thousands, blocks = ended.at - began.at, len(signed) / 1000, ended.blocks - began.blocks
    validators = [b - a for a, b in zip(began.usage.cpu_seconds, ended.usage.cpu_seconds, strict=True)]
    between = ended.usage.bytes_to_validators - began.usage.bytes_to_validators
    outwards = ended.usage.bytes_to_others - began.usage.bytes_to_others
    rounds = f"{blocks / seconds:.1f} of them make a block; {ended.timeouts - began.timeouts} rounds timed out"
    note = f"{len(signed)} in {seconds:.1f} s, {len(signed) / blocks:.0f} per block"
    own = ended.own_cpu_seconds - began.own_cpu_seconds
    idle = ended.usage.machine_idle_seconds - began.usage.machine_idle_seconds
    available = seconds * (os.cpu_count() or 1)
    others = available - sum(validators) - own - idle
    return [
        Figure("ordered transactions", len(signed) / seconds, "tx/s", note),
        Figure("proposals", (ended.rounds - began.rounds) / seconds, "/s", rounds),
        Figure("sent between validators, each transaction", between / len(signed), "bytes"),
        Figure("sent by validators to execution and rpc, each", outwards / len(signed), "bytes"),
        Figure("CPU of a validator, 1,000 transactions", sum(validators) / len(validators) / thousands * 1000, "ms"),
        Figure("CPU of all validators, 1,000 transactions", sum(validators) / thousands * 1000, "ms"),
        Figure("CPU of the stand-ins, 1,000 transactions", own / thousands * 1000, "ms"),
        Figure(
            "machine idle meanwhile", idle / available * 100, "%", f"{max(0.0, others) / available:.0%} went to others"
        ),
    ]


async def _idle(world: OrderingWorld, seconds: float) -> Figure:
    """CPU of all validators together, after the load."""
    await asyncio.sleep(COMPACTION_SECONDS)
    before = world.validators.usage().cpu_seconds
    await asyncio.sleep(seconds)
    used = sum(world.validators.usage().cpu_seconds) - sum(before)
    return Figure("CPU at rest, all validators", used * 1000, "ms", f"in {seconds:g} s, in ticks of 10 ms")


def _moment(world: OrderingWorld) -> Moment:
    usage, own = world.validators.usage(), time.process_time()
    return Moment(time.perf_counter(), world.blocks, world.rounds, world.timeouts, usage, own)
