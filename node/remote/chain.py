"""The remote chain of a fork as storage reads it (implements storage.remote.RemoteChain)."""

import re
from collections.abc import Sequence

import orjson

from chain.types import Address, BlockNumber, Hash32, Wei
from node.remote.base import ForkPoint
from node.remote.client import Answer, Call, CallError, JsonRpcClient
from node.remote.parsing import MAX_CODE_BYTES, NotWhatWasAsked, data, hash32, quantity
from storage.remote import (
    OtherRemote,
    RemoteAccount,
    RemoteLacksState,
    RemoteNonsense,
    RemoteRefusal,
    RemoteUnavailable,
    RemoteValues,
    Slot,
)

READ_BUDGET_S = 8.0
"""Less than a read waits for storage (rpc.state_reader.READ_TIMEOUT_S), so that whoever waits hears the reason."""
FORWARD_BUDGET_S = 25.0
MEMBERS_OF_ACCOUNT = ("eth_getTransactionCount", "eth_getBalance", "eth_getCode")
LACKS_STATE = re.compile(
    r"missing trie node|state .*not available|historical state|pruned|archive|state is not available|"
    r"header not found|unknown block|block not found|state histor|resource not found|BlockOutOfRange",
    re.IGNORECASE,
)
"""What geth, Nethermind, Besu, Erigon, reth and anvil say when they do not have the state of a block (any more)."""


class HttpRemote:
    """Reads at one block of one remote. Without `by_hash` the first read after a failure also sees that the block is
    still the one that was forked.
    """

    def __init__(self, client: JsonRpcClient, point: ForkPoint) -> None:
        self._client = client
        self._point = point
        self._known_to_be_it = point.by_hash

    async def state(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...]) -> RemoteValues:
        block = self._point.parameter
        calls = [Call(method, ["0x" + address.hex(), block]) for address in accounts for method in MEMBERS_OF_ACCOUNT]
        calls += [Call("eth_getStorageAt", ["0x" + address.hex(), f"0x{slot:064x}", block]) for address, slot in slots]
        answers = await self._checked(calls)
        try:
            found = tuple([_account(answers[3 * at : 3 * at + 3]) for at in range(len(accounts))])
            values = tuple([quantity(answer, "the value of a slot") for answer in answers[3 * len(accounts) :]])
        except NotWhatWasAsked as error:
            raise RemoteNonsense(self._client.shown, str(error)) from error
        return RemoteValues(found, values)

    async def hashes(self, numbers: tuple[BlockNumber, ...]) -> tuple[Hash32, ...]:
        answers = await self._checked([Call("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return tuple([self._hash_in(answer, number) for number, answer in zip(numbers, answers, strict=True)])

    async def forward(self, method: str, params: bytes) -> bytes | RemoteRefusal:
        (answer,) = await self._answers([Call(method, orjson.loads(params))], FORWARD_BUDGET_S)
        if isinstance(answer, CallError):
            extra = None if answer.data is None else orjson.dumps(answer.data)
            return RemoteRefusal(answer.code, answer.message, extra)
        return orjson.dumps(answer)

    def counters(self) -> dict[str, int]:
        return {"remote_requests": self._client.requests, "remote_calls": sum(self._client.calls.values())}

    async def close(self) -> None:
        await self._client.close()

    async def _checked(self, calls: Sequence[Call]) -> list[Answer]:
        """The results of reads; an error of one of them is raised."""
        answers = await self._answers(calls, READ_BUDGET_S)
        for answer in answers:
            if isinstance(answer, CallError):
                if LACKS_STATE.search(answer.message):
                    raise RemoteLacksState(self._client.shown, self._point.number, answer.message)
                raise RemoteUnavailable(self._client.shown, f"answers: {answer.message}")
        return answers

    async def _answers(self, calls: Sequence[Call], budget_s: float) -> list[Answer]:
        """The answers, of the chain that was forked. Raises OtherRemote."""
        if self._known_to_be_it:
            return await self._call(calls, budget_s)
        number = self._point.number
        block, *answers = await self._call([Call("eth_getBlockByNumber", [hex(number), False]), *calls], budget_s)
        found = self._hash_in(block, number)
        if found != self._point.hash:
            raise OtherRemote(self._client.shown, number, self._point.hash, "0x" + found.hex())
        self._known_to_be_it = True
        return answers

    async def _call(self, calls: Sequence[Call], budget_s: float) -> list[Answer]:
        try:
            return await self._client.call(calls, budget_s)
        except RemoteUnavailable:
            self._known_to_be_it = self._point.by_hash
            raise

    def _hash_in(self, block: Answer, number: int) -> Hash32:
        if isinstance(block, CallError):
            raise RemoteUnavailable(self._client.shown, f"answers: {block.message}")
        if block is None:
            raise OtherRemote(self._client.shown, self._point.number, self._point.hash, "not there")
        try:
            if quantity(block.get("number"), "the number of a block") != number:
                raise RemoteNonsense(self._client.shown, f"block {block['number']} for block {hex(number)}")
            return hash32(block.get("hash"), "the hash of a block")
        except (NotWhatWasAsked, AttributeError) as error:
            raise RemoteNonsense(self._client.shown, str(error)) from error


def _account(members: Sequence[Answer]) -> RemoteAccount:
    """Raises NotWhatWasAsked."""
    nonce, balance, code = members
    return RemoteAccount(
        quantity(nonce, "a nonce", bits=64),
        Wei(quantity(balance, "a balance")),
        data(code, "a code", MAX_CODE_BYTES),
    )
