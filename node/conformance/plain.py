"""Values of official tests' JSON: objects, lists, and numbers and bytes in 0x hex, numbers sometimes decimal or empty.

Whatever a file lacks, or has something else in its place, is a failure of the test that says where.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chain.types import Address
from node.conformance.outcomes import Failed

WORD_BITS = 256


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a test's file. `place` is how one gets to it, empty for the test itself."""

    values: dict[str, Any]
    place: str = ""

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def __getitem__(self, name: str) -> Any:
        """Raises Failed."""
        if name not in self:
            raise Failed(f"the test's file lacks {self.at(name)}")
        return self.values[name]

    def get(self, name: str, default: Any) -> Any:
        return self.values[name] if name in self else default

    def items(self) -> Iterator[tuple[str, Any]]:
        yield from self.values.items()

    def fields(self, name: str) -> "Fields":
        """The object under a name; an empty one if there is none. Raises Failed."""
        return fields_of(self.get(name, {}), self.at(name))

    def each(self) -> Iterator[tuple[str, "Fields"]]:
        """What an object of objects holds. Raises Failed."""
        for name, value in self.items():
            yield name, fields_of(value, self.at(name))

    def listed(self, name: str) -> list[Any]:
        """The list under a name. Raises Failed."""
        return list_of(self[name], self.at(name))

    def rows(self, name: str) -> list["Fields"]:
        """The objects listed under a name. Raises Failed."""
        return [fields_of(row, f"{self.at(name)}[{index}]") for index, row in enumerate(self.listed(name))]

    def chosen(self, name: str, index: int) -> Any:
        """One of the list under a name. Raises Failed."""
        found = self.listed(name)
        if not 0 <= index < len(found):
            raise Failed(f"the test's file lacks {self.at(name)}[{index}]")
        return found[index]

    def at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def fields_of(value: Any, place: str) -> Fields:
    """Raises Failed."""
    if not isinstance(value, dict):
        raise Failed(f"the test's file has {value!r:.60} as {place}, where an object belongs")
    return Fields(value, place)


def list_of(value: Any, place: str) -> list[Any]:
    """Raises Failed."""
    if not isinstance(value, list):
        raise Failed(f"the test's file has {value!r:.60} as {place}, where a list belongs")
    return value


def data(value: Any) -> bytes:
    """Bytes in hex, with or without 0x. Raises Failed."""
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, TypeError, ValueError):
        raise Failed(f"the test's file has {value!r:.60} where bytes belong") from None


def number(value: Any) -> int:
    """A number in hex or decimal, of any size; nothing counts as zero. Raises Failed."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        text = value.removeprefix("0x:bigint ")
        found = int(text, 16 if text.startswith("0x") else 10) if text not in ("", "0x") else 0
    except (AttributeError, TypeError, ValueError):
        found = -1
    if found < 0:
        raise Failed(f"the test's file has {value!r:.60} where a number belongs")
    return found


def word(value: Any) -> int:
    """A number that fits into a word of the EVM. Raises Failed."""
    found = number(value)
    if found >> WORD_BITS:
        raise Failed(f"the test's file has {value!r:.60} where a number of at most {WORD_BITS} bits belongs")
    return found


def address(value: Any) -> Address:
    """Raises Failed."""
    found = data(value)
    if len(found) > 20:
        raise Failed(f"the test's file has {value!r:.60} where an address belongs")
    return Address(found.rjust(20, b"\0"))
