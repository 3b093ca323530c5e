"""Why a frame failed, in geth's words, which wallets and libraries match on.

py-evm's exceptions name the causes; where geth tells causes apart that py-evm does not, a subclass here does.
"""

from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    InsufficientFunds,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    ReservedBytesInCode,
    Revert,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

REVERTED = "execution reverted"
OUT_OF_GAS = "out of gas"


class StackUnderflow(InsufficientStack):
    def __init__(self, height: int, needed: int) -> None:
        super().__init__(f"stack underflow ({height} <=> {needed})")


class StackOverflow(FullStack):
    def __init__(self, height: int, limit: int) -> None:
        super().__init__(f"stack limit reached {height} ({limit})")


class UndefinedOpcode(InvalidInstruction):
    def __init__(self, opcode: int) -> None:
        super().__init__(
            "invalid opcode: INVALID" if opcode == 0xFE else f"invalid opcode: opcode {opcode:#x} not defined"
        )


class CodeTooLarge(VMError):
    """The code to be deployed is above the limit of EIP-170."""


class InitCodeTooLarge(VMError):
    """The code that deploys is above the limit of EIP-3860."""


class CodeStoreOutOfGas(OutOfGas):
    """A creation ran, but cannot pay for keeping its code."""


_WORDS: tuple[tuple[type[VMError], str], ...] = (
    (CodeStoreOutOfGas, "contract creation code storage out of gas"),
    (OutOfGas, OUT_OF_GAS),
    (Revert, REVERTED),
    (CodeTooLarge, "max code size exceeded"),
    (InitCodeTooLarge, "max initcode size exceeded"),
    (InvalidJumpDestination, "invalid jump destination"),
    (WriteProtection, "write protection"),
    (OutOfBoundsRead, "return data out of bounds"),
    (ContractCreationCollision, "contract address collision"),
    (ReservedBytesInCode, "invalid code: must not begin with 0xef"),
    (StackDepthLimit, "max call depth exceeded"),
    (InsufficientFunds, "insufficient balance for transfer"),
)


def words(failure: VMError | None) -> str:
    """What geth says of this failure; empty for none. A precompile's failure says itself what was wrong."""
    if failure is None:
        return ""
    for kind, text in _WORDS:
        if isinstance(failure, kind):
            return text
    return str(failure)
