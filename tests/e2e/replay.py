"""Runs a chain's blocks again, serially, from its genesis, in memory: what a running chain must agree with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chain.genesis import Genesis
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.storage import BlockApplied, ReadHead
from chain.proposals import BlockInputs, Certificate, ExecutedBlock, Proposal
from chain.types import ZERO_HASH, Address, Gas, Hash32, Height, Round, ValidatorIndex
from execution.engine import Engine
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.senders import Senders
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.store import Store
from tests.e2e.json_rpc import JsonRpc


class DirectLink:
    """A link to a storage in the same process."""

    connected = True

    def __init__(self, storage: StorageService) -> None:
        self._storage = storage

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        try:
            return await self._storage.answer(message, None)  # type: ignore[arg-type]
        except Exception as error:
            raise RequestFailed(type(error).__name__, str(error)) from error

    def notify(self, message: Message) -> bool:
        raise NotImplementedError

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        raise NotImplementedError


def replayed_head(genesis: Genesis, rpc: JsonRpc) -> tuple[int, str]:
    """Number and hash of the newest block, when the chain's blocks are executed again one transaction at a time.

    The hash covers the state root, so that equal hashes mean equal balances, storage and receipts.
    """
    newest = int(rpc.call("eth_blockNumber"), 16)
    blocks = [_proposal(rpc, rpc.call("eth_getBlockByNumber", hex(number), False)) for number in range(1, newest + 1)]
    head = asyncio.run(_replay(genesis, blocks))
    return head.number, "0x" + head.hash.hex()


async def _replay(genesis: Genesis, blocks: list[Proposal]) -> BlockApplied:
    storage = StorageService(Store.open(MemoryKeyValue(), genesis))
    link = DirectLink(storage)
    head = await link.request(ReadHead())
    senders = Senders(genesis.forks.newest)
    processor = BlockProcessor(genesis.chain_id, genesis.forks, head, link, Engine, "serial", Pool(), senders)
    for block in blocks:
        executed = await processor.execute(block)
        head = await link.request(executed.apply)
        processor.applied(executed, head)
    await storage.close()
    assert isinstance(head, BlockApplied)
    return head


def _proposal(rpc: JsonRpc, block: dict[str, Any]) -> Proposal:
    """A proposal that makes this block again; what consensus adds does not matter to execution."""
    places = [(block["number"], hex(index)) for index in range(len(block["transactions"]))]
    raw = rpc.batch("eth_getRawTransactionByBlockNumberAndIndex", places) if places else []
    inputs = BlockInputs(
        timestamp_ms=int(block["timestamp"], 16) * 1000,
        beneficiary=Address(_bytes(block["miner"])),
        prev_randao=Hash32(_bytes(block["mixHash"])),
        gas_limit=Gas(int(block["gasLimit"], 16)),
    )
    return Proposal(
        parent=Hash32(_bytes(block["parentHash"])),
        round=Round(1),
        proposer=ValidatorIndex(0),
        certificate=Certificate(ZERO_HASH, Round(0), ()),
        timeout_certificate=None,
        height=Height(int(block["number"], 16)),
        inputs=inputs,
        executed=ExecutedBlock(Height(0), ZERO_HASH),
        transactions=tuple(map(_bytes, raw)),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
