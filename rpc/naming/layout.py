"""The storage layout that solc gives with `storageLayout`: which variable lies where, and of what types they are made.

docs.soliditylang.org, "JSON Output" of storage layouts. Numbers stand there as decimal texts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORD = 32
INPLACE, MAPPING, DYNAMIC_ARRAY, BYTES = ENCODINGS = ("inplace", "mapping", "dynamic_array", "bytes")
MAX_VARIABLES = 4_096
MAX_TYPES = 4_096
MAX_LABEL = 2_000
_LENGTH = re.compile(r"\[(\d{1,78})\]$")


class BadLayout(Exception):
    """A storage layout that is not as solc writes it; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A state variable or a field of a struct. `offset` counts bytes from the low end of its first slot."""

    label: str
    slot: int
    offset: int
    type: str


@dataclass(frozen=True, slots=True)
class Type:
    """A type by its encoding. `size` is in bytes, `length` that of a fixed array, None for other types."""

    encoding: str
    label: str
    size: int
    key: str
    value: str
    base: str
    length: int | None
    members: tuple[Member, ...]

    @property
    def slots(self) -> int:
        return max(1, -(-self.size // WORD))

    @property
    def is_packable(self) -> bool:
        """Whether several of it share a slot in an array."""
        return self.encoding == INPLACE and not self.members and self.length is None and 0 < self.size <= WORD // 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A contract's variables, those it inherits included."""

    variables: tuple[Member, ...]
    types: Mapping[str, Type]


def layout_from(value: Any) -> Layout:
    """The layout in solc's JSON. Raises BadLayout."""
    if not isinstance(value, dict) or not isinstance(value.get("storage"), list):
        raise BadLayout("a storage layout is an object with the list `storage` and the object `types`")
    types = value.get("types") or {}
    if not isinstance(types, dict):
        raise BadLayout("`types` of a storage layout is an object")
    if len(value["storage"]) > MAX_VARIABLES or len(types) > MAX_TYPES:
        raise BadLayout(f"a storage layout has at most {MAX_VARIABLES} variables and {MAX_TYPES} types")
    layout = Layout(tuple(map(_member, value["storage"])), {str(name): _type(type) for name, type in types.items()})
    _check_references(layout)
    return layout


def _member(value: Any) -> Member:
    if not isinstance(value, dict):
        raise BadLayout(f"{value!r:.80} is no variable of a storage layout")
    return Member(_text(value, "label"), _number(value, "slot"), _number(value, "offset"), _text(value, "type"))


def _type(value: Any) -> Type:
    if not isinstance(value, dict) or value.get("encoding") not in ENCODINGS:
        raise BadLayout(f"{value!r:.80} is no type of a storage layout: `encoding` is one of {', '.join(ENCODINGS)}")
    label, encoding = _text(value, "label"), value["encoding"]
    size = _number(value, "numberOfBytes")
    base = str(value.get("base", ""))
    length = _LENGTH.search(label) if base and encoding == INPLACE else None
    members = value.get("members") or []
    if not isinstance(members, list) or len(members) > MAX_VARIABLES:
        raise BadLayout(f"`members` of {label} is a list of at most {MAX_VARIABLES}")
    return Type(
        encoding=encoding,
        label=label,
        size=size,
        key=str(value.get("key", "")),
        value=str(value.get("value", "")),
        base=base,
        length=int(length[1]) if length else None,
        members=tuple(map(_member, members)),
    )


def _check_references(layout: Layout) -> None:
    """So that who walks a layout finds every type it names."""
    wanted = [member.type for member in layout.variables]
    for type in layout.types.values():
        wanted += [member.type for member in type.members]
        if type.encoding == MAPPING:
            wanted += [type.key, type.value]
        if type.encoding == DYNAMIC_ARRAY or type.length is not None:
            wanted.append(type.base)
    for name in wanted:
        if name not in layout.types:
            raise BadLayout(f"the storage layout names the type {name!r}, which is not among its types")


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise BadLayout(f"`{name}` is missing in {_shown(value)}")
    if len(found) > MAX_LABEL or not found.isprintable():
        raise BadLayout(f"`{name}` is a text of at most {MAX_LABEL} printable characters, not {found!r:.80}")
    return found


def _number(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
        return found
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= 78:
        return int(found)
    raise BadLayout(f"`{name}` is no number in {_shown(value)}")


def _shown(value: Mapping[str, Any]) -> str:
    return f"{value.get('label', value)!r:.80}"
