"""geth's callTracer: the tree of calls (eth/tracers/native/call.go), and 4byteTracer, the selectors they call.

A call of console.log's address has one member more than geth's: `consoleLog`, what it says.
"""

from typing import Any

import orjson

from chain.console_log import CONSOLE_ADDRESS, console_text
from chain.receipts import Log
from chain.revert_reasons import revert_reason
from chain.types import Address
from execution.evm.failures import REVERTED
from execution.evm.stepping import CallKind, Entered, Left
from execution.outcome import Outcome, StateView
from execution.tracers.nested_json import nested_json
from execution.tracers.tracer import Options, Run, Tracer, flag

Frame = dict[str, Any]
SELECTOR_BYTES = 4
CREATIONS = (CallKind.CREATE, CallKind.CREATE2)
SELFDESTRUCT = CallKind.SELFDESTRUCT.name
FRAME_BYTES = 400
"""What a call takes in JSON besides its data."""
CONFIG = "callTracerConfig"


def data(value: bytes) -> str:
    return "0x" + value.hex()


class CallTracer(Tracer):
    """With geth's options onlyTopCall and withLog."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._only_top = flag(options, CONFIG, "onlyTopCall")
        self._with_log = flag(options, CONFIG, "withLog")
        self._open: list[Frame] = []
        self._depth = 0
        self._top: Frame = {}
        self._gas_limit = 0
        self._first_log = 0

    def began(self, run: Run) -> None:
        self._gas_limit, self._first_log = run.transaction.gas, run.first_log

    def enter(self, entered: Entered) -> None:
        self._depth = entered.depth
        if self._only_top and entered.depth:
            return
        self.grow(FRAME_BYTES + 2 * len(entered.data))
        frame: Frame = {
            "from": data(entered.sender),
            "gas": hex(entered.gas if entered.depth else self._gas_limit),
            "gasUsed": "0x0",
            "to": data(entered.to),
            "input": data(entered.data),
        }
        if entered.value is not None:
            frame["value"] = hex(entered.value)
        if entered.to == CONSOLE_ADDRESS and entered.data:
            frame["consoleLog"] = said = console_text(entered.data)
            self.grow(len(said))
        self._open.append(frame | {"type": entered.kind.name})

    def leave(self, left: Left) -> None:
        self._depth = left.depth - 1
        if self._only_top and left.depth:
            return
        self.grow(2 * len(left.output))
        frame = self._open.pop()
        frame["gasUsed"] = hex(left.gas_used)
        _show_result(frame, left)
        if left.depth:
            self._open[-1].setdefault("calls", []).append(frame)
        else:
            self._top = frame

    def log(self, log: Log, index: int) -> None:
        if not self._with_log or (self._only_top and self._depth > 0):
            return
        self.grow(FRAME_BYTES + 2 * len(log.data))
        shown = {
            "address": data(log.address),
            "topics": [data(topic) for topic in log.topics],
            "data": data(log.data),
            "index": hex(self._first_log + index),
            "position": hex(len(self._open[-1].get("calls", []))),
        }
        self._open[-1].setdefault("logs", []).append(shown)

    def ended(self, outcome: Outcome, after: StateView) -> None:
        self._top["gasUsed"] = hex(outcome.gas_used)
        if self._with_log:
            _clear_failed_logs(self._top, parent_failed=False)

    def result(self) -> bytes:
        return nested_json(self._top)


def _show_result(frame: Frame, left: Left) -> None:
    if not left.error:
        if left.output:
            frame["output"] = data(left.output)
        return
    frame["error"] = left.error
    if frame["type"] in {kind.name for kind in CREATIONS}:
        del frame["to"]
    if left.error == REVERTED and left.output:
        frame["output"] = data(left.output)
        reason = revert_reason(left.output)
        if reason:
            frame["revertReason"] = reason


def _clear_failed_logs(frame: Frame, *, parent_failed: bool) -> None:
    """Logs of what failed are not there."""
    waiting = [(frame, parent_failed)]
    while waiting:
        at, above = waiting.pop()
        failed = above or "error" in at
        if failed:
            at.pop("logs", None)
        waiting.extend((child, failed) for child in at.get("calls", ()))


class FourByteTracer(Tracer):
    """How often each selector was called, and with how many bytes of arguments."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}
        self._precompiles: frozenset[Address] = frozenset()

    def began(self, run: Run) -> None:
        self._precompiles = run.precompiles

    def enter(self, entered: Entered) -> None:
        calls = entered.kind not in (*CREATIONS, CallKind.SELFDESTRUCT)
        if not calls or len(entered.data) < SELECTOR_BYTES or entered.to in self._precompiles:
            return
        name = f"{data(entered.data[:SELECTOR_BYTES])}-{len(entered.data) - SELECTOR_BYTES}"
        self._counts[name] = self._counts.get(name, 0) + 1
        self.grow(len(name) if self._counts[name] == 1 else 0)

    def result(self) -> bytes:
        return orjson.dumps(self._counts)
