"""JSON-RPC 2.0: bytes in, bytes out. What HTTP and WebSocket share.

The rules are geth's where the specification leaves room: a batch over the limit gets one error under its first id, an
answer that would grow a batch's answers over their limit becomes an error, ids go back as they were written, and
notifications are carried out silently.
"""

import asyncio
import logging
import time
from typing import Any

import orjson

from chain.links import LinkClosed, RequestFailed
from rpc.awaited_transactions import MAX_WAIT_S
from rpc.errors import (
    InternalError,
    InvalidRequest,
    MethodNotFound,
    NotificationsUnsupported,
    ParseError,
    RequestTimedOut,
    ResponseTooLarge,
    RpcError,
    ServerError,
)
from rpc.methods import Connection, Json, Node, arguments_of
from rpc.namespaces import METHODS
from rpc.ordered_turns import OrderedTurns
from rpc.params import BlockTag
from rpc.raw_sends import SEND_RAW, raw_transactions
from rpc.render import data_json
from rpc.request_form import is_id, is_request
from rpc.request_ids import is_inexact, keep_as_written
from rpc.settling import sends

log = logging.getLogger("tandem.rpc")

UNKNOWN_METHOD = "unknown method"
MAX_BATCH_REQUESTS = 1_000
MAX_BATCH_ANSWER_BYTES = 25 * 1024 * 1024


class Dispatcher:
    """Answers requests with the registered methods on one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._reports = log.isEnabledFor(logging.INFO)

    async def answer(self, body: bytes, connection: Connection | None = None) -> bytes | None:
        """The answer to a request or a batch; None when nothing in it wants one."""
        try:
            message = orjson.loads(body)
            if isinstance(message, list):
                if any(is_inexact(request, body) for request in message):
                    keep_as_written(body, message)
            elif is_inexact(message, body):
                keep_as_written(body, [message])
        except (orjson.JSONDecodeError, RecursionError):
            return _error_answer(None, ParseError())
        if isinstance(message, list):
            return await self._answer_batch(message, connection)
        return await self._answer_one(message, connection)

    async def _answer_batch(self, messages: list[Any], connection: Connection | None) -> bytes | None:
        if not messages:
            return _error_answer(None, InvalidRequest("empty batch"))
        if len(messages) > MAX_BATCH_REQUESTS:
            return b"[" + _error_answer(_first_id(messages), InvalidRequest("batch too large")) + b"]"
        raws = raw_transactions(messages)
        if raws is not None:
            return _batch_answer(messages, await self._answer_raw_sends(messages, raws))
        sending = OrderedTurns()
        answers = await asyncio.gather(*(self._answer_entry(message, connection, sending) for message in messages))
        return _batch_answer(messages, answers)

    async def _answer_raw_sends(self, messages: list[Any], raws: list[bytes]) -> list[bytes | None]:
        """Each counts with its share of the time: they are waited for together."""
        began = time.perf_counter()
        outcomes = await self._node.admission.submit_all(raws)
        seconds = (time.perf_counter() - began) / len(raws)
        answers: list[bytes | None] = []
        for message, outcome in zip(messages, outcomes, strict=True):
            failure = outcome if isinstance(outcome, Exception) else None
            self._count(SEND_RAW, seconds, failure)
            if "id" not in message:
                answers.append(None)
            elif isinstance(outcome, Exception):
                answers.append(_error_answer(message["id"], _as_rpc_error(SEND_RAW, outcome)))
            else:
                answers.append(_result_answer(message["id"], data_json(outcome)))
        return answers

    async def _answer_entry(self, message: Any, connection: Connection | None, sending: OrderedTurns) -> bytes | None:
        """One of a batch. All run concurrently, only that what does not send begins after the sends before it."""
        if _sends(message):
            with sending.place():
                return await self._answer_one(message, connection)
        await sending.all_over(MAX_WAIT_S)
        return await self._answer_one(message, connection)

    async def _answer_one(self, message: Any, connection: Connection | None) -> bytes | None:
        if not is_request(message):
            return _error_answer(_first_id([message]), InvalidRequest())
        request_id, name = message.get("id"), message["method"]
        began = time.perf_counter()
        failure: Exception | None = None
        answer = None
        try:
            result = await self._call(name, message.get("params"), connection)
            if "id" in message:
                answer = _result_answer(request_id, result)
        except Exception as error:
            failure = error
            if "id" in message:
                answer = _error_answer(request_id, _as_rpc_error(name, error))
        self._count(name if name in METHODS else UNKNOWN_METHOD, time.perf_counter() - began, failure)
        return answer

    async def _call(self, name: str, params: Any, connection: Connection | None) -> Json:
        method = METHODS.get(name)
        if method is None or (method.changes_chain and not self._node.genesis.dev_api):
            raise MethodNotFound(name)
        given = arguments_of(name, params)
        arguments = method.parse(given)
        unsettled = self._node.admission.newest is not None
        if unsettled and method.reads_what_was_sent and BlockTag.PENDING not in arguments:
            await self._node.admission.settled()
        if self._node.remote is not None:
            for theirs in await self._node.remote.answered(self._node, name, arguments, given):
                return theirs
        if not method.takes_connection:
            return await method.handler(self._node, *arguments)
        if connection is None:
            raise NotificationsUnsupported()
        return await method.handler(self._node, connection, *arguments)

    def _count(self, shown: str, seconds: float, failure: Exception | None) -> None:
        """For the metrics, and if the log says so much, for a line in it."""
        self._node.requests.add(shown, seconds, failure is not None)
        if self._reports:
            _report(shown, seconds, failure)


def _report(method: str, seconds: float, failure: Exception | None) -> None:
    if failure is None:
        log.info("%s %.1f ms", method, seconds * 1000)
    else:
        # What a client sent may be in the words: one line, and not a long one.
        words = repr(str(failure) or type(failure).__name__)
        log.info("%s %.1f ms failed: %.300s", method, seconds * 1000, words)


def _result_answer(request_id: Any, result: Json) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def _error_answer(request_id: Any, error: RpcError) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error.as_json()})


def _as_rpc_error(method: str, error: Exception) -> RpcError:
    """What the client is told of a failure, its own or not."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, RequestFailed):
        return ServerError(error.text)
    if isinstance(error, TimeoutError):
        return RequestTimedOut()
    if isinstance(error, LinkClosed):
        return ServerError("the node is shutting down")
    log.error("%s failed", method, exc_info=error)
    return InternalError()


def _sends(message: Any) -> bool:
    name = message.get("method") if isinstance(message, dict) else None
    return isinstance(name, str) and sends(name)


def _first_id(messages: list[Any]) -> Any:
    ids = (m["id"] for m in messages if isinstance(m, dict) and "id" in m and is_id(m["id"]))
    return next(ids, None)


def _batch_answer(messages: list[Any], answers: list[bytes | None]) -> bytes | None:
    ordered = _within_limit(messages, answers)
    return b"[" + b",".join(ordered) + b"]" if ordered else None


def _within_limit(messages: list[Any], answers: list[bytes | None]) -> list[bytes]:
    """The answers there are, those past the size limit replaced by errors."""
    total, ordered = 0, []
    for message, answer in zip(messages, answers, strict=True):
        if answer is None:
            continue
        total += len(answer)
        if total > MAX_BATCH_ANSWER_BYTES:
            answer = _error_answer(message.get("id") if isinstance(message, dict) else None, ResponseTooLarge())
        ordered.append(answer)
    return ordered
