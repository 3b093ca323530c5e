"""How often each opcode, or each run of two or three of them within one frame, is carried out: geth's unigramTracer,
bigramTracer, trigramTracer and opcountTracer (eth/tracers/js/internal/tracers)."""

import orjson

from execution.evm.stepping import Step
from execution.tracers.opcode_names import opcode_name
from execution.tracers.tracer import Options, Tracer

ENTRY_BYTES = 40


class OpcodeCount(Tracer):
    """All of them together, as a number."""

    wants_steps = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._count = 0

    def step(self, step: Step) -> None:
        self._count += 1

    def result(self) -> bytes:
        return orjson.dumps(self._count)


class UnigramTracer(Tracer):
    """By name."""

    wants_steps = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}

    def step(self, step: Step) -> None:
        self.count(opcode_name(step.opcode))

    def count(self, name: str) -> None:
        if name not in self._counts:
            self.grow(ENTRY_BYTES + len(name))
        self._counts[name] = self._counts.get(name, 0) + 1

    def result(self) -> bytes:
        return orjson.dumps(self._counts)


class BigramTracer(UnigramTracer):
    """By the names of two that follow one another at the same depth."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._last, self._depth = "", 0

    def step(self, step: Step) -> None:
        name = opcode_name(step.opcode)
        if step.depth == self._depth:
            self.count(f"{self._last}-{name}")
        self._last, self._depth = name, step.depth


class TrigramTracer(UnigramTracer):
    """By the names of three. The first opcode at another depth is not counted, as in geth's."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._last, self._depth = ("", ""), 0

    def step(self, step: Step) -> None:
        if step.depth != self._depth:
            self._last, self._depth = ("", ""), step.depth
            return
        name = opcode_name(step.opcode)
        self.count("-".join((*self._last, name)))
        self._last = (self._last[1], name)
