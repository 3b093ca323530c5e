"""Requests that no client should make: every method with arguments that are almost right, and what is no JSON-RPC.

All of it comes from one seed. Half of the requests begin as right ones of the chain at hand and are then broken in one
or two places, because what is wrong from the start is refused by the first check and tries nothing else.
"""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from rpc.namespaces import METHODS

NOT_TRIED = frozenset({"tandem_killValidator", "tandem_pauseValidator", "tandem_restartValidator", "tandem_equivocate"})
"""What ends or stops a process on purpose, which an almost right argument would do."""
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    2**53,
    2**64,
    -(2**255),
    1e308,
    "",
    "0x",
    "0x0",
    "0x00",
    "0X1",
    "0xg",
    "0x" + "f" * 16,
    "0x1" + "0" * 16,
    "0x" + "f" * 64,
    "0x" + "f" * 65,
    "0x" + "ab" * 20,
    "0x" + "ab" * 32,
    "0x" + "00" * 5_000,
    "latest",
    "pending",
    "earliest",
    "finalized",
    "safe",
    "Latest",
    "\u0000",
    "\ud83d\ude00" * 50,
    "a" * 10_000,
    "[" * 60_000 + "]" * 60_000,
    "__proto__",
    [],
    [[]],
    [None] * 100,
    {},
    {"": ""},
    {"0x": {}},
)


class BadRequests:
    """An endless supply of bodies. `known` are right values of the chain: addresses, hashes, numbers, raw envelopes;
    `right` are requests that succeed, as (method, params).
    """

    def __init__(self, seed: str, known: Sequence[Any], right: Sequence[tuple[str, list[Any]]]) -> None:
        self._random = Random(seed)
        self._known = list(known)
        self._right = list(right)
        self._methods = sorted(set(METHODS) - NOT_TRIED)

    def bodies(self, count: int) -> Iterator[bytes]:
        kinds: tuple[Callable[[], bytes], ...] = (
            (self._almost_right,) * 12
            + (self._broken_arguments,) * 8
            + (
                self._broken_envelope,
                self._broken_text,
                self._batch,
            )
        )
        for _ in range(count):
            yield self._random.choice(kinds)()

    def _broken_arguments(self) -> bytes:
        return json.dumps(self._request()).encode()

    def _almost_right(self) -> bytes:
        method, params = self._random.choice(self._right)
        broken: Any = copy.deepcopy(params)
        for _ in range(self._random.choice((0, 1, 1, 1, 2))):
            broken = self._broken(broken)
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": broken}).encode()

    def _broken(self, value: Any) -> Any:
        """The value with one of its parts, however deep, replaced, or taken away."""
        if isinstance(value, dict | list) and value and self._random.random() < 0.85:
            place = self._random.choice(list(value) if isinstance(value, dict) else range(len(value)))
            if self._random.random() < 0.1:
                del value[place]
            else:
                value[place] = self._broken(value[place])
            return value
        return copy.deepcopy(self._random.choice(self._known if self._random.random() < 0.4 else STRANGE))

    def _request(self) -> dict[str, Any]:
        name = self._method()
        taken = len(METHODS[name].arguments) if name in METHODS else 1
        count = taken if self._random.random() < 0.8 else self._random.randrange(taken + 3)
        params: Any = [self._argument(3) for _ in range(count)]
        if self._random.random() < 0.03:
            params = self._random.choice(STRANGE)
        return {"jsonrpc": "2.0", "id": self._random.randrange(1000), "method": name, "params": params}

    def _method(self) -> str:
        name = self._random.choice(self._methods)
        if self._random.random() < 0.02:
            return self._random.choice((name.upper(), name + "_", "eth_", "_", name[::-1], "rpc.discover", "a" * 5_000))
        return name

    def _argument(self, depth: int) -> Any:
        """A right value, a strange one, or an object of the members that methods know with such values in them."""
        draw = self._random.random()
        if draw < 0.45:
            return self._random.choice(self._known)
        if draw < 0.65 or depth == 0:
            return self._random.choice(STRANGE)
        if draw < 0.75:
            return [self._argument(depth - 1) for _ in range(self._random.randrange(5))]
        names = self._random.sample(MEMBERS, self._random.randrange(1, 7))
        return {name: self._argument(depth - 1) for name in names}

    def _broken_envelope(self) -> bytes:
        request = self._request()
        member = self._random.choice(("jsonrpc", "id", "method", "params"))
        if self._random.random() < 0.3:
            del request[member]
        else:
            request[member] = self._random.choice(STRANGE)
        return json.dumps(request).encode()

    def _broken_text(self) -> bytes:
        text = bytearray(json.dumps(self._request()).encode())
        draw = self._random.random()
        if draw < 0.3:
            return bytes(text[: self._random.randrange(len(text))])
        if draw < 0.6:
            for _ in range(3):
                text[self._random.randrange(len(text))] = self._random.randrange(256)
            return bytes(text)
        if draw < 0.8:
            depth = self._random.choice((10, 1_000, 100_000))
            return b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":' + b"[" * depth + b"]" * depth + b"}"
        return self._random.randbytes(self._random.randrange(200))

    def _batch(self) -> bytes:
        items: list[Any] = [self._request() for _ in range(self._random.randrange(6))]
        items += self._random.sample(STRANGE, self._random.randrange(3))
        self._random.shuffle(items)
        return json.dumps(items).encode()


MEMBERS = (
    "from",
    "to",
    "gas",
    "gasPrice",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "value",
    "data",
    "input",
    "nonce",
    "chainId",
    "type",
    "accessList",
    "address",
    "storageKeys",
    "authorizationList",
    "blobVersionedHashes",
    "maxFeePerBlobGas",
    "blobs",
    "fromBlock",
    "toBlock",
    "blockHash",
    "blockNumber",
    "requireCanonical",
    "topics",
    "balance",
    "code",
    "state",
    "stateDiff",
    "number",
    "time",
    "baseFeePerGas",
    "blockStateCalls",
    "calls",
    "validation",
    "traceTransfers",
    "stateOverrides",
    "blockOverrides",
    "tracer",
    "tracerConfig",
    "timeout",
    "abi",
    "storageLayout",
    "types",
    "domain",
    "message",
    "primaryType",
)
"""Of the objects that methods take."""
