"""Reads: each connection asks again as soon as it has the answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping

import orjson

from scripts.benchmarks.client_cost import ClientCost
from scripts.benchmarks.figures import Figure, latency_of
from scripts.benchmarks.http_client import RpcClient, RpcError, result_of


async def measure_reads(
    url: str, reads: Mapping[str, Iterator[bytes]], connections: tuple[int, ...], seconds: float
) -> AsyncIterator[Figure]:
    """Answers a second and how long each took, for every read with every number of connections."""
    cost = ClientCost()
    for name, bodies in reads.items():
        for count in connections:
            yield await _read(url, f"{name}, {connections_open(count)}", bodies, count, seconds, cost)
    yield Figure("client, CPU of a read", cost.us_per_request, "us")


async def _read(
    url: str, name: str, bodies: Iterator[bytes], connections: int, seconds: float, cost: ClientCost
) -> Figure:
    took: list[float] = []
    clients = [RpcClient(url) for _ in range(connections)]
    for client in clients:
        result_of(orjson.loads(await client.post(next(bodies))))
    began = time.perf_counter()
    deadline = began + seconds

    async def ask(client: RpcClient) -> None:
        async with client:
            sent = time.perf_counter()
            while sent < deadline:
                if b'"error"' in await client.post(next(bodies)):
                    raise RpcError(f"{name} failed under load")
                now = time.perf_counter()
                took.append(now - sent)
                sent = now

    with cost:
        await asyncio.gather(*map(ask, clients))
        cost.requests += len(took)
    return Figure(name, len(took) / (time.perf_counter() - began), "/s", latency=latency_of(took))


def connections_open(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"
