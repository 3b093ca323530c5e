"""Frames that go through their code instruction by instruction and tell a tracer of each, as geth's tracers are told.

They take the place of a fork's own frames in one run, so a run that nobody traces pays nothing. An instruction is told
once its gas is known and before what it starts: of a call or creation that is when its child's gas is taken, of any
other when it has been carried out. What is shown of the frame is from before it.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar

from eth.exceptions import FullStack, InsufficientStack, OutOfGas, Revert, VMError

from chain.receipts import Log
from chain.types import Address
from execution.evm.call_instructions import MAX_DEPTH, MAX_NONCE
from execution.evm.computation import Computation, TransactionContext
from execution.evm.failures import StackOverflow, StackUnderflow, UndefinedOpcode, words
from execution.evm.instructions import ADDRESS_MASK
from execution.evm.interpreter import check_clock
from execution.evm.message import Message
from execution.evm.program import (
    DUP,
    LEAVING,
    MLOAD,
    MSTORE,
    ON_STACK,
    OP_CODESIZE,
    OP_JUMP,
    OP_JUMPDEST,
    OP_JUMPI,
    OP_PC,
    OP_PUSH0,
    OP_PUSH32,
    OP_SELFDESTRUCT,
    OP_STOP,
    POP,
    STACK_LIMIT,
    SWAP,
    Instruction,
    Program,
)
from execution.evm.state import State

OP_LOG0, OP_LOG4 = 0xA0, 0xA4
OP_CREATE, OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_CREATE2, OP_STATICCALL = 0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA
CALLS = frozenset((OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_STATICCALL))
CREATIONS = frozenset((OP_CREATE, OP_CREATE2))
STARTING = CALLS | CREATIONS | {OP_SELFDESTRUCT}
STEPS_PER_CLOCK_CHECK = 1024
BEFORE_CARRYING_OUT = (OutOfGas, InsufficientStack, FullStack)
"""What fails before an instruction is carried out: only of such failures geth says in the step itself."""


class CallKind(IntEnum):
    """How a frame was begun, by the opcode that does it."""

    CREATE = OP_CREATE
    CALL = OP_CALL
    CALLCODE = OP_CALLCODE
    DELEGATECALL = OP_DELEGATECALL
    CREATE2 = OP_CREATE2
    STATICCALL = OP_STATICCALL
    SELFDESTRUCT = OP_SELFDESTRUCT


@dataclass(slots=True)
class Step:
    """One instruction: what its frame was like before it, its gas, and the refund counter with it.

    `gas` is what was left before it. `stack` has its top last, and is empty, as `memory` is, if the tracer does not
    want it. `error` says why it was not carried out. `before` is the balance of an
    account that destroys itself.
    """

    pc: int
    opcode: int
    gas: int
    frame: "SteppingFrame"
    stack: list[int]
    memory: bytes
    return_data: bytes
    cost: int = 0
    refund: int = 0
    error: str = ""
    shortfall: int = 0
    told: bool = False
    entered: bool = False
    child_gas: int = 0
    before: int = 0

    @property
    def address(self) -> Address:
        """The account that the frame acts as."""
        return self.frame.address

    @property
    def depth(self) -> int:
        """1 for the transaction's own frame."""
        return self.frame.msg.depth + 1

    def operand(self, position: int) -> int:
        """What was that far below the top of the stack; the top is 0."""
        return self.stack[-1 - position]

    def named_address(self, position: int) -> Address:
        return Address((self.operand(position) & ADDRESS_MASK).to_bytes(20, "big"))


@dataclass(frozen=True, slots=True)
class Entered:
    """A call, creation or self-destruct begins. `depth` is 0 for the transaction's own; `value` None if it has none."""

    depth: int
    kind: CallKind
    sender: Address
    to: Address
    data: bytes
    gas: int
    value: int | None


@dataclass(frozen=True, slots=True)
class Left:
    """And ends. `error` is empty if it succeeded; a revert has its data as `output`."""

    depth: int
    output: bytes
    gas_used: int
    error: str


class Listener:
    """What is told. `wants_*` say what is worth gathering."""

    wants_steps = False
    wants_stack = False
    wants_memory = False

    def step(self, step: Step) -> None: ...

    def enter(self, entered: Entered) -> None: ...

    def leave(self, left: Left) -> None: ...

    def log(self, log: Log, index: int) -> None:
        """`index` counts the logs of the transaction that are not undone."""


