"""The blocks whose new logs a filter or a subscription wants."""

from dataclasses import dataclass

from chain.types import BlockNumber
from rpc.errors import InvalidParams
from rpc.log_filter import LogFilter
from rpc.params import BlockTag


class PendingLogsUnsupported(InvalidParams):
    def __init__(self) -> None:
        super().__init__("pending logs are not supported")


class InvalidBlockRange(InvalidParams):
    def __init__(self) -> None:
        super().__init__("invalid block range params")


@dataclass(frozen=True, slots=True)
class LogRange:
    """Blocks `first` to `last`, or without end."""

    first: BlockNumber
    last: BlockNumber | None

    def __contains__(self, number: BlockNumber) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)


def log_range(wanted: LogFilter) -> LogRange:
    """The range of news that `wanted` asks for (geth's SubscribeLogs in eth/filters/filter_system.go).

    An end without a beginning is taken too, as anvil and hardhat do: from now until there.
    Raises PendingLogsUnsupported and InvalidBlockRange.
    """
    first = BlockTag.LATEST if wanted.first is None else wanted.first
    last = BlockTag.LATEST if wanted.last is None else wanted.last
    if BlockTag.PENDING in (first, last):
        raise PendingLogsUnsupported
    if first is BlockTag.LATEST and last is BlockTag.LATEST:
        return LogRange(BlockNumber(0), None)
    start = BlockNumber(0) if first is BlockTag.EARLIEST or wanted.first is None else first
    if isinstance(start, BlockTag) or (isinstance(last, BlockTag) and last is not BlockTag.LATEST):
        raise InvalidBlockRange
    if isinstance(last, BlockTag):
        return LogRange(start, None)
    if last < start:
        raise InvalidBlockRange
    return LogRange(start, last)
