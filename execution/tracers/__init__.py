"""Tracers by the names that geth has for them."""

from collections.abc import Callable

import orjson

from chain.receipts import Log
from execution.evm.stepping import Entered, Left, Step
from execution.outcome import Outcome, StateView
from execution.tracers.access_list_tracer import AccessListTracer
from execution.tracers.call_tracer import CallTracer, FourByteTracer
from execution.tracers.console_tracer import ConsoleTracer
from execution.tracers.flat_call_tracer import FlatCallTracer
from execution.tracers.opcode_counts import BigramTracer, OpcodeCount, TrigramTracer, UnigramTracer
from execution.tracers.opcode_gas import OpcodeGas
from execution.tracers.preimage_tracer import Keccak256PreimageTracer
from execution.tracers.prestate_tracer import PrestateTracer
from execution.tracers.struct_logger import StructLogger
from execution.tracers.tracer import BadTracerOptions, Options, Run, Tracer, UnknownTracer
from execution.tracers.vm_tracer import VmTracer

STRUCT_LOGGER = ""
"""geth's default tracer has no name."""
ACCESS_LIST = "accessList"
"""Not one of geth's: eth_createAccessList asks for it."""
CONSOLE_LOG = "consoleLog"
"""Nor this one."""
OPCODE_GAS = "opcodeGas"
"""Nor this: trace_transactionOpcodeGas asks for it."""
VM_TRACE = "vmTrace"
"""Nor this: trace_replayTransaction and its kin ask for it."""


class NoopTracer(Tracer):
    """Runs and says nothing."""

    def __init__(self, options: Options) -> None:
        super().__init__()

    def result(self) -> bytes:
        return b"{}"


class MuxTracer(Tracer):
    """Several tracers in one run, each with its options."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._tracers = {name: tracer_named(name, given or {}) for name, given in options.items()}
        all_of = self._tracers.values()
        self.wants_steps = any(tracer.wants_steps for tracer in all_of)
        self.wants_stack = any(tracer.wants_stack for tracer in all_of)
        self.wants_memory = any(tracer.wants_memory for tracer in all_of)

    def began(self, run: Run) -> None:
        for tracer in self._tracers.values():
            tracer.began(run)

    def step(self, step: Step) -> None:
        for tracer in self._tracers.values():
            if tracer.wants_steps:
                tracer.step(step)

    def enter(self, entered: Entered) -> None:
        for tracer in self._tracers.values():
            tracer.enter(entered)

    def leave(self, left: Left) -> None:
        for tracer in self._tracers.values():
            tracer.leave(left)

    def log(self, log: Log, index: int) -> None:
        for tracer in self._tracers.values():
            tracer.log(log, index)

    def ended(self, outcome: Outcome, after: StateView) -> None:
        for tracer in self._tracers.values():
            tracer.ended(outcome, after)

    def result(self) -> bytes:
        parts = [orjson.dumps(name) + b":" + tracer.result() for name, tracer in self._tracers.items()]
        return b"{" + b",".join(parts) + b"}"


TRACERS: dict[str, Callable[[Options], Tracer]] = {
    STRUCT_LOGGER: StructLogger,
    ACCESS_LIST: AccessListTracer,
    CONSOLE_LOG: ConsoleTracer,
    OPCODE_GAS: OpcodeGas,
    VM_TRACE: VmTracer,
    "callTracer": CallTracer,
    "flatCallTracer": FlatCallTracer,
    "prestateTracer": PrestateTracer,
    "4byteTracer": FourByteTracer,
    "noopTracer": NoopTracer,
    "opcountTracer": OpcodeCount,
    "unigramTracer": UnigramTracer,
    "bigramTracer": BigramTracer,
    "trigramTracer": TrigramTracer,
    "muxTracer": MuxTracer,
    "keccak256PreimageTracer": Keccak256PreimageTracer,
}


def tracer_named(name: str, options: Options) -> Tracer:
    """Raises UnknownTracer and BadTracerOptions."""
    make = TRACERS.get(name)
    if make is None:
        raise UnknownTracer(name)
    if not isinstance(options, dict):
        raise BadTracerOptions("json: cannot unmarshal the tracer's config into an object")
    return make(options)
