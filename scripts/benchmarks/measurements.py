"""What is measured of a node: latency, transactions taken and mined, and reads."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from scripts.benchmarks.awaited_receipts import measure_receipts
from scripts.benchmarks.bursts import Bursts, Calls
from scripts.benchmarks.figures import Figure
from scripts.benchmarks.http_client import RpcClient
from scripts.benchmarks.node_process import MeasuredNode
from scripts.benchmarks.reads import connections_open, measure_reads
from scripts.benchmarks.workload import TransactionsLost, World, make_world

GROUPS = ("start", "latency", "transfers", "batches", "erc20", "counter", "keccak", "reads")

Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Load:
    """How much to send in each burst, over how many accounts; how many connections, one figure for each."""

    transactions: int
    senders: int
    connections: tuple[int, ...]
    latency_samples: int
    read_seconds: float

    @property
    def each(self) -> int:
        return max(1, self.transactions // self.senders)

    @property
    def middle(self) -> int:
        """The number of connections of what is measured with one number of them only."""
        return sorted(self.connections)[len(self.connections) // 2]


async def measure(node: MeasuredNode, load: Load, wanted: Wanted) -> list[Figure]:
    """Every figure whose group `wanted` accepts, in the order of `GROUPS`."""
    figures = []
    if node.start_seconds is not None and wanted("start"):
        figures.append(Figure("start to first answer", node.start_seconds, "s"))
    async with RpcClient(node.url) as client:
        world = await make_world(client, load.senders)
        bursts = Bursts(node.url, client, world, load.each)
        figures += [figure async for figure in _sending(node.url, bursts, world, load, wanted)]
        if bursts.cost.requests:
            figures.append(Figure("client, CPU of a request that sends", bursts.cost.us_per_request, "us"))
        if wanted("reads"):
            reads = measure_reads(node.url, world.reads(), load.connections, load.read_seconds)
            figures += [figure async for figure in reads]
    return figures


async def _sending(url: str, bursts: Bursts, world: World, load: Load, wanted: Wanted) -> AsyncIterator[Figure]:
    """A chain that stands still takes nothing more that is sent, but still answers reads."""
    try:
        if wanted("latency"):
            async for figure in measure_receipts(url, world, load.connections, load.latency_samples):
                yield figure
        async for figure in _bursts(bursts, world, load, wanted):
            yield figure
    except TransactionsLost as error:
        yield Figure("gave up", 0.0, "tx/s", str(error))


async def _bursts(bursts: Bursts, world: World, load: Load, wanted: Wanted) -> AsyncIterator[Figure]:
    if wanted("transfers") or wanted("batches"):
        await bursts.warm(world.transfer)
    for connections in load.connections if wanted("transfers") else ():
        burst = await bursts.send(world.transfer, connections)
        where = connections_open(connections)
        yield burst.accepted(f"raw transactions, {where}")
        yield burst.mined(f"plain transfers mined, {where}")
    for connections in load.connections if wanted("batches") else ():
        burst = await bursts.send(world.transfer, connections, batched=True)
        yield burst.accepted(f"raw, batches of {load.each}, {connections_open(connections)}")
    for group, name, call in _contract_calls(world):
        if wanted(group):
            await bursts.warm(call)
            yield (await bursts.send(call, load.middle)).mined(f"{name} mined, {connections_open(load.middle)}")


def _contract_calls(world: World) -> Iterator[tuple[str, str, Calls]]:
    yield "erc20", "ERC-20 transfers", world.token_transfer
    yield "counter", "one hot counter", world.increment
    yield "keccak", "100-round keccak loop", world.keccak_loop
