"""The wallets that send: their keys come from the seed, their ether from the development accounts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chain.keccak import keccak256
from chain.signing import address_of_private_key
from chain.types import Address
from node.errors import NodeError
from node.traffic.connection import Connection, Refused
from node.traffic.inclusion import Inclusions

FUNDING_AT_A_TIME = 32


class NoDevelopmentAccounts(NodeError):
    def __init__(self) -> None:
        super().__init__("the node has no unlocked accounts that could pay the senders: start it with --accounts 10")


class CannotFund(NodeError):
    def __init__(self, why: str) -> None:
        super().__init__(f"the development accounts cannot pay the senders: {why}; start the chain with a --balance")


@dataclass(slots=True)
class Sender:
    """An account whose key only this command uses, so that its next nonce is known here."""

    private_key: bytes
    address: Address
    nonce: int = 0

    @property
    def hex(self) -> str:
        return "0x" + self.address.hex()


def senders_of(seed: int, count: int) -> list[Sender]:
    """The same ones for the same seed."""
    keys = [bytes(keccak256(b"tandem traffic %d/%d" % (seed, index))) for index in range(count)]
    return [Sender(key, address_of_private_key(key)) for key in keys]


async def payers_of(connection: Connection) -> list[str]:
    """The development accounts. Raises NoDevelopmentAccounts."""
    accounts: list[str] = await connection.ask("eth_accounts")
    if not accounts:
        raise NoDevelopmentAccounts
    return accounts


async def fund(
    connection: Connection, inclusions: Inclusions, senders: Sequence[Sender], payers: Sequence[str], wei_each: int
) -> None:
    """Pays each sender what it lacks of so much, and learns its nonce. Raises CannotFund."""
    asked = [connection.ask("eth_getBalance", sender.hex, "latest") for sender in senders]
    balances = [int(balance, 16) for balance in await asyncio.gather(*asked)]
    counts = [connection.ask("eth_getTransactionCount", sender.hex, "pending") for sender in senders]
    for sender, count in zip(senders, await asyncio.gather(*counts), strict=True):
        sender.nonce = int(count, 16)
    lacking = [(s, wei_each - balance) for s, balance in zip(senders, balances, strict=True) if balance < wei_each]
    slots = asyncio.Semaphore(FUNDING_AT_A_TIME)

    async def pay(number: int, sender: Sender, wei: int) -> None:
        payment = {"from": payers[number % len(payers)], "to": sender.hex, "value": hex(wei), "gas": hex(21_000)}
        async with slots:
            await inclusions.of(await connection.ask("eth_sendTransaction", payment))

    try:
        await asyncio.gather(*(pay(number, *each) for number, each in enumerate(lacking)))
    except Refused as refused:
        raise CannotFund(refused.message) from refused
