"""`tandem status`: what a running chain says of itself, as a table or as JSON."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import click

from node.errors import NodeError

TIMEOUT_S = 5.0


class NoChain(NodeError):
    def __init__(self, url: str, reason: object) -> None:
        super().__init__(
            f"no chain answers at {url} ({reason}): start one with scripts/up, or give its --port or --url"
        )


def show_status(url: str, as_json: bool) -> None:
    """Raises NoChain."""
    status = ask(url, "tandem_status")
    click.echo(json.dumps(status, indent=2) if as_json else rendered(status))


def ask(url: str, method: str) -> Any:
    """The result of a JSON-RPC method without parameters. Raises NoChain."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    try:
        if parts.scheme != "http" or parts.hostname is None:
            raise NoChain(url, "not an http:// address")
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_S)
        connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoChain(url, error) from error
    if not isinstance(answer, dict) or "result" not in answer:
        raise NoChain(url, "it is not Tandem")
    return answer["result"]


def rendered(status: dict[str, Any]) -> str:
    """The status for people."""
    heights = "  ".join(f"{stage} {number}" for stage, number in status["heights"].items())
    lines = [f"{status['client']}  chain {status['chainId']}  {status['fork']}  rules {status['rules']}"]
    lines += ["", f"heights     {heights}"]
    execution, storage, pool = status["execution"], status["storage"], status["pool"]
    if execution is None:
        lines.append("execution   does not answer")
    else:
        lag = execution["committed"] - execution["executed"]
        lines.append(
            f"execution   {execution['strategy']}  lag {lag}  workers {execution['workers']}  "
            f"queued tasks {execution['queuedTasks']}"
        )
    if storage is None:
        lines.append("storage     does not answer")
    else:
        lines.append(f"storage     version {storage['version']}  {storage['diskBytes'] / 1e6:.1f} MB on disk")
    lines.append(f"mempool     {pool['pending']} pending  {pool['queued']} queued  {pool['bytes']} bytes")
    if status.get("processes"):
        lines += ["", "process         pid  restarts"]
        lines += [f"{p['name']:<12}{p['pid'] or '-':>8}{p['restarts']:>8}" for p in status["processes"]]
    lines += ["", "validator  round  leader  committed  verified  mempool  timeouts  peers  queued bytes  dropped"]
    return "\n".join([*lines, *map(_validator_row, status["validators"])])


def _validator_row(validator: dict[str, Any]) -> str:
    if not validator["connected"] or "round" not in validator:
        return f"{validator['index']:<9}  does not answer"
    heights = validator["heights"]
    return (
        f"{validator['index']:<9}{validator['round']:>7}{validator['leader']:>8}{heights['committed']:>11}"
        f"{heights['verified']:>10}{validator['mempool']['transactions']:>9}{validator['timeouts']:>10}"
        f"{validator['connectedPeers']:>7}{validator['queuedBytes']:>14}{validator['droppedFrames']:>9}"
    )
