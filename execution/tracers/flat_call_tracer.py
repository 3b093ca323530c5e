"""geth's flatCallTracer: callTracer's tree as the list of calls that Parity made of it (native/call_flat.go)."""

import json
from collections.abc import Iterator
from typing import Any

from chain.types import Address
from execution.evm.failures import REVERTED
from execution.evm.stepping import Entered, Left
from execution.outcome import Outcome, StateView
from execution.tracers.call_tracer import CREATIONS, SELFDESTRUCT, CallTracer, Frame, data
from execution.tracers.tracer import Options, Run, flag

CONFIG = "flatCallTracerConfig"
CREATION_TYPES = {kind.name for kind in CREATIONS}
PARITY_ERRORS = {
    "contract creation code storage out of gas": "Out of gas",
    "out of gas": "Out of gas",
    "gas uint64 overflow": "Out of gas",
    "max code size exceeded": "Out of gas",
    "invalid jump destination": "Bad jump destination",
    REVERTED: "Reverted",
    "return data out of bounds": "Out of bounds",
    "stack limit reached 1024 (1023)": "Out of stack",
    "precompiled failed": "Built-in failed",
    "invalid input length": "Built-in failed",
}
PARITY_ERROR_BEGINNINGS = {"invalid opcode:": "Bad instruction", "stack underflow": "Stack underflow"}


class FlatCallTracer(CallTracer):
    """With geth's options convertParityErrors and includePrecompiles.

    `executionGas`, which geth does not have, leaves what a transaction pays before its first instruction out of the
    outermost call, as the methods trace_* have it, and where the transaction is, which they say themselves.
    """

    def __init__(self, options: Options) -> None:
        super().__init__({})
        self._parity_errors = flag(options, CONFIG, "convertParityErrors")
        self._with_precompiles = flag(options, CONFIG, "includePrecompiles")
        self._execution_gas = flag(options, CONFIG, "executionGas")
        self._precompiles: frozenset[Address] = frozenset()
        self._first_gas = self._first_used = 0
        self._place: Frame = {}

    def began(self, run: Run) -> None:
        super().began(run)
        self._precompiles = run.precompiles
        if not self._execution_gas:
            self._place = _place(run)

    def enter(self, entered: Entered) -> None:
        super().enter(entered)
        if not entered.depth:
            self._first_gas = entered.gas

    def leave(self, left: Left) -> None:
        super().leave(left)
        if not left.depth:
            self._first_used = left.gas_used

    def ended(self, outcome: Outcome, after: StateView) -> None:
        super().ended(outcome, after)
        if self._execution_gas:
            self._top |= {"gas": hex(self._first_gas), "gasUsed": hex(self._first_used)}

    def result(self) -> bytes:
        return json.dumps(list(self._flat()), separators=(",", ":")).encode()

    def _flat(self) -> Iterator[Frame]:
        waiting: list[tuple[Frame, list[int]]] = [(self._top, [])]
        while waiting:
            frame, place = waiting.pop()
            calls = [call for call in frame.get("calls", ()) if self._is_shown(call)]
            flat = _flat_frame(frame) | {"subtraces": len(calls), "traceAddress": place} | self._place
            if "error" in frame:
                flat["error"] = _parity_error(frame["error"]) if self._parity_errors else frame["error"]
                if frame["error"] != REVERTED:
                    flat.pop("result", None)
            yield flat
            waiting.extend((call, [*place, i]) for i, call in reversed(list(enumerate(calls))))

    def _is_shown(self, call: Frame) -> bool:
        """Calls of precompiles are left out, but for those that carry value."""
        to_precompile = call.get("to", "") in {data(address) for address in self._precompiles}
        return self._with_precompiles or not to_precompile or call.get("value", "0x0") != "0x0"


def _place(run: Run) -> Frame:
    """What every frame says of its transaction; nothing of a call, in geth's words for nothing."""
    return {
        "blockHash": None if run.place is None else data(run.place.block_hash),
        "blockNumber": 0 if run.place is None else run.environment.number,
        "transactionHash": None if run.place is None else data(run.transaction.hash),
        "transactionPosition": 0 if run.place is None else run.place.index,
    }


def _flat_frame(frame: Frame) -> Frame:
    kind, sender, value = frame["type"], frame["from"], frame.get("value", "0x0")
    if kind == SELFDESTRUCT:
        action = {"address": sender, "balance": value, "refundAddress": frame["to"]}
        return {"action": action, "type": "suicide"}
    result: dict[str, Any] = {"gasUsed": frame["gasUsed"]}
    action = {"from": sender, "gas": frame["gas"], "value": value}
    if kind in CREATION_TYPES:
        action |= {"creationMethod": kind.lower(), "init": frame["input"]}
        result |= {"address": frame.get("to"), "code": frame.get("output", "0x")}
        return {"action": action, "result": result, "type": "create"}
    action |= {"callType": kind.lower(), "to": frame["to"], "input": frame["input"]}
    return {"action": action, "result": result | {"output": frame.get("output", "0x")}, "type": "call"}


def _parity_error(error: str) -> str:
    for beginning, name in PARITY_ERROR_BEGINNINGS.items():
        if error.startswith(beginning):
            return name
    return PARITY_ERRORS.get(error, error)
