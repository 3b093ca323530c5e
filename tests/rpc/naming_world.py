"""Contracts that solc compiled, run by the engine: which slot a call changes, and what it hashed on the way."""

from dataclasses import dataclass
from typing import Any

import pytest
from eth_abi.abi import encode

from chain.keccak import keccak256
from chain.types import Address, Gas, Hash32
from execution.engine import INTERPRETER, Engine
from execution.evm import instructions
from node.conformance.memory_state import MemoryState
from rpc.naming.layout import Layout, layout_from
from tests.contracts import artifact
from tests.execution.engine.small_world import ALICE, environment, state, transaction

PRAGUE = environment().fork


@dataclass(frozen=True, slots=True)
class Change:
    """One slot that a transaction wrote."""

    slot: int
    before: int
    after: int


class NamingWorld:
    """One contract on a chain of its own; each call sees what the calls before it left."""

    def __init__(self, contract: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._abi = {entry["name"]: entry for entry in artifact(contract).abi if entry["type"] == "function"}
        self._engine = Engine(PRAGUE, INTERPRETER)
        self._state: MemoryState = state()
        self.hashed: dict[Hash32, bytes] = {}
        monkeypatch.setattr(instructions, "keccak256", self._keccak)
        created = self._run(None, artifact(contract).bytecode)
        assert created is not None
        self.address = created
        self.hashed.clear()

    def call(self, function: str, *arguments: Any) -> list[Change]:
        """The slots that it writes, in order of their numbers."""
        types = [entry["type"] for entry in self._abi[function]["inputs"]]
        selector = keccak256(f"{function}({','.join(types)})".encode())[:4]
        before = dict(self._state.slots.get(self.address, {}))
        self._run(self.address, selector + encode(types, arguments))
        after = self._state.slots[self.address]
        return [
            Change(slot, before.get(slot, 0), after.get(slot, 0))
            for slot in sorted(before.keys() | after.keys())
            if before.get(slot, 0) != after.get(slot, 0)
        ]

    def _run(self, to: Address | None, data: bytes) -> Address | None:
        nonce = self._state.account(ALICE).nonce
        sent = transaction(to, data=data, gas=Gas(8_000_000), nonce=nonce)
        outcome = self._engine.execute(sent, ALICE, environment(), self._state)
        assert outcome.succeeded, outcome.error
        self._state.apply(outcome.writes)
        return outcome.contract

    def _keccak(self, data: bytes) -> Hash32:
        hash = keccak256(data)
        self.hashed[hash] = bytes(data)
        return hash


def layout_of(contract: str) -> Layout:
    return layout_from(artifact(contract).storage_layout)
