"""geth's keccak256PreimageTracer: what each KECCAK256 hashed, by its hash (native/keccak256_preimage.go)."""

import orjson

from chain.keccak import keccak256
from execution.evm.stepping import Step
from execution.tracers.tracer import Options, Tracer

OP_KECCAK256 = 0x20
MAX_PADDING_BYTES = 1024 * 1024
"""How far behind the memory's end geth reads; whoever hashes more than that has no gas for it."""


class Keccak256PreimageTracer(Tracer):
    wants_steps = True
    wants_stack = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._preimages: dict[str, str] = {}

    def step(self, step: Step) -> None:
        if step.opcode != OP_KECCAK256 or len(step.stack) < 2:
            return
        start, size = step.operand(0), step.operand(1)
        if start + size > len(step.frame.memory) + MAX_PADDING_BYTES:
            return
        preimage = bytes(step.frame.memory[start : start + size]).ljust(size, b"\0")
        shown = "0x" + preimage.hex()
        self.grow(len(shown))
        self._preimages["0x" + keccak256(preimage).hex()] = shown

    def result(self) -> bytes:
        return orjson.dumps(self._preimages)
