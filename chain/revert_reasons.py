"""What is readable of revert data: Solidity's Error(string) and Panic(uint256), in geth's words."""

ERROR_SELECTOR = bytes.fromhex("08c379a0")
PANIC_SELECTOR = bytes.fromhex("4e487b71")
WORD = 32

PANICS = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}


def revert_reason(output: bytes) -> str:
    """The reason in revert data; empty for custom errors and for data that only looks like a reason."""
    selector, arguments = output[:4], output[4:]
    if selector == ERROR_SELECTOR:
        return _string(arguments)
    if selector == PANIC_SELECTOR and len(arguments) >= WORD:
        code = int.from_bytes(arguments[:WORD], "big")
        return PANICS.get(code, f"unknown panic code: {code:#x}")
    return ""


def _string(arguments: bytes) -> str:
    """The one string that ABI-encoded arguments hold; empty if they do not hold one."""
    offset = int.from_bytes(arguments[:WORD], "big")
    if len(arguments) < offset + WORD:
        return ""
    start = offset + WORD
    length = int.from_bytes(arguments[offset:start], "big")
    if len(arguments) < start + length:
        return ""
    return arguments[start : start + length].decode("utf-8", "replace")
