"""Reading a JSON object of a file field by field: what is wrong is told with the place of the field and its value."""

from collections.abc import Iterator
from typing import Any

from chain.errors import DecodeError

SHOWN = 40
"""Characters of a wrong value that an error shows."""


class WrongField(DecodeError):
    """A field of a JSON file that is not what belongs there; `place` is its path, such as environment.gasLimit."""

    def __init__(self, place: str, wanted: str, found: Any) -> None:
        text = "nothing" if found is None else repr(found)
        super().__init__(f"{place}: {wanted} belongs here, not {text[:SHOWN] + '...' if len(text) > SHOWN else text}")
        self.place = place


class UnknownField(DecodeError):
    """A field that this kind of object does not have."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: there is no such field")


class Fields:
    """One JSON object. Each method takes the name of a field and gives its value, or raises WrongField."""

    def __init__(self, value: Any, place: str = "") -> None:
        if not isinstance(value, dict):
            raise WrongField(place or "the file", "a JSON object", value)
        self._values = value
        self._place = place

    def only(self, *names: str) -> None:
        """Raises UnknownField if there are others: a misspelt field must not be passed over."""
        for name in self._values:
            if name not in names:
                raise UnknownField(self.place(name))

    def place(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def object(self, name: str) -> "Fields":
        return Fields(self.get(name), self.place(name))

    def optional(self, name: str) -> "Fields | None":
        """The object, or None for null or nothing."""
        return None if self.get(name) is None else self.object(name)

    def objects(self, name: str) -> "Iterator[Fields]":
        """The objects in a list."""
        for index, value in enumerate(self.items(name)):
            yield Fields(value, f"{self.place(name)}[{index}]")

    def items(self, name: str) -> list[Any]:
        value = self.get(name)
        if not isinstance(value, list):
            raise WrongField(self.place(name), "a list", value)
        return value

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise WrongField(self.place(name), "a text", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        for index, value in enumerate(self.items(name)):
            if not isinstance(value, str):
                raise WrongField(f"{self.place(name)}[{index}]", "a text", value)
        return tuple(self.items(name))

    def integer(self, name: str) -> int:
        """A plain number from 0 to 2**64 - 1."""
        value = self.get(name)
        if type(value) is not int or not 0 <= value < 2**64:
            raise WrongField(self.place(name), "a whole number from 0 to 2**64 - 1", value)
        return value

    def word(self, name: str) -> int:
        """A number of up to 256 bits in 0x hex."""
        return word(self.get(name), self.place(name))

    def data(self, name: str, size: int | None = None) -> bytes:
        """Bytes in 0x hex, `size` of them if that is given."""
        return data(self.get(name), self.place(name), size)


def word(value: Any, place: str) -> int:
    """The number in 0x hex, of up to 256 bits. Raises WrongField."""
    wanted = "a number in 0x hex of at most 256 bits"
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 66:
        raise WrongField(place, wanted, value)
    if not value[2:].isascii() or not value[2:].isalnum():
        raise WrongField(place, wanted, value)
    try:
        return int(value, 16)
    except ValueError:
        raise WrongField(place, wanted, value) from None


def data(value: Any, place: str, size: int | None = None) -> bytes:
    """The bytes in 0x hex. Raises WrongField."""
    wanted = "bytes in 0x hex" if size is None else f"{size} bytes in 0x hex"
    if not isinstance(value, str) or not value.startswith("0x") or any(c.isspace() for c in value):
        raise WrongField(place, wanted, value)
    try:
        found = bytes.fromhex(value[2:])
    except ValueError:
        raise WrongField(place, wanted, value) from None
    if size is not None and len(found) != size:
        raise WrongField(place, wanted, value)
    return found
