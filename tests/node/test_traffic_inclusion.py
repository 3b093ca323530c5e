"""What becomes of transactions that `tandem traffic` sent: told by blocks, by evictions, or by nobody."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node.errors import NodeError
from node.traffic import inclusion
from node.traffic.connection import Connection, Refused
from node.traffic.inclusion import Evicted, Inclusion, Inclusions, Stalled


class ScriptedChain(Connection):
    """Answers as a node whose blocks a test makes."""

    def __init__(self) -> None:
        super().__init__(None, "http://127.0.0.1:8545")
        self.blocks: dict[int, list[str]] = {0: []}
        self.statuses: dict[str, dict[str, Any]] = {}

    async def ask(self, method: str, *params: Any) -> Any:
        match method:
            case "eth_subscribe":
                return "0x1"
            case "eth_getBlockByNumber":
                return self._head(max(self.blocks))
            case "eth_getBlockReceipts":
                return [_receipt(int(params[0], 16), hash) for hash in self.blocks[int(params[0], 16)]]
            case "eth_getTransactionReceipt":
                found = [number for number, hashes in self.blocks.items() if params[0] in hashes]
                return _receipt(found[0], params[0]) if found else None
            case "tandem_getTransactionStatus":
                if params[0] not in self.statuses:
                    raise Refused("unknown")
                return self.statuses[params[0]]
        raise AssertionError(method)

    def add_block(self, *hashes: str, tell: bool = True) -> None:
        number = max(self.blocks) + 1
        self.blocks[number] = list(hashes)
        if tell:
            self.heads.put_nowait(self._head(number))

    def _head(self, number: int) -> dict[str, str]:
        return {"number": hex(number), "baseFeePerGas": "0x7"}


def _receipt(block: int, hash: str) -> dict[str, str]:
    status = "0x0" if hash.endswith("bad") else "0x1"
    return {"transactionHash": hash, "blockNumber": hex(block), "gasUsed": "0x5208", "status": status}


async def following(chain: ScriptedChain, work: Callable[[Inclusions], Awaitable[None]]) -> None:
    """The work, beside inclusions that follow the chain; what those raise ends it."""
    inclusions = Inclusions(chain)
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(inclusions.follow())
        await work(inclusions)
        follower.cancel()


async def test_a_block_tells_of_what_is_in_it_even_if_nobody_told_of_the_block_before() -> None:
    chain = ScriptedChain()

    async def work(inclusions: Inclusions) -> None:
        first, second, third = (inclusions.expect(hash) for hash in ("0xa", "0xbad", "0xc"))
        await asyncio.sleep(0)
        chain.add_block("0xa", tell=False)
        chain.add_block("0xbad")
        assert await first == Inclusion(1, True, 21_000)
        assert await second == Inclusion(2, False, 21_000)
        assert not third.done()
        assert inclusions.base_fee == 7
        assert await inclusions.of("0xa") == Inclusion(1, True, 21_000)

    await following(chain, work)


async def test_one_that_is_evicted_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inclusion, "LOOK_S", 0.001)
    chain = ScriptedChain()
    chain.statuses["0xa"] = {"status": "evicted", "reason": "its nonce is used"}

    async def work(inclusions: Inclusions) -> None:
        with pytest.raises(Evicted, match="its nonce is used"):
            await inclusions.expect("0xa")

    await following(chain, work)


async def test_a_chain_that_makes_no_block_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inclusion, "LOOK_S", 0.001)
    monkeypatch.setattr(inclusion, "STALLED_S", 0.003)

    async def work(inclusions: Inclusions) -> None:
        await inclusions.expect("0xa")

    with pytest.raises(ExceptionGroup) as ended:
        await following(ScriptedChain(), work)
    [stalled] = ended.value.exceptions
    assert isinstance(stalled, Stalled)
    assert isinstance(stalled, NodeError)
    assert "1 transactions were taken and no block came" in str(stalled)