@dataclass(slots=True)
class Recorder:
    """One run on its way: who is told, and the frames that are open."""

    listener: Listener
    frames: "list[SteppingFrame]" = field(default_factory=list)

    def is_stepping(self, frame: "SteppingFrame") -> bool:
        """Whether the frame is the innermost one that runs code; a precompile's has none."""
        return bool(self.frames) and self.frames[-1] is frame

    def enter(self, message: Message) -> None:
        kind, to = CallKind.CREATE if message.is_create else CallKind.CALL, message.storage_address
        if self.frames:
            step = self.frames[-1].current
            step.entered = True
            kind = CallKind(step.opcode)
            if kind in (CallKind.CALLCODE, CallKind.DELEGATECALL):
                to = step.named_address(1)
        sender = self.frames[-1].address if self.frames else message.sender
        data = message.code if message.is_create else message.data
        value = None if kind == CallKind.STATICCALL else message.value
        self.listener.enter(Entered(message.depth, kind, sender, to, data, message.gas, value))

    def leave(self, message: Message, frame: Computation) -> None:
        self.listener.leave(Left(message.depth, frame.output, message.gas - frame.gas, words(frame.error)))

    def refuse(self, step: Step) -> None:
        """A child that was not even begun: of too great a depth, without the money, or where a contract is."""
        frame, opcode = step.frame, step.opcode
        creates, depth = opcode in CREATIONS, frame.msg.depth + 1
        began = step.child_gas > 0  # a creation that took its gas, and then found its address taken
        gas = frame.gas_for_creation() if creates and not began else step.child_gas
        value = step.operand(0) if creates else step.operand(2)
        at, size = (step.operand(1), step.operand(2)) if creates else (step.operand(3), step.operand(4))
        if opcode in (OP_DELEGATECALL, OP_STATICCALL):
            value, at, size = frame.msg.value, step.operand(2), step.operand(3)
        data = bytes(frame.memory[at : at + size]) if size else b""
        error, used = "insufficient balance for transfer", 0
        if depth > MAX_DEPTH:
            error = "max call depth exceeded"
        elif began and creates:
            error, used = "contract address collision", gas
        elif creates and frame.state.db.get_nonce(frame.address) >= MAX_NONCE:
            error = "nonce uint64 overflow"
        to = Address(bytes(20)) if creates else step.named_address(1)
        told = None if opcode == OP_STATICCALL else value
        self.listener.enter(Entered(depth, CallKind(opcode), frame.address, to, data, gas, told))
        self.listener.leave(Left(depth, b"", used, error))


class SteppingFrame(Computation):
    """A frame under whatever rules it is mixed into; see `stepping`."""

    recorder: ClassVar[Recorder]
    current: Step

    @classmethod
    def failed(
        cls, state: State, message: Message, transaction_context: TransactionContext, error: VMError
    ) -> Computation:
        cls.recorder.enter(message)
        frame = super().failed(state, message, transaction_context, error)
        cls.recorder.leave(message, frame)
        return frame

    @classmethod
    def apply_message(cls, state: State, message: Message, transaction_context: TransactionContext) -> Computation:
        if message.is_create:  # begun by apply_create_message
            return super().apply_message(state, message, transaction_context)
        cls.recorder.enter(message)
        frame = super().apply_message(state, message, transaction_context)
        cls.recorder.leave(message, frame)
        return frame

    @classmethod
    def apply_create_message(
        cls, state: State, message: Message, transaction_context: TransactionContext
    ) -> Computation:
        cls.recorder.enter(message)
        frame = super().apply_create_message(state, message, transaction_context)
        cls.recorder.leave(message, frame)
        return frame

    def go_through(self, program: Program) -> None:
        """Raises what instructions raise, and CallTimeout."""
        frames = self.recorder.frames
        frames.append(self)
        try:
            _run(self, program)
        finally:
            frames.pop()

    def charge(self, amount: int) -> None:
        if amount > self.gas and self.recorder.is_stepping(self):
            self.current.shortfall = amount
        super().charge(amount)

    def pass_gas(self, requested: int, value: int, extra: int) -> int:
        gas = super().pass_gas(requested, value, extra)
        self.current.child_gas = gas
        self.tell()
        return gas

    def gas_for_creation(self) -> int:
        gas = super().gas_for_creation()
        self.current.child_gas = gas
        self.tell()
        return gas

    def tell(self, error: VMError | None = None) -> None:
        """Tell of the current step, once."""
        step = self.current
        if step.told:
            return
        step.told = True
        if self.recorder.listener.wants_steps:
            step.cost = step.gas - self.gas + step.shortfall
            step.refund = self.state.db.refund
            step.error = words(error)
            self.recorder.listener.step(step)

    def begin(self, pc: int, opcode: int) -> Step:
        listener = self.recorder.listener
        self.current = Step(
            pc,
            opcode,
            self.gas,
            self,
            list(self.stack) if listener.wants_stack or opcode in STARTING else [],
            bytes(self.memory) if listener.wants_memory else b"",
            self.return_data,
        )
        return self.current


