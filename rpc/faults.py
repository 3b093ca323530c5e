"""tandem_*: breaking the chain on purpose. All methods that do are here, so that they can be left out together."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from chain.messages.faults import Equivocate, ProcessAction
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ValidatorIndex
from rpc.errors import ServerError
from rpc.fault_arguments import checked_validator, duration, groups, partition_of, percentage, turn_count
from rpc.methods import Node, method, optional
from rpc.params import boolean, decimal_or_hex
from rpc.render import JsonObject

ANSWER_TIMEOUT_S = 2.0
V = TypeVar("V", int, float)


@method("tandem_network")
async def network(node: Node) -> JsonObject:
    """The faults in force between the validators."""
    return network_faults(node)


@method("tandem_partition", groups, optional(boolean, False))
async def partition(node: Node, named: list[list[int]], one_way: bool) -> JsonObject:
    """Cuts the groups off from each other; validators in none of them are one more group. Replaces a partition."""
    parts = partition_of(named, len(node.validators), one_way)
    return await _change(node, lambda faults: replace(faults, groups=parts, one_way=one_way))


@method("tandem_heal")
async def heal(node: Node) -> JsonObject:
    """Ends every fault of the network."""
    return await _change(node, lambda _: WHOLE_NETWORK)


@method("tandem_setDelay", decimal_or_hex, duration)
async def set_delay(node: Node, validator: int, delay_ms: int) -> JsonObject:
    """Delays all that a validator says to the others and hears from them; 0ms ends that."""
    index = checked_validator(validator, len(node.validators))
    return await _change(node, lambda faults: replace(faults, delays_ms=_with(faults.delays_ms, index, delay_ms)))


@method("tandem_setDropRate", decimal_or_hex, percentage)
async def set_drop_rate(node: Node, validator: int, percent: float) -> JsonObject:
    """Loses so many of the messages that a validator says to the others and hears from them; 0% ends that."""
    index = checked_validator(validator, len(node.validators))
    return await _change(
        node, lambda faults: replace(faults, drops_percent=_with(faults.drops_percent, index, percent))
    )


@method("tandem_killValidator", decimal_or_hex)
async def kill_validator(node: Node, validator: int) -> JsonObject:
    """Kills a validator's process, which stays down until tandem_restartValidator."""
    return await _control(node, validator, ProcessAction.KILL)


@method("tandem_pauseValidator", decimal_or_hex)
async def pause_validator(node: Node, validator: int) -> JsonObject:
    """Stops a validator's process where it is: it keeps its connections and says nothing."""
    return await _control(node, validator, ProcessAction.PAUSE)


@method("tandem_resumeValidator", decimal_or_hex)
async def resume_validator(node: Node, validator: int) -> JsonObject:
    """Lets a paused validator go on."""
    return await _control(node, validator, ProcessAction.RESUME)


@method("tandem_restartValidator", decimal_or_hex)
async def restart_validator(node: Node, validator: int) -> JsonObject:
    """Kills a validator's process, if it runs, and starts it."""
    return await _control(node, validator, ProcessAction.RESTART)


@method("tandem_equivocate", decimal_or_hex, optional(turn_count, 1))
async def equivocate(node: Node, validator: int, turns: int) -> JsonObject:
    """Has a validator sign two different proposals in its next `turns` turns as leader. A restart ends it."""
    index = checked_validator(validator, len(node.validators))
    state = validator_states(node).get(index)
    if state in ("paused", "killed"):
        raise ServerError(f"validator-{index} is {state}: it can say nothing")
    try:
        await node.validators[index].request(Equivocate(turns), ANSWER_TIMEOUT_S)
    except TimeoutError:
        raise ServerError(f"validator-{index} does not answer: it may be starting") from None
    return {"validator": index, "equivocatingTurns": turns}


def network_faults(node: Node) -> JsonObject:
    """The faults in force; `notTold` are the validators that are away or stopped, and learn of them when back."""
    faults = node.network.faults
    return {
        "partition": {"groups": faults.groups, "oneWay": faults.one_way} if faults.groups else None,
        "delays": [{"validator": index, "milliseconds": ms} for index, ms in sorted(faults.delays_ms.items())],
        "drops": [{"validator": index, "percent": percent} for index, percent in sorted(faults.drops_percent.items())],
        "notTold": node.network.not_told,
    }


async def _change(node: Node, change: Callable[[NetworkFaults], NetworkFaults]) -> JsonObject:
    await node.network.change(change(node.network.faults))
    return network_faults(node)


async def _control(node: Node, validator: int, action: ProcessAction) -> JsonObject:
    index = checked_validator(validator, len(node.validators))
    await node.processes.control(index, action)
    node.consensus.changed()
    return {"validator": index, "state": validator_states(node).get(index)}


def validator_states(node: Node) -> dict[ValidatorIndex, str]:
    """Whether each validator's process is starting, running, paused or killed, as far as a supervisor knows."""
    states = {row["name"]: row["state"] for row in node.processes.listed() or ()}
    return {index: states[f"validator-{index}"] for index in node.validators if f"validator-{index}" in states}


def _with(values: Mapping[ValidatorIndex, V], index: ValidatorIndex, value: V) -> dict[ValidatorIndex, V]:
    """The values with this one; none for 0."""
    others = {known: other for known, other in values.items() if known != index}
    return {**others, index: value} if value else others
