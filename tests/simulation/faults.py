"""Makes a scenario's faults happen, and repairs everything in the end."""

from tests.simulation.node import Node
from tests.simulation.scenario import Fault, Kind, Rates
from tests.simulation.world import World

HEALTHY_DELAY_US = 10_000
"""A whole network is fast enough that no round times out: a proposal and its votes take less than the base timeout."""


def happen(world: World, fault: Fault) -> None:
    world.counts[f"fault: {fault.kind}"] += 1
    nodes = [world.nodes[slot] for slot in fault.nodes]
    match fault.kind:
        case Kind.PARTITION:
            others = [slot for slot in range(len(world.nodes)) if slot not in fault.nodes]
            world.network.cut(fault.nodes, others)
            world.network.cut(others, fault.nodes)
        case Kind.DEAF:
            others = [slot for slot in range(len(world.nodes)) if slot not in fault.nodes]
            world.network.cut(others, fault.nodes)
        case Kind.HEAL:
            world.heal()
        case _:
            for node in nodes:
                _happen_to(world, node, fault)


def _happen_to(world: World, node: Node, fault: Fault) -> None:
    match fault.kind:
        case Kind.KILL:
            world.kill(node)
        case Kind.POWER_LOSS:
            world.kill(node, unsynced_lost=fault.amount)
        case Kind.DISK_LOSS:
            world.lose_disk(node)
        case Kind.CRASH_BEFORE_WRITE:
            node.disk.crash_at(fault.amount, after=False)
        case Kind.CRASH_AFTER_WRITE:
            node.disk.crash_at(fault.amount, after=True)
        case Kind.CRASH_WHILE_SENDING:
            node.sends_left = fault.amount
        case Kind.RESTART:
            world.restart(node)
        case Kind.PAUSE:
            node.pause()
        case Kind.RESUME:
            node.resume()
        case Kind.CLOCK:
            node.skew_ms = fault.amount


def repair(world: World) -> None:
    """Ends all faults and brings everybody back. Liars stay what they are."""
    rates = world.network.rates
    delay_us = min(rates.delay_us, HEALTHY_DELAY_US)
    world.network.change(Rates(delay_us=delay_us, execution_us=rates.execution_us))
    for node in world.nodes:
        node.skew_ms = 0
        node.sends_left = None
        node.disk.repair()
        node.resume()
    world.heal()
    for node in world.nodes:
        world.restart(node)
