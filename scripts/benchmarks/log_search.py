"""Searches for logs in 10,000 blocks: in storage, and from its answer to the JSON that rpc sends."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, first_header
from chain.keccak import keccak256
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.storage import ApplyBlock
from chain.receipts import Log, Receipt
from chain.transactions import DYNAMIC_FEE
from chain.types import Address, BlockNumber, Gas, Hash32, Height, Wei
from rpc.rendered_logs import array_of, render_logs
from storage.steps import run
from storage.store import Store

BLOCKS = 10_000
TRANSACTIONS = 4
RARE, FREQUENT, ALWAYS = (Address(bytes([byte]) * 20) for byte in (0xA1, 0xA2, 0xA3))
ONE_IN = {RARE: 1_000, FREQUENT: 16, ALWAYS: 1}
"""An address has a log in one of so many blocks."""
OTHERS = 50
EVENT = Hash32(b"\xee" * 32)
TOPICS = 1_000
SEED = 20261123


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """A search by `criteria` that finds so many logs, in milliseconds."""

    criteria: str
    found: int
    storage_ms: float
    rpc_ms: float


def measure_searches(folder: Path, rounds: int) -> list[SearchFigures]:
    """Of an address with a log in a thousandth, a sixteenth and all of the blocks, and by other criteria.

    The chain is made in a folder.
    """
    everywhere = ReadLogs(BlockNumber(1), BlockNumber(BLOCKS), (), (), BLOCKS)
    queries = [("one address", replace(everywhere, addresses=(address,))) for address in ONE_IN]
    queries += [
        ("address, event", replace(everywhere, addresses=(ALWAYS,), topics=((EVENT,),))),
        ("two addresses", replace(everywhere, addresses=(FREQUENT, ALWAYS), last=BlockNumber(BLOCKS - BLOCKS // 16))),
        ("event", replace(everywhere, topics=((EVENT,),), last=BlockNumber(BLOCKS // TRANSACTIONS))),
    ]
    with closing(_chain(folder)) as store:
        return [_searches(store, criteria, query, rounds) for criteria, query in queries]


def _chain(folder: Path) -> Store:
    """Blocks of four transactions with a log each, as of a token: the event, two more topics and a word."""
    chosen = random.Random(SEED)
    genesis = Genesis(
        chain_id=31337,
        forks=only(Fork.PRAGUE),
        header=first_header(Fork.PRAGUE, 1_700_000_000, Gas(30_000_000), Wei(10**9)),
        accounts=(),
        validators=(),
        max_lag=3,
        rules="",
        leaders="",
    )
    store = Store.open(folder, genesis, durable=False)
    others = [Address(chosen.randbytes(20)) for _ in range(OTHERS)]
    topics = [Hash32(bytes(12) + chosen.randbytes(20)) for _ in range(TOPICS)]
    for number in range(1, BLOCKS + 1):
        emitters = [address for address, one_in in ONE_IN.items() if number % one_in == 0]
        emitters += chosen.sample(others, TRANSACTIONS - len(emitters))
        logs = [Log(emitter, (EVENT, *chosen.sample(topics, 2)), chosen.randbytes(32)) for emitter in emitters]
        store.apply(_block(genesis, number, logs, chosen))
    return store


def _block(genesis: Genesis, number: int, logs: Sequence[Log], chosen: random.Random) -> ApplyBlock:
    return ApplyBlock(
        height=Height(number),
        proposal=keccak256(b"%d" % number),
        header=replace(genesis.header, number=BlockNumber(number), timestamp=1_700_000_000 + number),
        transactions=tuple(chosen.randbytes(180) for _ in logs),
        senders=(RARE,) * len(logs),
        receipts=tuple(Receipt(DYNAMIC_FEE, True, Gas(50_000), Gas(50_000), (log,), Wei(10**9)) for log in logs),
        changes=(),
        parent_hash_slot=None,
        record=b"",
    )


def _searches(store: Store, criteria: str, query: ReadLogs, rounds: int) -> SearchFigures:
    searched, rendered, found = [], [], 0
    for _ in range(rounds):
        began = time.thread_time()
        answer = run(store.logs(query))
        searched.append(time.thread_time() - began)
        rendered.append(asyncio.run(_as_json(answer)))
        found = answer.count
    return SearchFigures(criteria, found, statistics.median(searched) * 1e3, statistics.median(rendered) * 1e3)


async def _as_json(answer: FoundLogs) -> float:
    """The seconds until the logs are an answer in JSON."""
    began = time.thread_time()
    orjson.dumps({"result": array_of(await render_logs(answer))})
    return time.thread_time() - began
