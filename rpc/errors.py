"""The errors of JSON-RPC, with geth's codes and geth's words: wallets and libraries match on both."""

from typing import Any

from chain.types import BlockNumber, Hash32


class RpcError(Exception):
    """What a request is answered with when it has no result. `data` is left out of the answer when None."""

    code = -32000

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            answer["data"] = self.data
        return answer


class ParseError(RpcError):
    """A body that is not JSON."""

    code = -32700

    def __init__(self) -> None:
        super().__init__("parse error")


class InvalidRequest(RpcError):
    """JSON that is not a JSON-RPC 2.0 request."""

    code = -32600

    def __init__(self, message: str = "invalid request") -> None:
        super().__init__(message)


class MethodNotFound(RpcError):
    code = -32601

    def __init__(self, method: str) -> None:
        super().__init__(f"the method {method} does not exist/is not available")


class NotificationsUnsupported(RpcError):
    """eth_subscribe over a connection that cannot carry news (HTTP)."""

    code = -32601

    def __init__(self) -> None:
        super().__init__("notifications not supported")


class InvalidParams(RpcError):
    """Parameters that the method cannot take."""

    code = -32602


class MissingArgument(InvalidParams):
    def __init__(self, index: int) -> None:
        super().__init__(f"missing value for required argument {index}")


class TooManyArguments(InvalidParams):
    def __init__(self, most: int) -> None:
        super().__init__(f"too many arguments, want at most {most}")


class InvalidArgument(InvalidParams):
    """An argument whose JSON value does not parse; `reason` says why."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"invalid argument {index}: {reason}")


class InternalError(RpcError):
    """The node failed, not the request. The cause is in the log of the rpc process."""

    code = -32603

    def __init__(self, message: str = "method handler crashed") -> None:
        super().__init__(message)


class ServerError(RpcError):
    """The request is well-formed and cannot be carried out: geth's default code."""

    code = -32000


class HeaderNotFound(ServerError):
    """A state read at a block that does not exist."""

    def __init__(self, block: BlockNumber | Hash32 | None = None) -> None:
        super().__init__("header for hash not found" if isinstance(block, bytes) else "header not found")


class ResourceNotFound(ServerError):
    """What was named is not there (EIP-1474)."""

    code = -32001

    def __init__(self) -> None:
        super().__init__("Resource not found")


class RequestTimedOut(ServerError):
    code = -32002

    def __init__(self) -> None:
        super().__init__("request timed out")


class ResponseTooLarge(ServerError):
    """The answers of a batch together exceed their limit."""

    code = -32003

    def __init__(self) -> None:
        super().__init__("response too large")


class LimitExceeded(ServerError):
    """A query that would give more than a request may carry (EIP-1474)."""

    code = -32005


class ClientLimitExceeded(RpcError):
    """More than one request may ask for (geth's clientLimitExceededError)."""

    code = -38026


class TransactionRejected(ServerError):
    """A transaction that is not admitted; the message is what geth's pool says."""


class ExecutionReverted(RpcError):
    """A call that reverted: `output` is its revert data, `reason` what is readable of it."""

    code = 3

    def __init__(self, output: bytes, reason: str = "") -> None:
        words = "execution reverted" + (f": {reason}" if reason else "")
        super().__init__(words, "0x" + output.hex())
