"""Programs written to cost whoever runs them more than their gas pays for."""

from tests.execution.engine.small_world import CONTRACT, OTHER, assemble

GAS = 300_000
CREATION_GAS = 8_000_000
"""Enough to keep the largest code."""
DEEP_GAS = 40_000_000_000
"""Enough for the deepest of calls: each leaves a 64th of its gas behind."""
MAX_CODE, MAX_INIT_CODE = 24_576, 49_152
FAR = "0x" + "ff" * 32
SELF = "ADDRESS"


def calling(opcode: str, to: str, gas: str = "GAS") -> str:
    value = "0 " if opcode in ("CALL", "CALLCODE") else ""
    return f"0 0 0 0 {value}{to} {gas} {opcode}"


def creating(init_code: str) -> str:
    """A contract made by this init code, its address left on the stack."""
    code = assemble(init_code)
    assert len(code) <= 32
    return f"0x{code.hex().ljust(64, '0')} 0 MSTORE {len(code)} 0 0 CREATE"


def precompile(number: int, words: list[str], size: int, gas: str = "GAS") -> str:
    """Calls it with these words, and `size` bytes of input; keeps whether it succeeded and how much it gave."""
    stores = " ".join(f"{word} {32 * place} MSTORE" for place, word in enumerate(words))
    return f"{stores} 0 0 {size} 0 0 {number} {gas} CALL 0 SSTORE RETURNDATASIZE 1 SSTORE"


BUSY: dict[str, str] = {
    "a loop without an end": "JUMPDEST 0 JUMP",
    "a loop of hashes": "0 JUMPDEST DUP1 0 MSTORE 1000 0 SHA3 POP 1 ADD 2 JUMP",
    "a loop that writes slots": "0 JUMPDEST 1 DUP2 SSTORE 1 ADD 2 JUMP",
    "a loop of the costliest exponents": f"JUMPDEST {FAR} {FAR} EXP POP 0 JUMP",
    "a loop of divisions": f"JUMPDEST {FAR} 3 {FAR} MULMOD POP {FAR} {FAR} DIV POP 0 JUMP",
    "a loop of large logs": "JUMPDEST 1000 0 LOG0 0 JUMP",
    "a loop of calls to nobody": f"JUMPDEST {calling('CALL', '0x' + 'ab' * 20)} POP 0 JUMP",
    "a loop of creations": f"JUMPDEST {creating('0 0 RETURN')} POP 0 JUMP",
    "jumps that come back to a loop inside a loop": "0 JUMPDEST 1 ADD DUP1 0xff AND 2 JUMPI 2 JUMP",
}

GREEDY: dict[str, str] = {
    "memory word after word": "JUMPDEST 1 MSIZE MSTORE 0 JUMP",
    "memory as far as gas goes": "1 0x050000 MSTORE MSIZE 0 SSTORE",
    "memory beyond all gas": "1 0x0a000000 MSTORE",
    **{
        f"{size} bytes at the end of all memory by {name}": program.format(at=FAR, size=size)
        for size in (0, 1)
        for name, program in {
            "SHA3": "{size} {at} SHA3",
            "CALLDATACOPY": "{size} 0 {at} CALLDATACOPY",
            "CODECOPY": "{size} 0 {at} CODECOPY",
            "EXTCODECOPY": "{size} 0 {at} 0 EXTCODECOPY",
            "RETURNDATACOPY": "{size} 0 {at} RETURNDATACOPY",
            "MCOPY": "{size} {at} 0 MCOPY",
            "MCOPY to there": "{size} 0 {at} MCOPY",
            "LOG1": "7 {size} {at} LOG1",
            "CREATE": "{size} {at} 0 CREATE",
            "CREATE2": "0 {size} {at} 0 CREATE2",
            "CALL's input": "0 0 {size} {at} 0 0 5000 CALL 0 SSTORE",
            "CALL's output": "{size} {at} 0 0 0 0 5000 CALL 0 SSTORE",
            "RETURN": "{size} {at} RETURN",
            "REVERT": "{size} {at} REVERT",
        }.items()
    },
    "sizes that overflow": f"{FAR} {FAR} SHA3",
    "calldata from far away": f"32 {FAR} 0 CALLDATACOPY {FAR} CALLDATALOAD 0 MLOAD ADD 0 SSTORE",
    "return data from far away": f"0 {FAR} 0 RETURNDATACOPY",
    "code from far away": f"32 {FAR} 0 CODECOPY 0 MLOAD 0 SSTORE",
}

MISLED: dict[str, str] = {
    "a jump into pushed data": "3 JUMP 0x5b5b5b",
    "a jump to a byte of the push that is a landing": "0x5b 0 POP 1 JUMP",
    "a jump far beyond the code": f"{FAR} JUMP",
    "a jump beyond the code by one word's wrap": "0x" + "00" * 15 + "01" + "00" * 16 + " JUMP",
    "a conditional jump that is not taken to nowhere": f"0 {FAR} JUMPI 7 0 SSTORE",
    "a push that the code ends in": "7 0 SSTORE 0x5b",
    "a stack as high as it may be and one more": " ".join(["0"] * 1025),
    "a stack as high as it may be": " ".join(["1"] * 1024) + " POP POP 1 0 SSTORE",
}

