"""One `tandem traffic` from its command line to what it prints."""

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import click

from chain.types import Address, Gas, Wei
from node.errors import BadSetting
from node.traffic.arguments import ArgumentMaker, check_templates
from node.traffic.call_text import call_from
from node.traffic.connection import Connection, Refused, connected
from node.traffic.inclusion import Inclusions
from node.traffic.plan import ContractFacts, address_from, call_of, facts_of, gas_for
from node.traffic.run import Job, Outcome, Traffic
from node.traffic.senders import fund, payers_of, senders_of
from node.traffic.setup import BY_PAYER, BY_SENDERS, give, prepare, setup_calls
from node.traffic.summary import Summary, report_lines

FUNDING_PRICES = 20
"""Senders are paid for so many times the newest gas price: the price rises while blocks are full."""
FUNDING_GAS = 3_000_000
"""So much gas they can pay for until their calls are estimated."""
REPORTED_BLOCKS = 256
"""So many the chain looks through at once."""
LOOKED_INTO = 32
"""So many reverted calls are made again to learn why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line."""

    url: str
    contract: str
    function: str
    arguments: tuple[str, ...]
    senders: int
    count: int
    hot: float
    rate: float
    value: int
    setup: tuple[str, ...]
    sender_setup: tuple[str, ...]
    payer: int
    gas: int | None
    seed: int
    as_json: bool


async def drive(wanted: Wanted) -> Outcome:
    """Prints what came of it. Raises NodeError, and Refused for what the chain will not do."""
    address = address_from(wanted.contract)
    async with connected(wanted.url) as connection:
        inclusions = Inclusions(connection)
        return await _beside([connection.read(), inclusions.follow()], _drive(wanted, address, connection, inclusions))


async def _beside(services: list[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """What the work gives, while the services run; when one of those fails, its error."""
    running = [asyncio.ensure_future(each) for each in services]
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait([working, *running], return_when=asyncio.FIRST_COMPLETED)
        for service in running:
            if service.done():
                service.result()
        return await working
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    finally:
        for task in (working, *running):
            task.cancel()
        await asyncio.gather(working, *running, return_exceptions=True)


async def _drive(wanted: Wanted, address: Address, connection: Connection, inclusions: Inclusions) -> Outcome:
    facts = await facts_of(connection, address)
    call = call_from(wanted.function, wanted.arguments, facts.functions)
    check_templates(call)
    senders = senders_of(wanted.seed, wanted.senders)
    maker = ArgumentMaker(call, [sender.address for sender in senders], wanted.seed, address)
    if wanted.hot and maker.hot_place is None:
        raise BadSetting(f"--hot has no argument of {call.signature} to set: none is picked at random")
    given = await setup_calls(connection, facts, BY_PAYER, wanted.setup, maker)
    prepared = await setup_calls(connection, facts, BY_SENDERS, wanted.sender_setup, maker)
    chain_id = int(await connection.ask("eth_chainId"), 16)
    price = int(await connection.ask("eth_gasPrice"), 16)
    payers = await payers_of(connection)
    if wanted.payer >= len(payers):
        raise BadSetting(f"there is no development account {wanted.payer}: the node has 0 to {len(payers) - 1}")
    # What one call takes at most, so that it can be estimated; then what all of them take.
    await fund(connection, inclusions, senders, payers, FUNDING_GAS * price + wanted.value)
    tip = Wei(int(await connection.ask("eth_maxPriorityFeePerGas"), 16))
    for setup in given:
        await give(connection, inclusions, setup, payers[wanted.payer], senders)
    for setup in prepared:
        await prepare(connection, inclusions, setup, senders, chain_id, tip)
    gas = Gas(wanted.gas) if wanted.gas else await gas_for(connection, facts, maker, senders, Wei(wanted.value))
    quota = -(-wanted.count // wanted.senders)
    await fund(connection, inclusions, senders, payers, quota * (gas * FUNDING_PRICES * price + wanted.value))
    job = Job(address, chain_id, wanted.count, wanted.hot, wanted.rate, Wei(wanted.value), gas, tip, wanted.seed)
    with _progress(wanted) as step:
        running = Traffic(connection, inclusions, job, maker, step)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.stop)
        await running.run(senders)
    await _print(wanted, connection, facts, call.signature, running.outcome)
    return running.outcome


@contextlib.contextmanager
def _progress(wanted: Wanted) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where somebody looks at it."""
    if wanted.as_json or not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=wanted.count, label="traffic", file=sys.stderr, show_pos=True) as bar:
        yield lambda: bar.update(1)


async def _print(wanted: Wanted, connection: Connection, facts: ContractFacts, function: str, outcome: Outcome) -> None:
    reasons = await _reasons(wanted, connection, facts, outcome)
    report = await _report(connection, outcome.blocks)
    summary = Summary(facts.hex, facts.name, function, outcome, reasons, report)
    if wanted.as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
    else:
        click.echo("\n".join(summary.lines("" if wanted.url.endswith(":8545") else f" --url {wanted.url}")))


async def _reasons(wanted: Wanted, connection: Connection, facts: ContractFacts, outcome: Outcome) -> Counter[str]:
    """Why calls reverted: each made again after its block, or else before it. Custom errors without their values."""
    reasons: Counter[str] = Counter()
    for reverted in outcome.reverts[:LOOKED_INTO]:
        call = call_of(facts, reverted.sender, reverted.data, Wei(wanted.value)) | {"gas": hex(reverted.gas)}
        why = "it does not revert when called again: it depends on its place in the block"
        for block in (reverted.block, reverted.block - 1):
            try:
                await connection.ask("eth_call", call, hex(block))
            except Refused as refused:
                why = facts.words.name_of(refused.message, refused.data)
                break
        reasons[why] += 1
    return reasons


async def _report(connection: Connection, blocks: set[int]) -> list[str]:
    """What the record says of the newest blocks; nothing where the node keeps none."""
    if not blocks:
        return []
    first, last = max(min(blocks), max(blocks) - REPORTED_BLOCKS + 1), max(blocks)
    try:
        return report_lines(await connection.ask("tandem_getHotspots", hex(first), hex(last)))
    except Refused:
        return []
