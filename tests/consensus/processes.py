"""Validator processes over links that the test holds, and what speaks to them."""

import asyncio
from typing import Any

from chain.codec import decode_message, encode_message
from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.messages.mempool import Admit, BlockResult, Committed, PooledTransaction, SenderState
from chain.proposals import decode_proposal
from chain.types import Height, ValidatorIndex, Wei
from consensus.process import ValidatorProcess
from consensus.signatures import Ed25519Signer
from tests.consensus.builders import ETHER, GWEI, make_genesis

KEYS = [bytes((i + 1,)) * 32 for i in range(4)]


def genesis_of(validators: int) -> Genesis:
    keys = tuple(Ed25519Signer(key).public_key for key in KEYS[:validators])
    return make_genesis(validators, public_keys=keys)


class LoopbackPeers:
    """Delivers through the real encoding, a turn of the loop later."""

    queued_bytes = 0
    dropped_frames = 0

    def __init__(self, index: int, processes: list[ValidatorProcess]) -> None:
        self.index = ValidatorIndex(index)
        self.processes = processes
        self.connected = 0

    def send(self, to: ValidatorIndex, message: Any) -> None:
        data = encode_message(message)
        asyncio.get_running_loop().call_soon(lambda: self.processes[to].receive(self.index, data))


class Follower:
    """Keeps what is pushed to it."""

    name = "follower"
    open = True

    def __init__(self) -> None:
        self.pushed: asyncio.Queue[Any] = asyncio.Queue()

    def push(self, message: Any) -> bool:
        self.pushed.put_nowait(decode_message(encode_message(message)))
        return True

    async def drained(self) -> None:
        return None

    async def next(self) -> Any:
        return await asyncio.wait_for(self.pushed.get(), 60)


def admit(*transactions: PooledTransaction) -> Admit:
    senders = {tx.sender: SenderState(tx.sender, 0, Wei(ETHER)) for tx in transactions}
    return Admit(transactions, tuple(senders.values()), Height(0))


def result_of(committed: Committed, *included: PooledTransaction) -> BlockResult:
    return BlockResult(
        height=committed.height,
        proposal=committed.id,
        header_hash=keccak256(b"header" + committed.id),
        gas_limit=decode_proposal(committed.proposal).inputs.gas_limit,  # type: ignore[union-attr]
        next_base_fee=Wei(GWEI),
        included=tuple(tx.hash for tx in included),
        left_out=(),
        senders=tuple(SenderState(tx.sender, tx.nonce + 1, Wei(ETHER)) for tx in included),
    )
