"""What each opcode cost in a run, which Reth's trace_transactionOpcodeGas tells. Not one of geth's tracers."""

import orjson

from execution.evm.stepping import Step
from execution.tracers.opcode_names import opcode_name
from execution.tracers.tracer import Options, Tracer


class OpcodeGas(Tracer):
    """By opcode, in its order. Of a call or creation what it passes on is part of the cost, as in a step of geth's."""

    wants_steps = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._counts = [0] * 256
        self._gas = [0] * 256

    def step(self, step: Step) -> None:
        self._counts[step.opcode] += 1
        self._gas[step.opcode] += step.cost

    def result(self) -> bytes:
        return orjson.dumps(
            [
                {"opcode": opcode_name(opcode), "count": count, "gasUsed": self._gas[opcode]}
                for opcode, count in enumerate(self._counts)
                if count
            ]
        )
