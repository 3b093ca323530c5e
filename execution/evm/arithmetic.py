"""Instructions that touch nothing but the stack. Each takes the stack, a list of integers below 2**256."""

from collections.abc import Callable

Stack = list[int]
StackFunction = Callable[[Stack], None]

WORD_MAX = 2**256 - 1
SIGN_BIT = 2**255


def add(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left + stack[-1]) & WORD_MAX


def mul(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left * stack[-1]) & WORD_MAX


def sub(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left - stack[-1]) & WORD_MAX


def div(stack: Stack) -> None:
    left, right = stack.pop(), stack[-1]
    stack[-1] = left // right if right else 0


def mod(stack: Stack) -> None:
    left, right = stack.pop(), stack[-1]
    stack[-1] = left % right if right else 0


def lt(stack: Stack) -> None:
    stack[-1] = 1 if stack.pop() < stack[-1] else 0


def gt(stack: Stack) -> None:
    stack[-1] = 1 if stack.pop() > stack[-1] else 0


def slt(stack: Stack) -> None:
    # Flipping the sign bit turns the order of signed numbers into that of unsigned ones.
    stack[-1] = 1 if stack.pop() ^ SIGN_BIT < stack[-1] ^ SIGN_BIT else 0


def sgt(stack: Stack) -> None:
    stack[-1] = 1 if stack.pop() ^ SIGN_BIT > stack[-1] ^ SIGN_BIT else 0


def eq(stack: Stack) -> None:
    stack[-1] = 1 if stack.pop() == stack[-1] else 0


def iszero(stack: Stack) -> None:
    stack[-1] = 0 if stack[-1] else 1


def and_(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] &= left


def or_(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] |= left


def xor(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] ^= left


def not_(stack: Stack) -> None:
    stack[-1] ^= WORD_MAX


def shl(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = (stack[-1] << shift) & WORD_MAX if shift < 256 else 0


def shr(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = stack[-1] >> shift if shift < 256 else 0


def byte(stack: Stack) -> None:
    position = stack.pop()
    stack[-1] = (stack[-1] >> 8 * (31 - position)) & 0xFF if position < 32 else 0


def clz(stack: Stack) -> None:
    """How many leading zero bits the word has, 256 for zero (EIP-7939)."""
    stack[-1] = 256 - stack[-1].bit_length()


BY_OPCODE: dict[int, StackFunction] = {
    0x01: add,
    0x02: mul,
    0x03: sub,
    0x04: div,
    0x06: mod,
    0x10: lt,
    0x11: gt,
    0x12: slt,
    0x13: sgt,
    0x14: eq,
    0x15: iszero,
    0x16: and_,
    0x17: or_,
    0x18: xor,
    0x19: not_,
    0x1A: byte,
    0x1B: shl,
    0x1C: shr,
}
