"""What is sent: senders of our own, the contracts, and transactions signed before the clock starts."""

import asyncio
import functools
import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from eth_account import Account

from chain.keccak import keccak256
from chain.signing import address_of_private_key
from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, Gas, Wei
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

LOGS_READ = 10

TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
TRANSFER_EVENT = keccak256(b"Transfer(address,address,uint256)")
MINT = keccak256(b"mint(address,uint256)")[:4]
BALANCE_OF = keccak256(b"balanceOf(address)")[:4]
INCREMENT = keccak256(b"increment()")[:4]
RUN = keccak256(b"run(uint256)")[:4]


class TransactionsLost(Exception):
    """Transactions that the node took have no receipt in time."""


@dataclass(slots=True)
class Sender:
    """An account nobody else uses, so that its next nonce is known here."""

    key: bytes
    recipient: Address
    nonce: int = 0

    @property
    def address(self) -> Address:
        return address_of_private_key(self.key)

    def sign(self, chain_id: int, call: "Call") -> "SignedTransaction":
        signed = Transaction(
            type=DYNAMIC_FEE,
            chain_id=chain_id,
            nonce=self.nonce,
            # Far above any base fee that a run can drive the chain to; only what is used is paid.
            max_fee=Wei(1000 * GWEI),
            max_priority_fee=Wei(GWEI),
            gas=Gas(call.gas_limit),
            to=call.to,
            value=Wei(call.value),
            data=call.data,
        ).signed_with(self.key)
        self.nonce += 1
        return SignedTransaction(_hex(signed.hash), request("eth_sendRawTransaction", _hex(signed.raw)))


@dataclass(frozen=True, slots=True)
class Call:
    """What one transaction does; `to` is None for a creation."""

    to: Address | None
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
    contracts: dict[str, Address] = field(default_factory=dict)
    first_mint: int = 0
    """The block of the first of `LOGS_READ` tokens minted one after the other."""
    last_mint: int = 0

    def transfer(self, sender: Sender) -> Call:
        return Call(sender.recipient, value=1, gas_limit=21_000)

    def token_transfer(self, sender: Sender) -> Call:
        return Call(self.contracts["Token"], TRANSFER + _words(sender.recipient, 1))

    def increment(self, sender: Sender) -> Call:
        return Call(self.contracts["Counter"], INCREMENT)

    def keccak_loop(self, sender: Sender) -> Call:
        return Call(self.contracts["KeccakLoop"], RUN + _words(KECCAK_ROUNDS), gas_limit=150_000)

    def reads(self) -> dict[str, Iterator[bytes]]:
        """Each read by name, as JSON-RPC messages without end: of the senders by turns, or of accounts that nobody has
        asked for before, which no cache can know.
        """
        token = _hex(self.contracts["Token"])
        blocks = {"fromBlock": hex(self.first_mint), "toBlock": hex(self.last_mint)}

        def balance(account: Address) -> bytes:
            return request("eth_getBalance", _hex(account), "latest")

        def call(account: Address) -> bytes:
            return request("eth_call", {"to": token, "data": _hex(BALANCE_OF + _words(account))}, "latest")

        def logs(*others: Address) -> bytes:
            addresses = [token, *map(_hex, others)]
            return request("eth_getLogs", {"address": addresses, "topics": [_hex(TRANSFER_EVENT)], **blocks})

        senders = [sender.address for sender in self.senders]
        return {
            "eth_blockNumber": itertools.repeat(request("eth_blockNumber")),
            "eth_getBalance": itertools.cycle(map(balance, senders)),
            "eth_getBalance, new": map(balance, _unheard_of()),
            "eth_call": itertools.cycle(map(call, senders)),
            "eth_call, new": map(call, _unheard_of()),
            f"eth_getLogs of {LOGS_READ}": itertools.repeat(logs()),
            f"eth_getLogs of {LOGS_READ}, new": map(logs, _unheard_of()),
        }


async def make_world(client: RpcClient, sender_count: int) -> World:
    """Fund the senders from the ten well-known accounts, deploy the contracts, hand out tokens."""
    chain_id = int(await client.call("eth_chainId"), 16)
    seed = secrets.token_hex(8)
    keys = [keccak256(f"{seed}/{index}".encode()) for index in range(sender_count + 1)]
    recipients = [Address(keccak256(b"recipient of " + key)[12:]) for key in keys]
    senders = [Sender(key, recipient) for key, recipient in zip(keys, recipients, strict=True)]
    faucets = await _faucets(client)
    payments = [
        faucet.sign(chain_id, Call(sender.address, value=SENDER_BALANCE, gas_limit=21_000))
        for sender, faucet in zip(senders, itertools.cycle(faucets), strict=False)
    ]
    await _send_and_wait(client, payments)
    world = World(chain_id, senders[:-1], senders[-1])
    await _deploy(client, world, faucets[0])
    mint = [Call(world.contracts["Token"], MINT + _words(sender.address, TOKENS)) for sender in world.senders]
    minted = await _send_and_wait(client, [faucets[0].sign(chain_id, call) for call in mint])
    blocks = [int(receipt["blockNumber"], 16) for receipt in minted[:LOGS_READ]]
    world.first_mint, world.last_mint = blocks[0], blocks[-1]
    return world


async def _faucets(client: RpcClient) -> list[Sender]:
    keys = _faucet_keys()
    addresses = [address_of_private_key(key) for key in keys]
    counts = await client.batch("eth_getTransactionCount", [[_hex(address), "pending"] for address in addresses])
    return [Sender(key, address, int(count, 16)) for key, address, count in zip(keys, addresses, counts, strict=True)]


@functools.cache
def _faucet_keys() -> list[bytes]:
    Account.enable_unaudited_hdwallet_features()
    paths = [f"m/44'/60'/0'/0/{index}" for index in range(FAUCETS)]
    return [bytes(Account.from_mnemonic(MNEMONIC, account_path=path).key) for path in paths]


async def _deploy(client: RpcClient, world: World, owner: Sender) -> None:
    names = ("Token", "Counter", "KeccakLoop")
    arguments = {"Token": _words(0x40, 0x60, 0, 0)}
    creations = [Call(None, artifact(name).bytecode + arguments.get(name, b""), gas_limit=3_000_000) for name in names]
    receipts = await _send_and_wait(client, [owner.sign(world.chain_id, call) for call in creations])
    world.contracts = {
        name: Address(bytes.fromhex(receipt["contractAddress"][2:]))
        for name, receipt in zip(names, receipts, strict=True)
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


def batch_of(transactions: Sequence[SignedTransaction]) -> bytes:
    """Their requests as one JSON-RPC batch."""
    return b"[" + b",".join(one.request for one in transactions) + b"]"


def _unheard_of() -> Iterator[Address]:
    first = secrets.randbits(159)
    return (Address((first + number).to_bytes(20)) for number in itertools.count())


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _words(*values: int | Address) -> bytes:
    """ABI words: numbers and addresses."""
    return b"".join(value.to_bytes(32) if isinstance(value, int) else value.rjust(32, b"\0") for value in values)
