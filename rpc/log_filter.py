"""Which logs a request wants: the filter object of eth_getLogs, eth_newFilter and eth_subscribe("logs")."""

from dataclasses import dataclass
from typing import Any, Protocol

from chain.messages.logs import FoundLog
from chain.receipts import Log
from chain.types import Address, BlockNumber, Hash32
from rpc.params import (
    BlockTag,
    InvalidValue,
    WrongType,
    block_number,
    data,
    hash32,
    mapping,
    member,
    sequence,
)

MAX_TOPICS = 4
MAX_ALTERNATIVES = 1000
"""Addresses, or topics at one position, that one filter may name (geth's limit)."""

STRUCT = "input"


class LogCriteria(Protocol):
    """Which logs: those of any of the addresses (none: all), and at each position with any of the topics."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...

    @property
    def topics(self) -> tuple[tuple[Hash32, ...], ...]: ...


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to look for and where.

    Either `block_hash` names the one block, or `first` and `last` (None where the request left them out: the latest)
    the range. `addresses` empty means any; an empty tuple at a position of `topics` means any topic there.
    """

    block_hash: Hash32 | None
    first: BlockTag | BlockNumber | None
    last: BlockTag | BlockNumber | None
    addresses: tuple[Address, ...]
    topics: tuple[tuple[Hash32, ...], ...]


ALL_LOGS = LogFilter(None, None, None, (), ())


def matches(log: Log | FoundLog, wanted: LogCriteria) -> bool:
    """Whether a log has one of the addresses, and at each position one of the topics."""
    if wanted.addresses and log.address not in wanted.addresses:
        return False
    if len(wanted.topics) > len(log.topics):
        return False
    return all(not any_of or topic in any_of for any_of, topic in zip(wanted.topics, log.topics, strict=False))


def log_filter(value: Any) -> LogFilter:
    """Parses the filter object; null is an empty one, as in Go. Raises InvalidValue with geth's words."""
    given = mapping({} if value is None else value, "filters.input")
    block_hash = member(given, STRUCT, "blockHash", hash32)
    first = member(given, STRUCT, "fromBlock", block_number)
    last = member(given, STRUCT, "toBlock", block_number)
    if block_hash is not None and (first is not None or last is not None):
        raise InvalidValue("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    return LogFilter(block_hash, first, last, _addresses(given.get("address")), _topics(given.get("topics")))


def _addresses(value: Any) -> tuple[Address, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (Address(_sized(value, 20, "address", "invalid address: ")),)
    if not isinstance(value, list):
        raise InvalidValue("invalid addresses in query")
    _check_alternatives(value)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise InvalidValue(f"non-string address at index {position}")
    return tuple(Address(_sized(a, 20, "address", f"invalid address at index {i}: ")) for i, a in enumerate(value))


def _topics(value: Any) -> tuple[tuple[Hash32, ...], ...]:
    positions = [] if value is None else sequence(value, "[]interface {}")
    if len(positions) > MAX_TOPICS:
        raise InvalidValue("exceed max topics")
    return tuple(_alternatives(position) for position in positions)


def _alternatives(position: Any) -> tuple[Hash32, ...]:
    """The topics that one position accepts; null, alone or among others, accepts all."""
    choices = position if isinstance(position, list) else [position]
    _check_alternatives(choices)
    if any(choice is not None and not isinstance(choice, str) for choice in choices):
        raise InvalidValue("invalid topic(s)")
    if None in choices:
        return ()
    return tuple(Hash32(_sized(choice, 32, "topic")) for choice in choices)


def _check_alternatives(choices: list[Any]) -> None:
    if len(choices) > MAX_ALTERNATIVES:
        raise InvalidValue("exceed max addresses or topics per search position")


def _sized(value: str, length: int, what: str, prefix: str = "") -> bytes:
    if not value:
        raise InvalidValue(f"{prefix}empty hex string")
    try:
        decoded = data(value)
    except WrongType as problem:
        raise InvalidValue(prefix + problem.found) from None
    if len(decoded) != length:
        raise InvalidValue(
            f"{prefix}hex has invalid length {len(decoded)} after decoding; expected {length} for {what}"
        )
    return decoded
