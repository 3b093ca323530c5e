"""Hot basic blocks become Python functions.

A function begins at one block and goes on for as long as the way is known: through jumps to constant targets, through
returns of internal functions (whose target was pushed on the same way), and at a conditional jump to where it went
before; the other side leaves the function. An internal function is written out at every place that calls it. A way that
comes back to its start is a loop in the function. Stack slots
are local variables, and are written to the stack only where something else looks at it.

Gas is charged once per segment: the part of a way between two places where it can end or where gas is observed. So the
gas left is exact at every GAS, SSTORE, call and creation, and at the end. A segment whose entry check fails goes back
to the interpreter's loop, which finds out what exactly fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eth.exceptions import InvalidJumpDestination

from execution.evm import arithmetic
from execution.evm.expressions import CONDITIONS, EXPRESSIONS, NAMES, NOT, STATEMENTS, fold
from execution.evm.program import (
    DUP,
    FALL_THROUGH,
    JUMP,
    JUMP_IF,
    JUMP_TO,
    MLOAD,
    MSTORE,
    ON_STACK,
    POP,
    PUSH,
    STOP,
    SWAP,
    Block,
    CompiledWay,
    Instruction,
    InstructionSet,
    Program,
)

MAX_INSTRUCTIONS = 600
"""Of one function."""
IN_REACH = 16
"""Words on top of the stack; where deeper ones are written to it, two cost what an instruction costs."""
MAX_NESTED_CONDITIONS = 16
"""One in another: Python's parser refuses expressions of some 100 levels."""
TURNS_PER_RETURN = 64
"""A loop returns to the interpreter's so often, which looks at the clock."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """A word that is 1 if the expression holds, else 0. So many conditions are `nested` in each other in it."""

    text: str
    nested: int = 1


_Word: TypeAlias = "int | str | _Condition"
"""A constant, the name of a local variable, or a condition."""


@dataclass(slots=True)
class _Segment:
    """A part of the way whose gas is charged at its start: the block it starts with, and its opcodes so far.

    `height` is the stack's height at its start, relative to the start of the way, `virtual` what the words held in
    variables add to the length of the list there. `check` is the line that its entry check goes to.
    """

    block: Block
    height: int
    virtual: int = 0
    check: int = 0
    leave: list[str] = field(default_factory=list)
    opcodes: list[Instruction] = field(default_factory=list)

    def costs(self) -> Block:
        """A block with the gas and the heights of the whole segment."""
        whole = Block(self.block.start)
        whole.opcodes = self.opcodes
        whole.charge()
        return whole


class BlockCompiler:
    """Compiles blocks of one instruction set."""

    def __init__(self, instruction_set: InstructionSet) -> None:
        self._arity = {one.step[1]: (one.pops, one.pushes) for one in instruction_set.values()}

    def __call__(self, program: Program, head: Block) -> CompiledWay:
        way = _Way(program, head, self._arity)
        way.write()
        source = way.source()
        names = NAMES | {"jump": program.jump} | way.names
        exec(compile(source, f"<block {head.start}>", "exec"), names)
        first = way.segments[0].costs()
        return CompiledWay(names["run_block"], first.gas, first.needs, first.max_height, way.size)


class _Way:
    """Writes one function."""

    def __init__(self, program: Program, head: Block, arity: dict[Any, tuple[int, int]]) -> None:
        self._program = program
        self._head = head
        self._arity = arity
        self.names: dict[str, Any] = {}
        self.segments = [_Segment(head, 0)]
        self._lines: list[str] = []
        self._loops: list[int] = []
        self._visited: set[tuple[int, tuple[int, ...]]] = set()
        self.size = 0
        self._height = 0
        self._variables = 0
        self._memory_known = 0
        self._forget_stack()

    # The stack: `_words` lie above what is left of the list once its `_taken` last words are gone

    def _forget_stack(self) -> None:
        self._words: list[_Word] = []
        self._taken = 0
        self._loaded: set[str] = set()

    def _pop(self) -> _Word:
        self._height -= 1
        if self._words:
            return self._words.pop()
        self._taken += 1
        return f"s{self._taken}"

    def _push(self, word: _Word) -> None:
        self._height += 1
        self._words.append(word)

    def _reach(self, depth: int) -> None:
        """Have at least so many words of the stack in `_words`."""
        while len(self._words) < depth:
            self._taken += 1
            self._words.insert(0, f"s{self._taken}")

    def _text(self, word: _Word) -> str:
        """The word in an expression; a word of the list is read when it is first needed."""
        if isinstance(word, int):
            return hex(word)
        if isinstance(word, _Condition):
            return f"(1 if {word.text} else 0)"
        self._load(word)
        return word

    def _load(self, name: str) -> None:
        if name.startswith("s") and name not in self._loaded:
            self._loaded.add(name)
            self._lines.append(f"{name} = stack[-{name[1:]}]")

    def _variable(self, expression: str) -> str:
        self._variables += 1
        name = f"v{self._variables}"
        self._lines.append(f"{name} = {expression}")
        return name

    def _flushed(self) -> list[str]:
        """What makes the list the stack again."""
        words, taken = list(self._words), self._taken
        while taken and words and words[0] == f"s{taken}":
            del words[0]
            taken -= 1
        texts = [self._text(word) for word in words]
        self.size += max(0, len(texts) - IN_REACH) // 2
        if not taken:
            if len(texts) == 1:
                return [f"stack.append({texts[0]})"]
            return [f"stack += ({', '.join(texts)})"] if texts else []
        if not texts:
            return ["stack.pop()" if taken == 1 else f"del stack[-{taken}:]"]
        if taken == len(texts) == 1:
            return [f"stack[-1] = {texts[0]}"]
        return [f"stack[-{taken}:] = ({', '.join(texts)},)"]

    def _flush(self) -> None:
        lines = self._flushed()
        self._lines += lines
        self._forget_stack()

    # The way

    def write(self) -> None:
        block: Block | None = self._head
        while block is not None:
            self._visited.add(self._place_in_code(block))
            for kind, argument in block.instructions:
                self._instruction(kind, argument)
            self.size += len(block.opcodes)
            self.segments[-1].opcodes += block.opcodes
            block = self._leave(block)

    def _place_in_code(self, block: Block) -> tuple[int, tuple[int, ...]]:
        """The block and where to the internal functions around it return: one called from two places is at two."""
        is_destination = self._program.is_destination
        return block.start, tuple(word for word in self._words if isinstance(word, int) and is_destination(word))

    def _leave(self, block: Block) -> Block | None:
        """The block to go on with in this function."""
        if block.end == STOP:
            self._lines.append("return None")
            return None
        if block.end == FALL_THROUGH:
            observed = bool(block.opcodes) and block.opcodes[-1].observes_gas
            return self._go_on(self._program.follow(block), observed)
        target: _Word = self._pop() if block.end in (JUMP, JUMP_IF) else block.target
        if block.end in (JUMP_TO, JUMP):
            return self._jump(target)
        return self._branch(block, self._pop(), target)

    def _jump(self, target: _Word) -> Block | None:
        known = self._target(target)
        if known is not None:
            return self._go_on(known, False)
        text = self._text(target)
        self._flush()
        self._lines.append(f"return jump({text})")
        return None

    def _target(self, target: _Word) -> Block | None:
        """The block at a constant target; None for others and for targets that are none."""
        if not isinstance(target, int):
            return None
        try:
            return self._program.jump(target)
        except InvalidJumpDestination:
            return None

    def _branch(self, block: Block, word: _Word, target: _Word) -> Block | None:
        condition = word.text if isinstance(word, _Condition) else self._text(word)
        following, taken = self._program.follow(block), self._target(target)
        went = block.taken is not None and not block.followed
        text = self._text(target) if taken is None else ""
        out = self._flushed()
        if taken is not None and went:
            self._leave_if(f"not ({condition})", out, f"return {self._name(following)}")
            return self._go_on(taken, True)
        leaving = f"return jump({text})" if taken is None else f"return {self._name(taken)}"
        self._leave_if(condition, out, leaving)
        return self._go_on(following, True)

    def _leave_if(self, condition: str, out: list[str], leaving: str) -> None:
        self._lines += [f"if {condition}:", *(f"    {line}" for line in (*out, leaving))]

    def _go_on(self, block: Block, new_segment: bool) -> Block | None:
        if block is self._head:
            self._flush()
            self._loops.append(len(self._lines))
            self._lines.append("")
            return None
        if self._place_in_code(block) in self._visited or self.size > MAX_INSTRUCTIONS:
            self._flush()
            self._lines.append(f"return {self._name(block)}")
            return None
        if new_segment:
            leave = self._flushed()
            virtual = len(self._words) - self._taken
            self.segments.append(_Segment(block, self._height, virtual, len(self._lines), leave))
            self._lines.append("")
        return block

    def _name(self, block: Block) -> str:
        name = f"block_{block.start}"
        self.names[name] = block
        return name

    # The instructions

    def _instruction(self, kind: int, argument: Any) -> None:
        if kind == PUSH:
            self._push(argument)
        elif kind == POP:
            self._pop()
        elif kind == DUP:
            self._duplicate(-argument)
        elif kind == SWAP:
            self._reach(-argument)
            words = self._words
            words[-1], words[argument] = words[argument], words[-1]
        elif kind == MLOAD:
            self._push(self._variable(f"from_bytes(memory[{self._place()}], 'big')"))
        elif kind == MSTORE:
            place, word = self._place(), self._pop()
            data = (
                repr(word.to_bytes(32, "big")) if isinstance(word, int) else f"{self._text(word)}.to_bytes(32, 'big')"
            )
            self._lines.append(f"memory[{place}] = {data}")
        else:
            self._operation(kind, argument)

    def _duplicate(self, depth: int) -> None:
        self._reach(depth)
        word = self._words[-depth]
        if isinstance(word, _Condition):
            word = self._words[-depth] = self._variable(self._text(word))
        self._push(word)

    def _place(self) -> str:
        """The 32 bytes of memory at the place on the stack, which are made sure to be there."""
        start = self._pop()
        if isinstance(start, int):
            end = start + 32
            if end > self._memory_known:
                self._lines += [f"if len(memory) < {end}:", f"    frame.extend_memory({start}, 32)"]
                self._memory_known = end
            return f"{start}:{end}"
        text = self._text(start)
        end_name = self._variable(f"{text} + 32")
        self._lines += [f"if {end_name} > len(memory):", f"    frame.extend_memory({text}, 32)"]
        return f"{text}:{end_name}"

    def _operation(self, kind: int, argument: Any) -> None:
        if argument in EXPRESSIONS:
            self._expression(argument, *EXPRESSIONS[argument])
        elif argument in CONDITIONS:
            pops, template = CONDITIONS[argument]
            words = [self._pop() for _ in range(pops)]
            folded = fold(argument, words)
            self._push(self._condition(template, words) if folded is None else folded)
        elif argument in STATEMENTS:
            pops, template = STATEMENTS[argument]
            texts = [self._text(word) for word in [self._pop() for _ in range(pops)]]
            self._lines.append(template.format(*texts))
        else:
            self._call(kind, argument)

    def _condition(self, template: str, words: Sequence[_Word]) -> _Word:
        inner = [word for word in words if isinstance(word, _Condition)]
        texts = [f"({inner[0].text})"] if inner and template is NOT else [self._text(word) for word in words]
        condition = _Condition(template.format(*texts), 1 + max((word.nested for word in inner), default=0))
        return condition if condition.nested < MAX_NESTED_CONDITIONS else self._variable(self._text(condition))

    def _expression(self, function: Any, pops: int, template: str) -> None:
        words = [self._pop() for _ in range(pops)]
        folded = fold(function, words)
        if folded is not None:
            self._push(folded)
            return
        if function in (arithmetic.shl, arithmetic.shr) and isinstance(words[0], int) and words[0] < 256:
            template = template.removesuffix(" if {0} < 256 else 0")
        if function in (arithmetic.div, arithmetic.mod) and isinstance(words[1], int) and words[1]:
            template = template.removesuffix(" if {1} else 0")
        self._push(self._variable(template.format(*[self._text(word) for word in words])))

    def _call(self, kind: int, function: Any) -> None:
        """An instruction that takes its words from the stack itself, and puts its result there."""
        pops, pushes = self._arity.get(function, (0, 0))
        self._flush()
        self._height += pushes - pops
        name = f"op_{len(self.names)}"
        self.names[name] = function
        self._lines.append(f"{name}({'stack' if kind == ON_STACK else 'frame'})")

    # The function

    def source(self) -> str:
        first = self.segments[0].costs()
        low, high = first.needs, first.max_height
        for segment in self.segments[1:]:
            costs = segment.costs()
            checks = ["gas < 0"]
            if costs.needs - segment.height > low:
                low = costs.needs - segment.height
                checks.append(f"len(stack) + {segment.virtual} < {costs.needs}")
            if costs.max_height - segment.height < high:
                high = costs.max_height - segment.height
                checks.append(f"len(stack) + {segment.virtual} > {costs.max_height}")
            self._lines[segment.check] = _joined(
                f"gas = frame.gas - {costs.gas}",
                f"if {' or '.join(checks)}:",
                *(f"    {line}" for line in segment.leave),
                f"    return {self._name(segment.block)}",
                "frame.gas = gas",
            )
        for at in self._loops:
            self._lines[at] = _joined(
                f"gas = frame.gas - {first.gas}",
                f"if gas < 0 or turns == {TURNS_PER_RETURN} or not {first.needs} <= len(stack) <= {first.max_height}:",
                f"    return {self._name(self._head)}",
                "frame.gas = gas",
                "turns += 1",
            )
        body = "\n".join(self._lines)
        if self._loops:
            body = _joined("turns = 0", "while True:", *(f"    {line}" for line in body.split("\n")))
        return _joined("def run_block(frame, stack, memory):", *(f"    {line}" for line in body.split("\n")))


def _joined(*lines: str) -> str:
    return "\n".join(lines)
