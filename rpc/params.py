"""JSON values to the values they stand for, as strictly as geth reads them and with geth's words when they are wrong.

A parser takes one decoded JSON value and gives the value, or raises `InvalidValue`. Some of geth's words name Go types;
they are kept because libraries and their tests match on them. Methods that geth does not have use plain ones.
"""

from binascii import unhexlify
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, TypeVar

from chain.types import Address, BlockNumber, Hash32

T = TypeVar("T")
Parser: TypeAlias = Callable[[Any], T]

UINT64_LIMIT = 2**64
UINT256_LIMIT = 2**256
INT64_LIMIT = 2**63
WORD_DIGITS = 64
"""The hex digits of 32 bytes."""
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class InvalidValue(Exception):
    """A JSON value that is not what belongs in its place."""

    @property
    def text(self) -> str:
        """In geth's words."""
        return str(self)

    @property
    def plain(self) -> str:
        """In words that say what to give."""
        return str(self)


WANTED = {
    "bool": "give true or false",
    "common.Address": "an address is 0x and 40 hex digits",
    "hexutil.Bytes": "bytes are 0x and an even number of hex digits",
    "common.Hash": "a hash is 0x and 64 hex digits",
    "block": "a block is a tag such as latest, a number in hex such as 0x1f, or a hash",
    "tandem.Contract": "give an object with what the compiler says: name, abi, storageLayout, deployedBytecode",
    "[]uint64": "a group is a list of validators",
    "[][]uint64": "give a list of groups, each a list of validators",
}
"""What methods of Tandem's own take, by Go's name of the type."""


class WrongType(InvalidValue):
    """Go's complaint that `found` does not fit `go_type`; `member` is "Struct.field" inside an object."""

    def __init__(self, found: str, go_type: str, member: str = "") -> None:
        self.found = found
        self.go_type = go_type
        place = f"Go struct field {member}" if member else "Go value"
        super().__init__(f"json: cannot unmarshal {found} into {place} of type {go_type}")

    @property
    def plain(self) -> str:
        return WANTED[self.go_type]


class WrongLength(InvalidValue):
    """Hex digits, and not as many as `go_type` has."""

    def __init__(self, digits: int, wanted: int, go_type: str) -> None:
        self.go_type = go_type
        super().__init__(f"hex string has length {digits}, want {wanted} for {go_type}")

    @property
    def plain(self) -> str:
        return WANTED[self.go_type]


class NoBlock(WrongType):
    """A value of a type that names no block."""

    def __init__(self, found: str) -> None:
        super().__init__(found, "string")

    @property
    def plain(self) -> str:
        return WANTED["block"]


class BlockTag(StrEnum):
    """A block by its stage of life instead of its number."""

    LATEST = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"
    PENDING = "pending"
    EARLIEST = "earliest"


BlockReference: TypeAlias = BlockTag | BlockNumber | Hash32
"""How a request names a block: a tag, a number, or (bytes) a hash."""

_TAGS = {tag.value: tag for tag in BlockTag}


