"""What a run needs to know before it starts: the contract, its functions, the gas, and what its senders must have."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.addresses import checksummed
from chain.types import Address, Gas, Wei
from node.errors import BadSetting, NodeError
from node.traffic.arguments import ArgumentMaker, Moment
from node.traffic.call_text import by_selector
from node.traffic.connection import Connection, Refused
from node.traffic.reverts import RevertWords
from node.traffic.senders import Sender

GAS_MARGIN = 2
"""A call may cost more later than when it was estimated: another branch, a slot that was not zero."""
SPARE_GAS = 30_000
MAX_SHOWN = 200
"""Letters of a call's arguments."""
GAS_SAMPLES = 8
MAX_TRANSACTION_GAS = 16_777_216
"""EIP-7825, in force from Osaka."""


class NoContract(NodeError):
    def __init__(self, address: str) -> None:
        super().__init__(f"there is no contract at {address}: deploy it on this chain first, and give its address")


class CallReverts(NodeError):
    """The first call would revert, so that all of them might.

    `made_up` are its arguments if nobody gave them all and there is no reason; `by_seed`: some come from the seed.
    """

    def __init__(self, function: str, why: str, made_up: str | None, by_seed: bool) -> None:
        self.why = why if made_up is None else f"{why}, without a reason, when called with {made_up}"
        remedy = "give the senders what they need first, such as --setup 'transfer({sender},1000)'"
        if "allowance" in why.lower():
            remedy = "let the senders allow it first, such as --sender-setup '0xTOKEN.approve({contract},1000)'"
        elif made_up is not None:
            remedy = f"give arguments behind it that suit it, such as '{{0..1}}' for an enum, or {remedy}"
        if by_seed:
            remedy += ", or another --seed if the contract takes a value only once (each seed has its own)"
        super().__init__(f"{function} would revert: {self.why}; {remedy}, or --gas 200000 to send it all the same")


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """What the node says of the contract; `functions` are empty where it does not know it."""

    address: Address
    name: str | None
    functions: Sequence[str]
    words: RevertWords

    @property
    def hex(self) -> str:
        return checksummed(self.address)


def address_from(text: str) -> Address:
    """Raises BadSetting."""
    digits = text.removeprefix("0x")
    try:
        address = Address(bytes.fromhex(digits))
    except ValueError:
        address = Address(b"")
    if len(address) != 20:
        raise BadSetting(f"{text!r} is no address of a contract: give 0x and 40 hex digits")
    return address


async def facts_of(connection: Connection, address: Address) -> ContractFacts:
    """Raises NoContract."""
    shown = checksummed(address)
    if await connection.ask("eth_getCode", shown, "latest") in ("0x", None):
        raise NoContract(shown)
    try:
        known: Mapping[str, Any] = await connection.ask("tandem_getContract", shown) or {}
    except Refused:  # a node of another kind
        known = {}
    errors = by_selector(known.get("errors", []))
    return ContractFacts(address, known.get("name"), known.get("functions", []), RevertWords(errors))


async def gas_for(
    connection: Connection, facts: ContractFacts, maker: ArgumentMaker, senders: Sequence[Sender], value: Wei
) -> Gas:
    """A gas limit for all calls, from what some of them need as things stand. Raises CallReverts if the first fails."""
    block_limit = int((await connection.ask("eth_getBlockByNumber", "latest", False))["gasLimit"], 16)
    first = [Moment(index, sender.address, False) for index, sender in enumerate(senders[:GAS_SAMPLES])]
    hot = Moment(0, senders[0].address, True)
    calls = [call_of(facts, moment.sender, maker.calldata(moment), value) for moment in (*first, hot)]
    found = await asyncio.gather(*(connection.ask("eth_estimateGas", call) for call in calls), return_exceptions=True)
    for answer in found:
        if isinstance(answer, BaseException) and not isinstance(answer, Refused):
            raise answer
    if isinstance(found[0], Refused):
        why = facts.words.of(found[0].message, found[0].data)
        is_silent = found[0].data in (None, "0x") and None in maker.call.given
        made_up = maker.shown(first[0])[:MAX_SHOWN] if is_silent else None
        by_seed = any(text is None or "{random}" in text for text in maker.call.given)
        raise CallReverts(maker.call.signature, why, made_up, by_seed) from found[0]
    most = max(int(answer, 16) for answer in found if isinstance(answer, str))
    return Gas(max(most, min(GAS_MARGIN * most + SPARE_GAS, block_limit // 2, MAX_TRANSACTION_GAS)))


def call_of(facts: ContractFacts, sender: Address, data: bytes, value: Wei) -> dict[str, str]:
    """The call as eth_call and eth_estimateGas take it."""
    return {"from": "0x" + sender.hex(), "to": facts.hex, "data": "0x" + data.hex(), "value": hex(value)}
