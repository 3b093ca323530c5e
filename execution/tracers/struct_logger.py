"""geth's default tracer: every instruction with what its frame was like before it (eth/tracers/logger/logger.go)."""

from typing import Any

import orjson

from chain.types import Address
from execution.evm.failures import REVERTED
from execution.evm.stepping import Step
from execution.outcome import Outcome, StateView
from execution.tracers.opcode_names import opcode_name
from execution.tracers.tracer import Options, Tracer

OP_SLOAD, OP_SSTORE = 0x54, 0x55


class StructLogger(Tracer):
    """With geth's options: disableStack, disableStorage, enableMemory, enableReturnData and limit (bytes of output)."""

    wants_steps = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.wants_memory = bool(options.get("enableMemory"))
        self._shows_stack = not options.get("disableStack")
        self._shows_storage = not options.get("disableStorage")
        self.wants_stack = self._shows_stack or self._shows_storage
        self._shows_return_data = bool(options.get("enableReturnData"))
        self._limit = int(options.get("limit") or 0)
        self._size = 0
        self._logs: list[bytes] = []
        self._storage: dict[Address, dict[str, str]] = {}
        self._ending: dict[str, Any] = {}

    def step(self, step: Step) -> None:
        if self._limit and self._size > self._limit:
            return
        entry: dict[str, Any] = {
            "pc": step.pc,
            "op": opcode_name(step.opcode),
            "gas": step.gas,
            "gasCost": step.cost,
            "depth": step.depth,
        }
        if step.error:
            entry["error"] = step.error
        if self._shows_stack:
            entry["stack"] = [hex(word) for word in step.stack]
        if self._shows_return_data and step.return_data:
            entry["returnData"] = "0x" + step.return_data.hex()
        if step.memory:
            entry["memory"] = ["0x" + step.memory[at : at + 32].hex() for at in range(0, len(step.memory), 32)]
        if self._shows_storage and step.opcode in (OP_SLOAD, OP_SSTORE):
            storage = self._storage_with(step)
            if storage:
                entry["storage"] = storage
        if step.refund:
            entry["refund"] = step.refund
        encoded = orjson.dumps(entry)
        self.grow(len(encoded))
        self._size += len(encoded)
        self._logs.append(encoded)

    def ended(self, outcome: Outcome, after: StateView) -> None:
        shown = outcome.output if outcome.succeeded or outcome.error == REVERTED else b""
        self._ending = {"gas": outcome.gas_used, "failed": not outcome.succeeded, "returnValue": "0x" + shown.hex()}

    def result(self) -> bytes:
        return orjson.dumps(self._ending)[:-1] + b',"structLogs":[' + b",".join(self._logs) + b"]}"

    def _storage_with(self, step: Step) -> dict[str, str]:
        """The slots of this account that were read or written so far, this one with them."""
        known = self._storage.setdefault(step.address, {})
        if len(step.stack) < (1 if step.opcode == OP_SLOAD else 2):
            return {}
        slot = step.operand(0)
        value = step.frame.state.db.get_storage(step.address, slot) if step.opcode == OP_SLOAD else step.operand(1)
        known[f"0x{slot:064x}"] = f"0x{value:064x}"
        return dict(known)
