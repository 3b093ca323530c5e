"""Frozen dataclasses to msgpack and back, checked against their annotations.

Every value that crosses a border between processes is a dataclass registered here under a small number. What comes in
thousands may be a named tuple; within a message, msgpack packs it as it is. Decoding checks each field's type, so that
a process never works on something a peer made up. Integers beyond 64 bits (wei, storage words) travel as extension
type 1, big-endian. The encoding is canonical: equal values give equal bytes.
"""

import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from chain.errors import DecodeError

Converter = Callable[[Any], Any]
T = TypeVar("T")

SCALARS = (int, bytes, str, bool, float)
BIG_INTEGER = 1
KEPT_RECURRING = 16
"""Values of a class of which the same few recur."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class MessageError(DecodeError):
    """Bytes that are not a registered message, or a field of the wrong type."""


class _Shape:
    """How one dataclass turns into a plain list, by `flatten`, and back, by `build`, which raises MessageError.

    Both are functions written out for the class: messages have a few scalars and mostly empty lists, and a loop over
    the fields takes twice as long as what is done with them.
    """

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.flatten: Converter = self._flatten_later
        self.build: Converter = self._build_later

    def learn(self) -> None:
        """Write both, once the shape can be found by `_shape`, because a class may contain itself."""
        self.flatten, self.build = _written(self.cls, _names(self.cls))

    def _flatten_later(self, value: Any) -> Any:
        """For who asks for `flatten` while it is being written."""
        return self.flatten(value)

    def _build_later(self, plain: Any) -> Any:
        return self.build(plain)


def _names(cls: Any) -> Sequence[str]:
    """Of the fields that travel."""
    if _is_named_tuple(cls):
        return tuple(cls._fields)
    return [f.name for f in fields(cls) if f.init and not f.metadata.get("derived")]


def _written(cls: type, names: Sequence[str]) -> tuple[Converter, Converter]:
    """How the class becomes a list of these fields, and how it is made of one."""
    hints = get_type_hints(cls)
    of_names = [_plain_type(hints[name]) for name in names]
    converts = [_from_plain(hint, f"{cls.__name__}.{name}") for name, hint in zip(names, of_names, strict=True)]
    return _written_flatten(names, of_names), _written_build(cls, of_names, converts)


def _written_flatten(names: Sequence[str], hints: Sequence[Any]) -> Converter:
    known: dict[str, Any] = {}
    items = []
    for i, (name, hint) in enumerate(zip(names, hints, strict=True)):
        convert = _to_plain(hint)
        if convert is None:
            items.append(f"value.{name}")
        else:
            known[f"c{i}"] = convert
            items.append(f"c{i}(value.{name})" + (f" if value.{name} else ()" if _is_row(hint) else ""))
    return _function(f"def written(value): return [{', '.join(items)}]", known)


def _written_build(cls: type, hints: Sequence[Any], converts: Sequence[Converter]) -> Converter:
    """Checks all scalars at once. If one is wrong, its own check says so.

    A named tuple is made of its row by tuple itself: its own way calls that in Python, and takes twice as long.
    """
    known: dict[str, Any] = {"cls": cls, "MessageError": MessageError, "new": tuple.__new__}
    begin, end = ("new(cls, (", ",))") if _is_named_tuple(cls) else ("cls(", ")")
    tests, items = ["False"], []
    for i, (hint, convert) in enumerate(zip(hints, converts, strict=True)):
        known[f"c{i}"], known[f"t{i}"] = convert, hint
        inner = _inner(hint)
        if hint in SCALARS:
            tests.append(f"type(a{i}) is not t{i}")
            items.append(f"a{i}")
        elif inner in SCALARS:
            known[f"t{i}"] = inner
            tests.append(f"(a{i} is not None and type(a{i}) is not t{i})")
            items.append(f"a{i}")
        else:
            items.append(f"() if a{i} == [] else c{i}(a{i})" if _is_row(hint) else f"c{i}(a{i})")
    arguments = "".join(f"a{i}, " for i in range(len(hints)))
    checked = ", ".join(f"c{i}(a{i})" for i in range(len(hints)))
    return _function(
        f"""def written(plain):
    if type(plain) is not list or len(plain) != {len(hints)}:
        raise MessageError("{cls.__name__} takes {len(hints)} fields")
    [{arguments}] = plain
    if {" or ".join(tests)}:
        return {begin}{checked}{end}
    return {begin}{", ".join(items)}{end}""",
        known,
    )


def _function(source: str, known: dict[str, Any]) -> Converter:
    exec(source, known)  # of names and types of our own classes
    written: Converter = known["written"]
    return written


def _is_row(hint: Any) -> bool:
    """Whether it is a tuple of any length."""
    args = get_args(hint)
    return get_origin(hint) is tuple and len(args) == 2 and args[1] is Ellipsis


def _inner(hint: Any) -> Any:
    """What an optional type is besides None."""
    if get_origin(hint) not in (Union, types.UnionType):
        return None
    (inner,) = [arg for arg in get_args(hint) if arg is not types.NoneType]
    return _plain_type(inner)


_shapes: dict[type, _Shape] = {}
_recurring: set[type] = set()
_tags: dict[type, int] = {}
_classes: dict[int, type] = {}


def message(tag: int) -> Callable[[type[T]], type[T]]:
    """Class decorator: registers a dataclass as a message under `tag` (0 to 255, each used once)."""

    def register(cls: type[T]) -> type[T]:
        assert tag not in _classes, f"message tag {tag} is taken by {_classes[tag].__name__}"
        _classes[tag] = cls
        _tags[cls] = tag
        return cls

    return register


def recurring(cls: type[T]) -> type[T]:
    """Class decorator: the same few values of it are in message after message. They travel as bytes, which are made and
    checked once for many, and who decodes them gets the same object again.
    """
    _recurring.add(cls)
    return cls


def encode_message(value: Any) -> bytes:
    """A registered message as bytes: its tag, then its fields."""
    cls = type(value)
    return pack([_tags[cls], *_shape(cls).flatten(value)])


def decode_message(data: bytes) -> Any:
    """The message in `data`. Raises MessageError."""
    plain = unpack(data)
    if type(plain) is not list or not plain or _classes.get(_hashable(plain[0])) is None:
        raise MessageError(f"not a message of this version: {data[:16].hex()}")
    return _shape(_classes[plain[0]]).build(plain[1:])


def encode_value(value: Any) -> bytes:
    """A dataclass without a tag, for where the reader knows what it reads (a database value)."""
    return pack(_shape(type(value)).flatten(value))


def decode_value(cls: type[T], data: bytes) -> T:
    """The dataclass of type `cls` in `data`. Raises MessageError."""
    built: T = _shape(cls).build(unpack(data))
    return built


def pack(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(plain, default=_pack_big)
    return packed


def unpack(data: bytes) -> Any:
    """Plain values from msgpack, with its limits kept. Raises MessageError."""
    try:
        return msgpack.unpackb(data, ext_hook=_unpack_big, strict_map_key=False, use_list=True)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise MessageError(f"not msgpack: {error}") from error


def _hashable(value: Any) -> Any:
    return value if type(value) is int else None


def _pack_big(value: Any) -> Any:
    if isinstance(value, int) and value > 0:  # by tuple itself: its own way looks at what is right here
        return tuple.__new__(msgpack.ExtType, (BIG_INTEGER, value.to_bytes((value.bit_length() + 7) // 8, "big")))
    raise TypeError(f"cannot send a {type(value).__name__}")


def _unpack_big(code: int, data: bytes) -> int:
    if code != BIG_INTEGER or not 8 <= len(data) <= 64 or data[0] == 0:
        raise ValueError(f"extension {code} of {len(data)} bytes")
    return int.from_bytes(data, "big")


def _shape(cls: type) -> _Shape:
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = _Shape(cls)
        shape.learn()
    return shape


def _plain_type(hint: Any) -> Any:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint


def _to_plain(hint: Any) -> Converter | None:
    """The function that makes a field's value plain, or None if it is plain already."""
    hint = _plain_type(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [arg for arg in args if arg is not types.NoneType]
        convert = _to_plain(inner)
        return None if convert is None else lambda v: None if v is None else convert(v)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        each = _to_plain(args[0])
        return None if each is None else lambda v: [each(item) for item in v]
    if origin is tuple:
        return _row_to_plain(args)
    if origin is dict:
        key, value = _to_plain(args[0]) or _same, _to_plain(args[1]) or _same
        return lambda v: {key(k): value(x) for k, x in sorted(v.items())}
    if isinstance(hint, type) and is_dataclass(hint):
        if hint in _recurring:
            return lru_cache(KEPT_RECURRING)(encode_value)
        return _shape(hint).flatten
    if _is_named_tuple(hint):
        return _named_row_to_plain(hint)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return None
    assert hint in SCALARS, f"the codec has no rule for {hint}"
    return None


def _named_row_to_plain(cls: Any) -> Converter | None:
    """None if msgpack packs it as it is."""
    hints = get_type_hints(cls)
    is_plain = all(_to_plain(hints[name]) is None for name in cls._fields)
    return None if is_plain else _written(cls, cls._fields)[0]


def _row_to_plain(hints: Iterable[Any]) -> Converter | None:
    converts = [_to_plain(hint) for hint in hints]
    if not any(converts):
        return None
    return lambda v: [item if c is None else c(item) for c, item in zip(converts, v, strict=True)]


def _same(value: Any) -> Any:
    return value


def _from_plain(hint: Any, where: str) -> Converter:
    """The function that checks a plain value and makes the field's value of it."""
    hint = _plain_type(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [arg for arg in args if arg is not types.NoneType]
        convert = _from_plain(inner, where)
        if _plain_type(inner) in SCALARS:
            return _optional_scalar(_plain_type(inner), where)
        return lambda v: None if v is None else convert(v)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _sequence_of(_from_plain(args[0], where), where)
    if origin is tuple:
        return _row_of([_from_plain(arg, where) for arg in args], where)
    if origin is dict:
        return _mapping_of(_from_plain(args[0], where), _from_plain(args[1], where), where)
    if isinstance(hint, type) and is_dataclass(hint):
        if hint in _recurring:
            return _kept_of(hint, where)
        return _shape(hint).build
    if _is_named_tuple(hint):
        return _written(hint, hint._fields)[1]
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return _member_of(hint, where)
    return _scalar(hint, where)


def _scalar(expected: type, where: str) -> Converter:
    def check(value: Any) -> Any:
        if type(value) is not expected:
            raise MessageError(f"{where}: a {type(value).__name__} where {expected.__name__} belongs")
        return value

    return check


def _optional_scalar(expected: type, where: str) -> Converter:
    def check(value: Any) -> Any:
        if value is not None and type(value) is not expected:
            raise MessageError(f"{where}: a {type(value).__name__} where {expected.__name__} belongs")
        return value

    return check


def _member_of(members: type[IntEnum], where: str) -> Converter:
    by_value = {member.value: member for member in members}

    def convert(value: Any) -> Any:
        member = by_value.get(value) if type(value) is int else None
        if member is None:
            raise MessageError(f"{where}: a {type(value).__name__} that is no {members.__name__}")
        return member

    return convert


def _kept_of(cls: type, where: str) -> Converter:
    @lru_cache(KEPT_RECURRING)
    def built(data: bytes) -> Any:
        return decode_value(cls, data)

    def convert(value: Any) -> Any:
        if type(value) is not bytes:
            raise MessageError(f"{where}: a {type(value).__name__} where bytes belong")
        return built(value)

    return convert


def _sequence_of(each: Converter, where: str) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is not list:
            raise MessageError(f"{where}: a {type(value).__name__} where a list belongs")
        return tuple([each(item) for item in value])

    return convert


def _row_of(converts: list[Converter], where: str) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is not list or len(value) != len(converts):
            raise MessageError(f"{where}: a row of {len(converts)} belongs here")
        return tuple([c(item) for c, item in zip(converts, value, strict=True)])

    return convert


def _is_named_tuple(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_make")


def _mapping_of(key: Converter, value: Converter, where: str) -> Converter:
    def convert(plain: Any) -> Any:
        if type(plain) is not dict:
            raise MessageError(f"{where}: a {type(plain).__name__} where a mapping belongs")
        return {key(k): value(v) for k, v in plain.items()}

    return convert
