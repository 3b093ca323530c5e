"""tandem_*: what only this node can tell, about its pipeline and about each transaction's way through it."""

import asyncio
import logging
from dataclasses import asdict
from typing import Any

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages import Message
from chain.messages.execution import ReadExecutionStatus
from chain.messages.mempool import ConsensusNews, Rejection
from chain.messages.storage import ReadStorageStatus
from chain.types import Hash32, Height, ValidatorIndex
from rpc.chain_view import ChainView
from rpc.environments import pending_fork
from rpc.executor_watch import ExecutorWatch
from rpc.faults import network_faults, validator_states
from rpc.methods import Node, method
from rpc.network import client_version
from rpc.params import hash32
from rpc.render import JsonObject, data_json

log = logging.getLogger("tandem.rpc")

STATUS_TIMEOUT_S = 1.0
"""A process that does not answer within this time is shown as not answering."""
STAGES = ("proposed", "certified", "committed", "executed", "verified")


@method("tandem_status")
async def status(node: Node) -> JsonObject:
    """The pipeline from end to end, in plain numbers."""
    execution, storage = await asyncio.gather(execution_status(node), _ask(node.storage, ReadStorageStatus()))
    pending, queued = node.admission.pool.counts()
    states = validator_states(node)
    return {
        "client": client_version(),
        "chainId": node.chain.chain_id,
        "genesis": data_json(node.genesis.id()),
        "rules": node.genesis.rules,
        "leaders": node.genesis.leaders,
        "fork": pending_fork(node.chain.head.header, node.genesis).label,
        "forkedFrom": forked_from(node),
        "head": {"number": node.chain.number, "hash": data_json(node.chain.head.hash)},
        "heights": await heights(node),
        "processes": node.processes.listed(),
        "network": network_faults(node),
        "validators": [await _validator(node, index, states.get(index)) for index in sorted(node.validators)],
        "executors": await _executors(node.executors, node.chain),
        "execution": execution,
        "storage": storage,
        "pool": {"pending": pending, "queued": queued, "bytes": node.admission.pool.raw_bytes},
    }


def forked_from(node: Node) -> JsonObject | None:
    """The remote chain that a fork goes on from; storage's counters tell how often it was asked."""
    forked, remote = node.genesis.forked, node.remote
    if forked is None or remote is None:
        return None
    return {"url": remote.url, "chainId": forked.chain_id, "block": remote.last}


async def _executors(watch: ExecutorWatch, chain: ChainView) -> JsonObject:
    """How many there should be, the block they differ on while nobody can say who is wrong, and those found wrong."""
    wrong = [
        {
            "index": found.executor,
            "block": await chain.number_at(found.height),
            "said": data_json(found.said),
            "expected": data_json(found.expected),
        }
        for found in watch.verdict.wrong
    ]
    disputed = await chain.number_at(watch.verdict.disputed) if watch.verdict.disputed else None
    return {"count": watch.count, "disputed": disputed, "wrong": wrong}


async def heights(node: Node) -> dict[str, int]:
    """The newest block in each stage of its life: as the foremost validator has it, and as all of rpc answers it."""
    said = node.chain.consensus.values()
    foremost = {stage: max((getattr(news, stage) for news in said), default=Height(0)) for stage in STAGES[:3]}
    numbers: dict[str, int] = {stage: await node.chain.number_at(height) for stage, height in foremost.items()}
    return numbers | {"executed": node.chain.number, "verified": node.chain.finalized}


async def _validator(node: Node, index: ValidatorIndex, state: str | None) -> JsonObject:
    """`state` is that of its process, None where nobody runs all processes."""
    connected = node.validators[index].connected
    news = node.chain.consensus.get(index)
    stake = node.genesis.validators[index].stake
    known = {} if news is None else await consensus_json(news, node.chain)
    return {"index": index, "stake": stake, "state": state, "connected": connected, **known}


async def consensus_json(news: ConsensusNews, chain: ChainView) -> JsonObject:
    """A validator's own view. Its heights are told as the numbers of the newest blocks at them."""
    return {
        "round": news.round,
        "leader": news.leader,
        "heights": {stage: await chain.number_at(getattr(news, stage)) for stage in STAGES},
        "ledger": {"height": news.committed_depth, "proposal": data_json(news.committed_proposal)},
        "timeouts": news.timeouts,
        "mempool": {"transactions": news.mempool_transactions, "bytes": news.mempool_bytes},
        "connectedPeers": news.connected_peers,
        "queuedBytes": news.queued_bytes,
        "droppedFrames": news.dropped_frames,
        "rejections": [rejection_json(rejection) for rejection in news.rejections],
        "late": [rejection_json(rejection) for rejection in news.late],
        "equivocatingTurns": news.equivocating_turns,
    }


def rejection_json(rejection: Rejection) -> JsonObject:
    """The peer as people name it: another validator, the validator itself, or a stranger at its socket."""
    names = {-1: "self", -2: "stranger"}
    peer = names.get(rejection.peer, f"validator-{rejection.peer}")
    return {"peer": peer, "reason": rejection.reason, "times": rejection.times}


async def execution_status(node: Node) -> dict[str, Any] | None:
    """Execution's own status, None when it does not answer."""
    return await _ask(node.execution, ReadExecutionStatus())


async def _ask(link: Link, question: Message) -> dict[str, Any] | None:
    """A process's own status in JSON's spelling, None when it does not answer."""
    try:
        answer = await link.request(question, STATUS_TIMEOUT_S)
    except (TimeoutError, RequestFailed, LinkClosed) as error:
        log.debug("no status: %s", str(error) or type(error).__name__)
        return None
    return {_camel_case(name): value for name, value in asdict(answer).items()}


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@method("tandem_getTransactionStatus", hash32)
async def transaction_status(node: Node, transaction_hash: Hash32) -> JsonObject:
    """Where a transaction is: included in a block, pending, evicted with the reason, or unknown."""
    stored = await node.chain.transaction(transaction_hash)
    if stored is not None:
        return _transaction("included", block=hex(stored.header.number))
    if transaction_hash in node.admission.pool:
        return _transaction("pending")
    reason = node.admission.pool.eviction(transaction_hash)
    return _transaction("unknown") if reason is None else _transaction("evicted", reason=reason)


def _transaction(status: str, reason: str | None = None, block: str | None = None) -> JsonObject:
    return {"status": status, "reason": reason, "block": block}
