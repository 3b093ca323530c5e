"""Asks a dispatcher as a client would, in JSON."""

from typing import Any

import orjson

from rpc.dispatch import Dispatcher


class Client:
    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def written(self, body: bytes) -> bytes:
        """The answer as it leaves."""
        answer = await self._dispatcher.answer(body)
        assert answer is not None
        return answer

    async def post(self, body: bytes) -> Any:
        """The decoded answer to any bytes; None when there is none."""
        answer = await self._dispatcher.answer(body)
        return None if answer is None else orjson.loads(answer)

    async def ask(self, method: str, *params: Any) -> dict[str, Any]:
        """The whole answer."""
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer: dict[str, Any] = await self.post(body)
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 1
        return answer

    async def result(self, method: str, *params: Any) -> Any:
        """The result of a request that succeeds."""
        answer = await self.ask(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> tuple[int, str]:
        """Code and message of a request that fails."""
        answer = await self.ask(method, *params)
        assert "result" not in answer, answer
        return answer["error"]["code"], answer["error"]["message"]
