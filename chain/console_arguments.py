"""The arguments of console.log: ABI-encoded values as they are shown, and whatever else a contract may have sent."""

from collections.abc import Callable

from chain.addresses import checksummed
from chain.types import Address

WORD = 32
MAX_EXPANSION = 4
"""Characters for each byte: a number of one word has up to 78 digits."""


class Unreadable(Exception):
    """What the selector promises is not there."""


Value = int | str
"""An argument: a number, or anything else as it is shown."""


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD]
    if len(word) < WORD:
        raise Unreadable
    return word


def _number(data: bytes, at: int, kind: str) -> Value:
    return int.from_bytes(_word(data, at), "big", signed=kind == "int256")


def _bool(data: bytes, at: int, kind: str) -> Value:
    return "true" if any(_word(data, at)) else "false"


def _address(data: bytes, at: int, kind: str) -> Value:
    return checksummed(Address(_word(data, at)[WORD - 20 :]))


def _fixed_bytes(data: bytes, at: int, kind: str) -> Value:
    return "0x" + _word(data, at)[: int(kind.removeprefix("bytes"))].hex()


def _content(data: bytes, at: int) -> bytes:
    start = int.from_bytes(_word(data, at), "big")
    size = int.from_bytes(_word(data, start), "big")
    content = data[start + WORD : start + WORD + size]
    if len(content) < size:
        raise Unreadable
    return content


def _bytes(data: bytes, at: int, kind: str) -> Value:
    return "0x" + _content(data, at).hex()


def _string(data: bytes, at: int, kind: str) -> Value:
    return _content(data, at).decode(errors="replace")


READERS: dict[str, Callable[[bytes, int, str], Value]] = {
    "uint256": _number,
    "int256": _number,
    "bool": _bool,
    "address": _address,
    "string": _string,
    "bytes": _bytes,
    **{f"bytes{size}": _fixed_bytes for size in range(1, WORD + 1)},
}


def read_list(data: bytes, at: int, kind: str) -> list[str]:
    """The elements of a list whose place stands at `at`. Together they say no more than the whole message can."""
    start = int.from_bytes(_word(data, at), "big")
    count = int.from_bytes(_word(data, start), "big")
    elements = data[start + WORD :]
    read = READERS[kind]
    texts: list[str] = []
    size = 0
    for index in range(count):
        texts.append(str(read(elements, WORD * index, kind)))
        size += len(texts[-1])
        if size > MAX_EXPANSION * len(data):  # texts may overlap
            raise Unreadable
    return texts
