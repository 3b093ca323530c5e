"""What a fork needs to know of the remote before it begins: is it there, which block, and what stands in the way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from chain.system_contracts import SYSTEM_CONTRACTS
from chain.types import Address
from node.errors import BadSetting, NodeError
from node.remote.base import ForkPoint, RemoteBase
from node.remote.blocks import header_of
from node.remote.chain import LACKS_STATE
from node.remote.client import Answer, Call, CallError, JsonRpcClient
from node.remote.parsing import MAX_CODE_BYTES, NotWhatWasAsked, data, hash32, quantity
from storage.remote import OtherRemote, RemoteError, RemoteLacksState, RemoteNonsense, RemoteUnavailable

START_BUDGET_S = 15.0
SILENT_S = 2.0
"""After that whoever waits is told why."""
T = TypeVar("T")
log = logging.getLogger("tandem.remote")


class BadRemote(NodeError):
    """The remote cannot be forked."""


def examine(url: str, number: int | None, accounts: Sequence[Address]) -> RemoteBase:
    """Look at the block with this number, or at the newest one. Raises BadRemote, BadSetting."""
    return _asked(url, lambda client: _base(client, number, accounts))


def see_that_it_is(url: str, point: ForkPoint) -> None:
    """That the URL leads to the chain that was forked. Raises BadRemote."""
    _asked(url, lambda client: _check(client, point))


def _asked(url: str, ask: Callable[[JsonRpcClient], Awaitable[T]]) -> T:
    async def work() -> T:
        client = JsonRpcClient(url, awaits_connection=False)
        waiting = "the remote chain at %s has not answered for %d s: waiting up to %d s"
        silent = asyncio.get_running_loop().call_later(
            SILENT_S, log.warning, waiting, client.shown, SILENT_S, START_BUDGET_S
        )
        try:
            return await ask(client)
        except NotWhatWasAsked as error:
            raise RemoteNonsense(client.shown, str(error)) from error
        finally:
            silent.cancel()
            await client.close()

    try:
        return asyncio.run(work())
    except RemoteError as error:
        raise BadRemote(str(error)) from error


async def _base(client: JsonRpcClient, number: int | None, accounts: Sequence[Address]) -> RemoteBase:
    wanted = "latest" if number is None else hex(number)
    calls = [Call("eth_chainId", []), Call("eth_blockNumber", []), Call("eth_getBlockByNumber", [wanted, False])]
    chain_id, newest, block = await _results(client, calls, number)
    if block is None:
        raise BadSetting(
            f"--fork-block {number} is beyond the newest block of the remote chain at {client.shown}, "
            f"{quantity(newest, 'the newest block')}: give that or an older one, or leave --fork-block out"
        )
    header, block_hash = header_of(block)
    if number is not None and header.number != number:
        raise RemoteNonsense(client.shown, f"block {header.number} for block {number}")
    point, nonces, contracts = await _state(client, ForkPoint(header.number, block_hash, by_hash=True), accounts)
    return RemoteBase(quantity(chain_id, "the chain id", 53), point, header, nonces, contracts)


async def _state(
    client: JsonRpcClient, point: ForkPoint, accounts: Sequence[Address]
) -> tuple[ForkPoint, dict[Address, int], frozenset[Address]]:
    """Whether state can be read by hash (EIP-1898), which the first call tries, and what the fork changes of it."""
    block = hex(point.number)
    calls = [Call("eth_getTransactionCount", ["0x" + address.hex(), block]) for address in accounts]
    calls += [Call("eth_getCode", ["0x" + contract.address.hex(), block]) for contract in SYSTEM_CONTRACTS]
    by_hash = Call("eth_getCode", ["0x" + SYSTEM_CONTRACTS[0].address.hex(), point.parameter])
    tried, *answers = await client.call([by_hash, *calls], START_BUDGET_S)
    found = [_result(client, answer, point.number) for answer in answers]
    nonces = {address: quantity(nonce, "a nonce", 64) for address, nonce in zip(accounts, found, strict=False)}
    codes = [data(code, "a code", MAX_CODE_BYTES) for code in found[len(accounts) :]]
    there = frozenset(contract.address for contract, code in zip(SYSTEM_CONTRACTS, codes, strict=True) if code)
    same = isinstance(tried, str) and tried == found[len(accounts)]
    return ForkPoint(point.number, point.hash, by_hash=same), nonces, there


async def _check(client: JsonRpcClient, point: ForkPoint) -> None:
    (block,) = await _results(client, [Call("eth_getBlockByNumber", [hex(point.number), False])], point.number)
    if not isinstance(block, dict):
        raise OtherRemote(client.shown, point.number, point.hash, "not there")
    found = hash32(block.get("hash"), "the hash of a block")
    if found != point.hash:
        raise OtherRemote(client.shown, point.number, point.hash, "0x" + found.hex())


async def _results(client: JsonRpcClient, calls: Sequence[Call], number: int | None) -> list[Any]:
    return [_result(client, answer, number) for answer in await client.call(calls, START_BUDGET_S)]


def _result(client: JsonRpcClient, answer: Answer, number: int | None) -> Any:
    if isinstance(answer, CallError):
        if number is not None and LACKS_STATE.search(answer.message):
            raise RemoteLacksState(client.shown, number, answer.message)
        raise RemoteUnavailable(client.shown, f"answers: {answer.message}")
    return answer
