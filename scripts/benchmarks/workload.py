"""What is sent: senders of our own, the contracts, and transactions signed before the clock starts."""

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address

from scripts.benchmarks.http_client import RpcClient, request, result_of
from tests.contracts import artifact

MNEMONIC = "test test test test test test test test test test test junk"
FAUCETS = 10
ETHER = 10**18
GWEI = 10**9
SENDER_BALANCE = 100 * ETHER
TOKENS = 10**9
KECCAK_ROUNDS = 100
SETUP_SECONDS = 60

TRANSFER = keccak(text="transfer(address,uint256)")[:4]
MINT = keccak(text="mint(address,uint256)")[:4]
BALANCE_OF = keccak(text="balanceOf(address)")[:4]
INCREMENT = keccak(text="increment()")[:4]
RUN = keccak(text="run(uint256)")[:4]


class TransactionsLost(Exception):
    """Transactions that the node took have no receipt in time."""


@dataclass(slots=True)
class Sender:
    """An account nobody else uses, so that its next nonce is known here."""

    account: LocalAccount
    recipient: str
    nonce: int = 0

    def sign(self, chain_id: int, call: "Call") -> "SignedTransaction":
        fields: dict[str, Any] = {
            "chainId": chain_id,
            "nonce": self.nonce,
            "gas": call.gas_limit,
            "value": call.value,
            "data": call.data,
            # Far above any base fee that a run can drive the chain to; only what is used is paid.
            "maxFeePerGas": 1000 * GWEI,
            "maxPriorityFeePerGas": GWEI,
        }
        if call.to is not None:
            fields["to"] = call.to
        self.nonce += 1
        signed = self.account.sign_transaction(fields)
        raw = signed.raw_transaction.to_0x_hex()
        return SignedTransaction(signed.hash.to_0x_hex(), request("eth_sendRawTransaction", raw))


@dataclass(frozen=True, slots=True)
class Call:
    """What one transaction does; `to` is None for a creation."""

    to: str | None
    data: bytes = b""
    value: int = 0
    gas_limit: int = 100_000


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Ready to post: `request` is the whole JSON-RPC message."""

    hash: str
    request: bytes


@dataclass(slots=True)
class World:
    """The senders with ether and tokens, and the contracts they call, on one node."""

    chain_id: int
    senders: list[Sender]
    spare: Sender
    contracts: dict[str, str] = field(default_factory=dict)

    def transfer(self, sender: Sender) -> Call:
        return Call(sender.recipient, value=1, gas_limit=21_000)

    def token_transfer(self, sender: Sender) -> Call:
        return Call(self.contracts["Token"], TRANSFER + _words(sender.recipient, 1))

    def increment(self, sender: Sender) -> Call:
        return Call(self.contracts["Counter"], INCREMENT)

    def keccak_loop(self, sender: Sender) -> Call:
        return Call(self.contracts["KeccakLoop"], RUN + _words(KECCAK_ROUNDS), gas_limit=150_000)

    def balance_query(self) -> bytes:
        data = "0x" + (BALANCE_OF + _words(self.senders[0].account.address)).hex()
        return request("eth_call", {"to": self.contracts["Token"], "data": data}, "latest")


async def make_world(client: RpcClient, sender_count: int) -> World:
    """Fund the senders from the ten well-known accounts, deploy the contracts, hand out tokens."""
    chain_id = int(await client.call("eth_chainId"), 16)
    seed = secrets.token_hex(8)
    accounts = [Account.from_key(keccak(text=f"{seed}/{index}")) for index in range(sender_count + 1)]
    recipients = [
        to_checksum_address(keccak(text=f"{seed}/recipient/{index}")[12:]) for index in range(sender_count + 1)
    ]
    senders = [Sender(account, recipient) for account, recipient in zip(accounts, recipients, strict=True)]
    faucets = await _faucets(client)
    payments = [
        faucet.sign(chain_id, Call(sender.account.address, value=SENDER_BALANCE, gas_limit=21_000))
        for sender, faucet in zip(senders, itertools.cycle(faucets), strict=False)
    ]
    await _send_and_wait(client, payments)
    world = World(chain_id, senders[:-1], senders[-1])
    await _deploy(client, world, faucets[0])
    mint = [Call(world.contracts["Token"], MINT + _words(sender.account.address, TOKENS)) for sender in world.senders]
    await _send_and_wait(client, [faucets[0].sign(chain_id, call) for call in mint])
    return world


async def _faucets(client: RpcClient) -> list[Sender]:
    Account.enable_unaudited_hdwallet_features()
    paths = [f"m/44'/60'/0'/0/{index}" for index in range(FAUCETS)]
    accounts = [Account.from_mnemonic(MNEMONIC, account_path=path) for path in paths]
    counts = await client.batch("eth_getTransactionCount", [[account.address, "pending"] for account in accounts])
    return [Sender(account, account.address, int(count, 16)) for account, count in zip(accounts, counts, strict=True)]


async def _deploy(client: RpcClient, world: World, owner: Sender) -> None:
    names = ("Token", "Counter", "KeccakLoop")
    arguments = {"Token": _words(0x40, 0x60, 0, 0)}
    creations = [Call(None, artifact(name).bytecode + arguments.get(name, b""), gas_limit=3_000_000) for name in names]
    receipts = await _send_and_wait(client, [owner.sign(world.chain_id, call) for call in creations])
    world.contracts = {
        name: to_checksum_address(receipt["contractAddress"]) for name, receipt in zip(names, receipts, strict=True)
    }


async def _send_and_wait(client: RpcClient, transactions: Sequence[SignedTransaction]) -> list[dict[str, Any]]:
    """One after the other, because some nodes mine what arrives and strand what follows it too soon."""
    receipts = []
    for transaction in transactions:
        result_of(orjson.loads(await client.post(transaction.request)))
        [receipt] = await receipts_of(client, [transaction.hash], SETUP_SECONDS)
        receipts.append(receipt)
    return receipts


async def receipts_of(client: RpcClient, hashes: Sequence[str], seconds: float) -> list[dict[str, Any]]:
    """The receipts in order, asked for every few milliseconds; raises `TransactionsLost`."""
    found: dict[str, dict[str, Any]] = {}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while missing := [name for name in hashes if name not in found][:500]:
        receipts = await client.batch("eth_getTransactionReceipt", [[name] for name in missing])
        fresh = {name: receipt for name, receipt in zip(missing, receipts, strict=True) if receipt is not None}
        found |= fresh
        if not fresh:
            if loop.time() > deadline:
                raise TransactionsLost(f"{len(hashes) - len(found)} of {len(hashes)} have no receipt in {seconds} s")
            await asyncio.sleep(0.005)
    return [found[name] for name in hashes]


def _words(*values: int | str) -> bytes:
    """ABI words: numbers, and addresses as hexadecimal text."""
    return b"".join((value if isinstance(value, int) else int(value, 16)).to_bytes(32) for value in values)
