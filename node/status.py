"""`tandem status`: what a running chain says of itself, as a table or as JSON."""

import json
from typing import Any

import click

from chain.messages.faults import NO_ROOM
from node.fault_commands import network_lines
from node.running_chain import ask

SHOWN_REJECTIONS = 4
"""Of one validator, in the table; JSON has them all."""


def show_status(url: str, as_json: bool) -> None:
    """Raises NoChain."""
    status = ask(url, "tandem_status")
    click.echo(json.dumps(status, indent=2) if as_json else rendered(status))


def rendered(status: dict[str, Any]) -> str:
    """The status for people."""
    heights = "  ".join(f"{stage} {number}" for stage, number in status["heights"].items())
    lines = [f"{status['client']}  chain {status['chainId']}  {status['fork']}  rules {status['rules']}"]
    lines += ["", f"heights     {heights}"]
    execution, storage, pool = status["execution"], status["storage"], status["pool"]
    if any(process["state"] == NO_ROOM for process in status["processes"] or ()):
        lines.append(
            "stalled     no room left on the disk of the data folder: free some, and the chain goes on by itself"
        )
    lines += forked_lines(status.get("forkedFrom"), storage)
    if execution is None:
        lines.append("execution   does not answer")
    else:
        lag = execution["committed"] - execution["executed"]
        lines.append(
            f"execution   {execution['strategy']}  lag {lag}  workers {execution['workers']}  "
            f"queued tasks {execution['queuedTasks']}"
        )
        if execution["stalled"]:
            lines.append(f"stalled     {execution['stalled']}")
    if storage is None:
        lines.append("storage     does not answer")
    else:
        lines.append(
            f"storage     version {storage['version']}  {storage['diskBytes'] / 1e6:.1f} MB on disk  "
            f"states from block {storage['oldestState']} on"
        )
        lines.append("caches      " + "  ".join(map(_hit_rate, storage["caches"])))
    lines += executor_lines(status["executors"], status["heights"]["executed"], status["validators"])
    lines.append(f"mempool     {pool['pending']} pending  {pool['queued']} queued  {pool['bytes']} bytes")
    lines += network_lines(status["network"])
    if status.get("processes"):
        lines += ["", "process         pid  restarts  state"]
        lines += [f"{p['name']:<12}{p['pid'] or '-':>8}{p['restarts']:>8}    {p['state']}" for p in status["processes"]]
    lines += ["", "validator  round  leader  committed  verified  mempool  timeouts  peers  queued bytes  dropped"]
    lines += map(_validator_row, status["validators"])
    return "\n".join([*lines, *rejection_lines(status["validators"])])


def _hit_rate(cache: dict[str, Any]) -> str:
    """How much of what was read was in the cache; nothing can be said before the first read."""
    reads = cache["hits"] + cache["misses"]
    return f"{cache['name']} {100 * cache['hits'] / reads:.1f} %" if reads else f"{cache['name']} -"


def forked_lines(forked: dict[str, Any] | None, storage: dict[str, Any] | None) -> list[str]:
    """Where a fork goes on from, and how often that was asked in storage's life."""
    if forked is None:
        return []
    counters = {} if storage is None else storage["counters"]
    asked = f"{counters.get('remote_calls', 0)} calls in {counters.get('remote_requests', 0)} requests"
    return [f"forked      {forked['url']} at block {forked['block']}, asked {asked}"]


def rejection_lines(validators: list[dict[str, Any]]) -> list[str]:
    """What each validator refused, most frequent first; none where there is nothing to tell."""
    lines = []
    for validator in validators:
        refused = sorted(validator.get("rejections", ()), key=lambda entry: -entry["times"])
        if refused:
            shown = ", ".join(f"{r['peer']} {r['reason']} {r['times']}" for r in refused[:SHOWN_REJECTIONS])
            more = len(refused) - SHOWN_REJECTIONS
            lines.append(f"validator {validator['index']} refused: {shown}{f' and {more} more' if more > 0 else ''}")
    return ["", *lines] if lines else []


def executor_lines(executors: dict[str, Any], executed: int, validators: list[dict[str, Any]]) -> list[str]:
    """None for a lone executor, which nobody checks. `executed` is the newest block of the one that rpc reads."""
    lines = []
    if executors["count"] > 1:
        lines.append(f"executors   {executors['count']}, more than half of which agree on each block")
        agreed = max(
            (validator["heights"]["executed"] for validator in validators if "heights" in validator), default=0
        )
        if agreed < executed and executors["disputed"] is None:
            lines.append(f"            they agree up to block {agreed}; block {agreed + 1} waits for the slower ones")
    if executors["disputed"] is not None:
        lines.append(f"            they differ on block {executors['disputed']}: one more executes the chain to decide")
    for wrong in executors["wrong"]:
        lines.append(f"            executor {wrong['index']} is wrong and stopped: block {wrong['block']} is")
        lines.append(f"            {wrong['expected']}, it said {wrong['said']}")
    return lines


def _validator_row(validator: dict[str, Any]) -> str:
    if validator["state"] in ("killed", "paused"):
        return f"{validator['index']:<9}  {validator['state']} on purpose"
    if not validator["connected"] or "round" not in validator:
        return f"{validator['index']:<9}  does not answer"
    heights = validator["heights"]
    lies = validator["equivocatingTurns"]
    return (
        f"{validator['index']:<9}{validator['round']:>7}{validator['leader']:>8}{heights['committed']:>11}"
        f"{heights['verified']:>10}{validator['mempool']['transactions']:>9}{validator['timeouts']:>10}"
        f"{validator['connectedPeers']:>7}{validator['queuedBytes']:>14}{validator['droppedFrames']:>9}"
        f"{f'   equivocates, turns left: {lies}' if lies else ''}"
    )