def _kind(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"


def _digits(value: str) -> str:
    if value[:2] not in ("0x", "0X"):
        raise InvalidValue("hex string without 0x prefix")
    return value[2:]


def _number(value: str, bits: int) -> int:
    """The number in a quantity: 0x and hex digits without leading zeros."""
    digits = _digits(value)
    if not digits:
        raise InvalidValue('hex string "0x"')
    if digits[0] == "0" and len(digits) > 1:
        raise InvalidValue("hex number with leading zero digits")
    if len(digits) > bits // 4:
        raise InvalidValue(f"hex number > {bits} bits")
    if not HEX_DIGITS.issuperset(digits):
        raise InvalidValue("invalid hex string")
    return int(digits, 16)


def _bytes(digits: str) -> bytes:
    try:
        return unhexlify(digits)
    except ValueError:
        raise InvalidValue("invalid hex string") from None


def _even_digits(value: str) -> str:
    digits = _digits(value) if value else ""
    if len(digits) % 2:
        raise InvalidValue("hex string of odd length")
    return digits


def _typed(parse: Callable[[str], T], value: Any, go_type: str) -> T:
    if not isinstance(value, str):
        raise WrongType("non-string", go_type)
    try:
        return parse(value)
    except InvalidValue as problem:
        raise WrongType(problem.text, go_type) from None


def _uint256(value: str) -> int:
    return _number(value, 256) if value else 0


def _uint64(value: str) -> int:
    return _number(value, 64) if value else 0


def quantity(value: Any) -> int:
    """A number below 2**256."""
    return _typed(_uint256, value, "*hexutil.Big")


def uint64(value: Any) -> int:
    return _typed(_uint64, value, "hexutil.Uint64")


def index(value: Any) -> int:
    """A position in a list."""
    return _typed(_uint64, value, "hexutil.Uint")


def _plain_bytes(value: Any) -> bytes | None:
    """What is in 0x and an even number of hex digits, as nearly all of it comes; None for anything else."""
    if type(value) is str and value[:2] == "0x":
        try:
            return unhexlify(value[2:])
        except ValueError:
            return None
    return None


def data(value: Any) -> bytes:
    """Bytes of any length."""
    plain = _plain_bytes(value)
    if plain is not None:
        return plain
    return _typed(_bytes, _typed(_even_digits, value, "hexutil.Bytes"), "hexutil.Bytes")


def _fixed(value: Any, length: int, go_type: str) -> bytes:
    plain = _plain_bytes(value)
    if plain is not None and len(plain) == length:
        return plain
    digits = _typed(_even_digits, value, go_type)
    if len(digits) != 2 * length:
        raise WrongLength(len(digits), 2 * length, go_type)
    return _typed(_bytes, digits, go_type)


def address(value: Any) -> Address:
    return Address(_fixed(value, 20, "common.Address"))


def hash32(value: Any) -> Hash32:
    return Hash32(_fixed(value, 32, "common.Hash"))


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongType(_kind(value), "bool")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongType(_kind(value), "string")
    return value


def mapping(value: Any, go_type: str) -> dict[str, Any]:
    """An object whose members the caller parses itself."""
    if not isinstance(value, dict):
        raise WrongType(_kind(value), go_type)
    return value


def sequence(value: Any, go_type: str) -> list[Any]:
    if not isinstance(value, list):
        raise WrongType(_kind(value), go_type)
    return value


def member(values: dict[str, Any], struct: str, name: str, parse: Parser[T]) -> T | None:
    """The member `name` of an object, None where it is absent or null. `struct` is Go's name of the object."""
    value = values.get(name)
    if value is None:
        return None
    try:
        return parse(value)
    except WrongType as problem:
        raise WrongType(problem.found, problem.go_type, f"{struct}.{name}") from None


def decimal_or_hex(value: Any) -> int:
    """A count as eth_feeHistory takes it: a JSON number, or a string in decimal or hex."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < UINT64_LIMIT:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if (
        isinstance(value, str)
        and value[:2] in ("0x", "0X")
        and HEX_DIGITS.issuperset(value[2:])
        and 2 < len(value) <= 18
    ):
        return int(value, 16)
    raise InvalidValue(f'invalid hex or decimal integer "{value}"')


def floats(value: Any) -> list[float]:
    items = sequence(value, "[]float64")
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | float):
            raise WrongType(_kind(item), "float64")
    return [float(item) for item in items]


class StorageKey(NamedTuple):
    """A slot number, and whether it was written with all its 32 bytes."""

    number: int
    is_full: bool


def storage_key(value: Any) -> StorageKey:
    """Up to 32 bytes of hex, with or without leading zeros."""
    key = text(value)
    digits = key[2:] if key[:2] in ("0x", "0X") else key
    if len(digits) > WORD_DIGITS:
        raise InvalidValue(f'storage key too long (want at most 32 bytes): "{key}"')
    if not HEX_DIGITS.issuperset(digits):
        raise InvalidValue(f'invalid hex in storage key: "{key}"')
    return StorageKey(int(digits or "0", 16), len(digits) + len(digits) % 2 == WORD_DIGITS)


def texts(value: Any) -> list[str]:
    """Strings; null is none of them, as in Go."""
    return [text(item) for item in sequence([] if value is None else value, "[]string")]


def block_number(value: Any, too_high: str = "block number larger than int64") -> BlockTag | BlockNumber:
    """A tag or a number; no hash. `too_high` is what is said of one that Go has no number for."""
    if not isinstance(value, str):
        raise InvalidValue("hex string without 0x prefix")
    tag = _TAGS.get(value)
    if tag is not None:
        return tag
    if not value:
        raise InvalidValue("empty hex string")
    number = _number(value, 64)
    if number >= INT64_LIMIT:
        raise InvalidValue(too_high)
    return BlockNumber(number)


def block_reference(value: Any) -> BlockReference:
    """A tag, a number, a hash, or an object with one of them (EIP-1898)."""
    if isinstance(value, dict):
        return _block_object(value)
    if not isinstance(value, str):
        raise NoBlock(_kind(value))
    if len(value) == 66:
        return hash32(value)
    return block_number(value, "blocknumber too high")


def _block_object(value: dict[str, Any]) -> BlockReference:
    number = member(value, "erased", "blockNumber", block_number)
    block_hash = member(value, "erased", "blockHash", hash32)
    # Every block that is kept is canonical, so requireCanonical is checked and then has nothing to say.
    member(value, "erased", "requireCanonical", boolean)
    if number is not None and block_hash is not None:
        raise InvalidValue("cannot specify both BlockHash and BlockNumber, choose one or the other")
    reference = number if number is not None else block_hash
    if reference is None:
        raise InvalidValue("must specify either BlockHash or BlockNumber")
    return reference
