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
    """With geth's options: disableStack, disableStorage, enableMemory, enableReturnData, and limit: how many steps are
    shown. That is the specification's meaning of it; geth counts bytes."""

    wants_steps = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.wants_memory = bool(options.get("enableMemory"))
        self._shows_stack = not options.get("disableStack")
        self._shows_storage = not options.get("disableStorage")
        self.wants_stack = self._shows_stack or self._shows_storage
        self._shows_return_data = bool(options.get("enableReturnData"))
        self._limit = int(options.get("limit") or 0)
        self._logs: list[str] = []
        self._storage: dict[Address, dict[str, str]] = {}
        self._ending: dict[str, Any] = {}

    def step(self, step: Step) -> None:
        if self._limit and len(self._logs) >= self._limit:
            return
        encoded = self._encoded(step)
        self.grow(len(encoded))
        self._logs.append(encoded)

    def _encoded(self, step: Step) -> str:
        """The step in JSON, put together here: a general encoder takes three times as long."""
        parts = [
            f'{{"pc":{step.pc},"op":"{opcode_name(step.opcode)}","gas":{step.gas},"gasCost":{step.cost}',
            f',"depth":{step.depth}',
        ]
        if step.error:
            parts.append(f',"error":{orjson.dumps(step.error).decode()}')
        if self._shows_stack:
            words = '","'.join(map(hex, step.stack))
            parts.append(f',"stack":["{words}"]' if words else ',"stack":[]')
        if self._shows_return_data and step.return_data:
            parts.append(f',"returnData":"0x{step.return_data.hex()}"')
        if step.memory:
            memory = step.memory.hex()
            words = '","0x'.join(memory[at : at + 64] for at in range(0, len(memory), 64))
            parts.append(f',"memory":["0x{words}"]')
        if self._shows_storage and step.opcode in (OP_SLOAD, OP_SSTORE):
            storage = self._storage_with(step)
            parts.append(f',"storage":{orjson.dumps(storage).decode()}' if storage else "")
        if step.refund:
            parts.append(f',"refund":{step.refund}')
        return "".join(parts) + "}"

    def ended(self, outcome: Outcome, after: StateView) -> None:
        shown = outcome.output if outcome.succeeded or outcome.error == REVERTED else b""
        self._ending = {"gas": outcome.gas_used, "failed": not outcome.succeeded, "returnValue": "0x" + shown.hex()}

    def result(self) -> bytes:
        return orjson.dumps(self._ending)[:-1] + b',"structLogs":[' + ",".join(self._logs).encode() + b"]}"

    def _storage_with(self, step: Step) -> dict[str, str]:
        """The slots of this account that were read or written so far, this one with them."""
        known = self._storage.setdefault(step.address, {})
        if len(step.stack) < (1 if step.opcode == OP_SLOAD else 2):
            return {}
        slot = step.operand(0)
        value = step.frame.state.db.get_storage(step.address, slot) if step.opcode == OP_SLOAD else step.operand(1)
        known[f"0x{slot:064x}"] = f"0x{value:064x}"
        return dict(known)