def stepping(rules: type[Computation], listener: Listener) -> type[Computation]:
    """The same rules with frames that tell the listener of every step. For one run."""
    return type(f"Stepping{rules.__name__}", (SteppingFrame, rules), {"recorder": Recorder(listener)})


def _run(frame: SteppingFrame, program: Program) -> None:
    code, instructions, deadline = frame.msg.code, frame.programs.instruction_set, frame.state.deadline
    pc: int | None = 0
    steps = 0
    while pc is not None:
        opcode = code[pc] if pc < len(code) else OP_STOP
        step = frame.begin(pc, opcode)
        if opcode == OP_SELFDESTRUCT:
            step.before = frame.state.db.get_balance(frame.address)
        try:
            pc = _carry_out(frame, program, pc, opcode, instructions.get(opcode))
        except VMError as error:
            frame.tell(error if isinstance(error, BEFORE_CARRYING_OUT) and not isinstance(error, Revert) else None)
            raise
        frame.tell()
        _tell_of_consequences(frame, step)
        steps += 1
        if deadline is not None and not steps % STEPS_PER_CLOCK_CHECK:
            check_clock(deadline)


def _tell_of_consequences(frame: SteppingFrame, step: Step) -> None:
    opcode, listener = step.opcode, frame.recorder.listener
    if OP_LOG0 <= opcode <= OP_LOG4:
        logs = frame.state.db.logs
        listener.log(logs[-1], len(logs) - 1)
    elif opcode == OP_SELFDESTRUCT:
        depth, kind = frame.msg.depth + 1, CallKind.SELFDESTRUCT
        listener.enter(Entered(depth, kind, frame.address, step.named_address(0), b"", 0, step.before))
        listener.leave(Left(depth, b"", 0, ""))
    elif opcode in STARTING and not step.entered:
        frame.recorder.refuse(step)


def _carry_out(
    frame: SteppingFrame, program: Program, pc: int, opcode: int, instruction: Instruction | None
) -> int | None:
    """Does one instruction. Gives where the code goes on; None if the frame stops."""
    stack, code = frame.stack, frame.msg.code
    if instruction is None:
        raise UndefinedOpcode(opcode)
    height = len(stack)
    if height < instruction.pops:
        frame.current.shortfall = instruction.gas
        raise StackUnderflow(height, instruction.pops)
    if height - instruction.pops + instruction.pushes > STACK_LIMIT:
        frame.current.shortfall = instruction.gas
        raise StackOverflow(height, STACK_LIMIT + instruction.pops - instruction.pushes)
    frame.charge(instruction.gas)
    if OP_PUSH0 <= opcode <= OP_PUSH32:
        size = opcode - OP_PUSH0
        data = code[pc + 1 : pc + 1 + size]
        stack.append(int.from_bytes(data, "big") << 8 * (size - len(data)))
        return pc + 1 + size
    if opcode == OP_JUMP:
        return program.jump(stack.pop()).start
    if opcode == OP_JUMPI:
        target, condition = stack.pop(), stack.pop()
        return program.jump(target).start if condition else pc + 1
    if opcode == OP_PC:
        stack.append(pc)
    elif opcode == OP_CODESIZE:
        stack.append(len(code))
    elif opcode not in (OP_STOP, OP_JUMPDEST):
        _do(frame, *instruction.step)
    return None if opcode in LEAVING else pc + 1


def _do(frame: SteppingFrame, kind: int, argument: Any) -> None:
    """The instructions that the interpreter knows by kind."""
    stack = frame.stack
    if kind == DUP:
        stack.append(stack[argument])
    elif kind == SWAP:
        stack[-1], stack[argument] = stack[argument], stack[-1]
    elif kind == POP:
        stack.pop()
    elif kind == ON_STACK:
        argument(stack)
    elif kind == MSTORE:
        start = stack.pop()
        frame.extend_memory(start, 32)
        frame.memory[start : start + 32] = stack.pop().to_bytes(32, "big")
    elif kind == MLOAD:
        start = stack[-1]
        frame.extend_memory(start, 32)
        stack[-1] = int.from_bytes(frame.memory[start : start + 32], "big")
    else:
        argument(frame)
