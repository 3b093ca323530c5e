"""What the senders must have before the traffic: calls that a development account makes for each, or each itself."""

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from chain.types import Wei
from node.errors import NodeError
from node.traffic.arguments import ArgumentMaker, Moment, check_templates
from node.traffic.call_text import BadCall, call_from
from node.traffic.connection import Connection, Refused
from node.traffic.inclusion import Evicted, Inclusions
from node.traffic.plan import CallReverts, ContractFacts, address_from, facts_of, gas_for
from node.traffic.run import Job, Traffic
from node.traffic.senders import Sender

BY_PAYER, BY_SENDERS = "--setup", "--sender-setup"
SETUP_AT_A_TIME = 32
_ELSEWHERE = re.compile(r"\s*(0x[0-9a-fA-F]{40})\.(.+)", re.DOTALL)


class SetupFails(NodeError):
    def __init__(self, option: str, text: str, why: str) -> None:
        remedy = "; --from N names the development account that sends it" if option == BY_PAYER else ""
        super().__init__(f"{option} {text!r} fails: {why}{remedy}")


@dataclass(frozen=True, slots=True)
class SetupCall:
    """One option's call: of which contract, and what makes its arguments."""

    option: str
    text: str
    facts: ContractFacts
    maker: ArgumentMaker


async def setup_calls(
    connection: Connection, facts: ContractFacts, option: str, texts: Sequence[str], maker: ArgumentMaker
) -> list[SetupCall]:
    """What the texts mean, each of which may begin with another contract's address and a dot.

    `facts` and `maker` are those of the contract that is driven. Raises BadCall and NoContract.
    """
    found = []
    for text in texts:
        elsewhere = _ELSEWHERE.fullmatch(text)
        target = await facts_of(connection, address_from(elsewhere[1])) if elsewhere else facts
        try:
            function, *arguments = _words(elsewhere[2] if elsewhere else text)
            call = call_from(function, arguments, target.functions)
            check_templates(call)
            its_maker = maker.of(call)
            its_maker.calldata(Moment(0, its_maker.senders[0], False))
        except BadCall as error:
            raise BadCall(f"{option} {text!r}: {error}") from None
        found.append(SetupCall(option, text, target, its_maker))
    return found


async def give(
    connection: Connection, inclusions: Inclusions, call: SetupCall, payer: str, senders: Sequence[Sender]
) -> None:
    """Has a development account make the call, once for every sender. Raises SetupFails."""
    slots = asyncio.Semaphore(SETUP_AT_A_TIME)

    async def send(index: int, sender: Sender) -> None:
        data = call.maker.calldata(Moment(index, sender.address, False))
        request = {"from": payer, "to": call.facts.hex, "data": "0x" + data.hex()}
        async with slots:
            try:
                found = await inclusions.of(await connection.ask("eth_sendTransaction", request))
            except Refused as refused:
                why = call.facts.words.of(refused.message, refused.data)
                raise SetupFails(call.option, call.text, why) from refused
            except Evicted as evicted:
                raise SetupFails(call.option, call.text, str(evicted)) from evicted
        if not found.succeeded:
            raise SetupFails(call.option, call.text, f"it reverted for sender {sender.hex}")

    await asyncio.gather(*(send(index, sender) for index, sender in enumerate(senders)))


async def prepare(
    connection: Connection, inclusions: Inclusions, call: SetupCall, senders: Sequence[Sender], chain_id: int, tip: Wei
) -> None:
    """Has every sender make the call once. Raises SetupFails."""
    try:
        gas = await gas_for(connection, call.facts, call.maker, senders, Wei(0))
    except CallReverts as error:
        raise SetupFails(call.option, call.text, error.why) from error
    job = Job(call.facts.address, chain_id, len(senders), 0.0, 0.0, Wei(0), gas, tip, 0)
    traffic = Traffic(connection, inclusions, job, call.maker, lambda: None)
    await traffic.run(senders)
    for why in traffic.outcome.refused:
        raise SetupFails(call.option, call.text, why)
    if traffic.outcome.reverted:
        raise SetupFails(call.option, call.text, f"it reverted for {traffic.outcome.reverted} senders")


def _words(text: str) -> list[str]:
    """The function and what stands behind it. Raises BadCall."""
    head, bracket, rest = text.partition(")")
    try:
        return [head + bracket, *shlex.split(rest)] if rest.strip() and head.count("(") == 1 else [text]
    except ValueError as error:
        raise BadCall(str(error)) from None