BORN_DEAD: dict[str, str] = {
    "init code that destroys itself": f"{creating('CALLER SELFDESTRUCT')} DUP1 EXTCODESIZE 0 SSTORE BALANCE 1 SSTORE",
    "init code that destroys itself with money": (
        f"{creating('CALLER SELFDESTRUCT').replace('0 0 CREATE', '0 3 CREATE')} DUP1 0 SSTORE BALANCE 1 SSTORE"
    ),
    "a call of what destroyed itself": f"{creating('ADDRESS SELFDESTRUCT')} 0 0 0 0 2 6 DUP1 SWAP1 POP DUP7 GAS CALL",
    "init code that gives code beginning with 0xef": f"{creating('0xef 0 MSTORE8 1 0 RETURN')} 0 SSTORE",
    "init code that reverts": f"{creating('0 0 REVERT')} 0 SSTORE RETURNDATASIZE 1 SSTORE",
    "init code that gives more code than may be": f"{creating(f'{MAX_CODE + 1} 0 RETURN')} 0 SSTORE",
    "init code that gives as much code as may be": f"{creating(f'{MAX_CODE} 0 RETURN')} EXTCODESIZE 0 SSTORE",
    "more init code than may be": f"{MAX_INIT_CODE + 1} 0 0 CREATE 0 SSTORE",
    "as much init code as may be": f"{MAX_INIT_CODE} 0 0 CREATE 0 SSTORE",
    "init code that creates itself again": (
        f"{creating('CODESIZE 0 0 CODECOPY CODESIZE 0 0 CREATE 0 SSTORE')} 0 SSTORE"
    ),
}

ABUSED: dict[str, str] = {
    "a modular power of sizes beyond all memory": precompile(5, [FAR, FAR, FAR], 96),
    "a modular power of an exponent beyond all gas": precompile(5, ["1", "0xffffffff", "1"], 96),
    "a modular power of a modulus beyond all gas": precompile(5, ["1", "1", "0xffffff"], 96),
    "a modular power without a modulus": precompile(5, ["1", "1", "0", "7"], 128),
    "a modular power modulo nothing": precompile(5, ["32", "32", "32", FAR, FAR, "0"], 192),
    "a modular power of nothing": precompile(5, [], 0),
    "blake2 with more rounds than gas": precompile(9, ["0x" + "ff" * 4 + "00" * 28], 213),
    "blake2 of the wrong size": precompile(9, [], 212),
    "blake2 with a strange last byte": precompile(9, ["0"] * 6 + ["0x" + "00" * 20 + "02" + "00" * 11], 213),
    "a sum of points that are not on the curve": precompile(6, ["1", "1", "1", "1"], 128),
    "a point beyond the field": precompile(6, [FAR, FAR], 64),
    "a pairing of the wrong size": precompile(8, ["1"], 191),
    "a pairing of nothing": precompile(8, [], 0),
    "a pairing of points that are not on the curve": precompile(8, ["1"] * 6, 192),
    "a pairing with too little gas": precompile(8, ["0"] * 6, 192, gas="50000"),
    "a blob proof of the wrong size": precompile(10, ["1"], 191),
    "a blob proof of zeros": precompile(10, ["0"] * 6, 192),
    "a BLS sum of the wrong size": precompile(11, ["1"], 255),
    "a BLS sum of points that are not on the curve": precompile(11, ["1"] * 8, 256),
    "a BLS product of nothing": precompile(12, [], 0),
    "a BLS pairing of the wrong size": precompile(15, ["1"], 383),
    "a recovery from garbage": precompile(1, [FAR, FAR, FAR, FAR], 128),
    "a recovery from nothing": precompile(1, [], 0),
    "a large identity": "100000 0 100000 0 0 4 GAS CALL 0 SSTORE RETURNDATASIZE 1 SSTORE",
}

BOMBS: dict[str, tuple[str, str]] = {
    "return data that is thrown away": (
        f"JUMPDEST {calling('CALL', f'0x{OTHER.hex()}')} POP 0 JUMP",
        "30000 0 RETURN",
    ),
    "return data that is copied": (
        f"JUMPDEST {calling('STATICCALL', f'0x{OTHER.hex()}')} POP RETURNDATASIZE 0 0 RETURNDATACOPY 0 JUMP",
        "30000 0 RETURN",
    ),
    "return data of a revert": (
        f"{calling('CALL', f'0x{OTHER.hex()}')} RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 REVERT",
        "50000 0 REVERT",
    ),
    "all the gas of each call": (f"JUMPDEST {calling('CALL', f'0x{OTHER.hex()}')} POP 0 JUMP", "INVALID"),
    "memory in every call": (
        f"1 30000 MSTORE {calling('CALL', f'0x{OTHER.hex()}')} 0 SSTORE",
        f"1 30000 MSTORE {calling('CALL', f'0x{CONTRACT.hex()}')} 0 SSTORE",
    ),
    "code of another, again and again": (
        f"JUMPDEST 24576 0 0 0x{OTHER.hex()} EXTCODECOPY 0 JUMP",
        "JUMPDEST " * 5_000,
    ),
}

DEEP: dict[str, str] = {
    f"{opcode} of itself": f"{calling(opcode, SELF)} 0 SSTORE" for opcode in ("CALL", "DELEGATECALL")
}
