"""JSON-RPC as plain bytes over HTTP: for what a library would check, repair or hide."""

import http.client
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.running_node import DEADLINE_S


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RpcError(Exception):
    """The error object of an answer."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data


class JsonRpc:
    """One keep-alive connection to a node. `headers` go with every request."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._path = parts.path or "/"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._ids = itertools.count(1)

    def close(self) -> None:
        self._connection.close()

    def exchange(self, verb: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """One HTTP request exactly as given. Header names in the answer are lower case."""
        try:
            self._connection.request(verb, self._path, body, {**self._headers, **(headers or {})})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            # A new connection next time, instead of this one in the middle of an exchange.
            self._connection.close()
            raise
        return HttpAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def post(self, message: Any) -> Any:
        return self.exchange("POST", json.dumps(message).encode()).json()

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call; raises `RpcError`."""
        request_id = next(self._ids)
        answer = self.post({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", request_id), answer
        return _result(answer)

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of one method called once per parameter list, in order, sent as one batch."""
        first = next(self._ids)
        self._ids = itertools.count(first + len(params))
        requests = [
            {"jsonrpc": "2.0", "id": first + index, "method": method, "params": one} for index, one in enumerate(params)
        ]
        answers = self.post(requests)
        assert isinstance(answers, list), answers
        by_id = {answer["id"]: answer for answer in answers}
        return [_result(by_id[request["id"]]) for request in requests]


def _result(answer: Mapping[str, Any]) -> Any:
    if "error" in answer:
        error = answer["error"]
        raise RpcError(error["code"], error["message"], error.get("data"))
    return answer["result"]
