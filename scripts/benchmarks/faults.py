"""What each fault costs a chain: how transfers sent one after the other fare while it is in force, and how soon after
its end every validator has what the others committed.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.benchmarks.figures import percentile
from scripts.benchmarks.http_client import RpcClient
from scripts.benchmarks.node_process import TANDEM, Target, running
from scripts.benchmarks.workload import TransactionsLost

WARM_UP = 50
LOST_SECONDS = 30.0

Step = tuple[str, *tuple[Any, ...]]
"""A method and its parameters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Four validators, one of them faulty, or no quorum anywhere if `stops`. No `end`: it ends by itself."""

    name: str
    begin: Step | None
    end: Step | None = None
    stops: bool = False


FAULTS = (
    Fault("none", None),
    Fault("one killed", ("tandem_killValidator", 2), ("tandem_restartValidator", 2)),
    Fault("one paused", ("tandem_pauseValidator", 2), ("tandem_resumeValidator", 2)),
    Fault("one cut off", ("tandem_partition", [[2]]), ("tandem_heal",)),
    Fault("one restarted", ("tandem_restartValidator", 2)),
    Fault("one slow, 50 ms", ("tandem_setDelay", 2, "50ms"), ("tandem_heal",)),
    Fault("one slow, 200 ms", ("tandem_setDelay", 2, "200ms"), ("tandem_heal",)),
    Fault("one loses 30 %", ("tandem_setDropRate", 2, "30%"), ("tandem_heal",)),
    Fault("one equivocates", ("tandem_equivocate", 2, 1000), ("tandem_restartValidator", 2)),
    Fault("two against two", ("tandem_partition", [[0, 1], [2, 3]]), ("tandem_heal",), stops=True),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """In milliseconds. `longest` is the longest that a client waited for a receipt. `back`: from the end of the fault
    until every validator had committed what was the newest block then, or until the first new one if all had stopped.
    """

    fault: str
    transfers: int
    p50: float
    longest: float
    back: float


async def measure_faults(rules: str, seconds: float) -> list[Cost]:
    """Each fault for so long, on one chain."""
    async with running(Target(rules, f"{TANDEM} --consensus {rules}")) as node, RpcClient(node.url) as client:
        sender = (await client.call("eth_accounts"))[0]
        for _ in range(WARM_UP):
            await _transfer(client, sender)
        return [await _cost(client, sender, fault, seconds) for fault in FAULTS]


async def _cost(client: RpcClient, sender: str, fault: Fault, seconds: float) -> Cost:
    if fault.begin is not None:
        await client.call(*fault.begin)
    if fault.stops:
        return await _cost_of_a_stop(client, sender, fault, seconds)
    until = time.perf_counter() + seconds
    waited = []
    while time.perf_counter() < until:
        waited.append(await _transfer(client, sender))
    waited.sort()
    return Cost(fault.name, len(waited), percentile(waited, 50), waited[-1], await _back(client, fault))


async def _cost_of_a_stop(client: RpcClient, sender: str, fault: Fault, seconds: float) -> Cost:
    """One transfer, sent when the fault begins: it waits until after the end."""
    assert fault.end is not None
    began = time.perf_counter()
    sent = await _send(client, sender)
    while time.perf_counter() - began < seconds:
        if await client.call("eth_getTransactionReceipt", sent) is not None:
            raise TransactionsLost(f"a transfer was committed in spite of the fault: {fault.name}")
    await client.call(*fault.end)
    ended = time.perf_counter()
    await _receipt(client, sent)
    now = time.perf_counter()
    waited = (now - began) * 1000
    return Cost(fault.name, 1, waited, waited, (now - ended) * 1000)


async def _back(client: RpcClient, fault: Fault) -> float:
    if fault.end is not None:
        await client.call(*fault.end)
    began = time.perf_counter()
    head = int(await client.call("eth_blockNumber"), 16)
    while True:
        rows = (await client.call("tandem_status"))["validators"]
        if all(row["connected"] and row["heights"]["committed"] >= head for row in rows):
            return (time.perf_counter() - began) * 1000
        if time.perf_counter() - began > LOST_SECONDS:
            raise TransactionsLost(f"not every validator caught up within {LOST_SECONDS} s: {fault.name}")


async def _transfer(client: RpcClient, sender: str) -> float:
    """Milliseconds from sending it to its receipt."""
    began = time.perf_counter()
    await _receipt(client, await _send(client, sender))
    return (time.perf_counter() - began) * 1000


async def _send(client: RpcClient, sender: str) -> str:
    return str(
        await client.call("eth_sendTransaction", {"from": sender, "to": sender, "value": "0x1", "gas": "0x5208"})
    )


async def _receipt(client: RpcClient, sent: str) -> None:
    began = time.perf_counter()
    while await client.call("eth_getTransactionReceipt", sent) is None:
        if time.perf_counter() - began > LOST_SECONDS:
            raise TransactionsLost(f"no receipt in {LOST_SECONDS} s for {sent}")


def costs_as_json(costs: Mapping[str, Sequence[Cost]]) -> str:
    return json.dumps({rules: [asdict(cost) for cost in of_rules] for rules, of_rules in costs.items()}, indent=2)


def costs_as_table(costs: Mapping[str, Sequence[Cost]]) -> str:
    head = f"{'':<18}{'transfers':>10}{'send → receipt, p50':>22}{'longest':>12}{'caught up after':>18}"
    lines = []
    for rules, of_rules in costs.items():
        lines += ["", rules, head]
        lines += [
            f"{cost.fault:<18}{cost.transfers:>10}{cost.p50:>19.1f} ms{cost.longest:>9.0f} ms{cost.back:>15.0f} ms"
            for cost in of_rules
        ]
    return "\n".join(lines[1:])
