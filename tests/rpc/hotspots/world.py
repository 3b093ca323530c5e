"""Blocks with the conflicts and waits that a test says they had, over a contract that has names."""

from collections.abc import Sequence

import pytest

from chain.block_case import BlockCase
from chain.keccak import keccak256
from chain.messages.traces import Access, BlockTrace, TraceBlock, TransactionTrace
from chain.records import AccessKind, AttemptRecord, WaitRecord
from chain.types import Gas
from rpc.naming.names import Names
from rpc.process import RpcProcess
from tests.rpc.executions_world import append, ran, transaction_record
from tests.rpc.fake_chain import KEYS, TOKEN, FakeChain
from tests.rpc.test_executions import TRANSFER, call

SET_PRICE = keccak256(b"setPrice(uint256)")[:4]
USER = bytes.fromhex("77" * 20)
ENTRY = bytes(12) + USER + (1).to_bytes(32, "big")
"""What Token hashes for the slot of balanceOf[USER]."""
BALANCE = int.from_bytes(keccak256(ENTRY), "big")
LAYOUT = {
    "storage": [
        {"label": "totalSupply", "slot": "0", "offset": 0, "type": "t_uint256"},
        {"label": "balanceOf", "slot": "1", "offset": 0, "type": "t_mapping"},
    ],
    "types": {
        "t_uint256": {"label": "uint256", "encoding": "inplace", "numberOfBytes": "32"},
        "t_address": {"label": "address", "encoding": "inplace", "numberOfBytes": "20"},
        "t_mapping": {
            "label": "mapping(address => uint256)",
            "encoding": "mapping",
            "key": "t_address",
            "value": "t_uint256",
            "numberOfBytes": "32",
        },
    },
}
ABI = [{"type": "function", "name": "setPrice", "inputs": [{"type": "uint256"}]}]


def name_by(names: Names, process: RpcProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told has these names."""

    async def all_names(*_: object) -> Names:
        return names

    monkeypatch.setattr(process.node.naming, "names", all_names)


class Blocks:
    """Calls of the token, each with the runs and waits it is said to have had."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self._nonces: dict[bytes, int] = dict.fromkeys(KEYS, 0)

    async def add(
        self,
        *stories: Sequence[AttemptRecord | WaitRecord],
        data: bytes = TRANSFER,
        first: bytes = TRANSFER,
        keys: Sequence[bytes] = KEYS,
        **fields: object,
    ) -> None:
        rows = []
        for position, story in enumerate(stories):
            key = keys[position % len(keys)]
            made = call(self._nonces[key], key, data if position else first)
            self._nonces[key] += 1
            runs = [each for each in story if isinstance(each, AttemptRecord)]
            waits = [each for each in story if isinstance(each, WaitRecord)]
            rows.append((made, transaction_record(made.hash, *runs, ran(), waits=waits)))
        await append(self._chain, *rows, **fields)


def changing(chain: FakeChain, slot: int, *changes: tuple[int, int], only_read: int = 0) -> None:
    """What transactions did with a slot, when a block is traced: the value before and after."""

    def trace(before: int, after: int) -> TransactionTrace:
        read = Access(AccessKind.SLOT, TOKEN, slot, before)
        written = Access(AccessKind.SLOT, TOKEN, slot, after)
        return TransactionTrace((read,), () if after == before else (written,), (), (), {}, 1, Gas(1))

    rows = tuple(trace(*change) for change in (*changes, *[(7, 7)] * only_read))

    async def tracer(request: TraceBlock) -> BlockTrace:
        case = BlockCase(request.environment, (), {}, {})
        return BlockTrace(request.trace_id, rows[0], rows, rows[0], {}, case)

    chain.callers.tracer = tracer
