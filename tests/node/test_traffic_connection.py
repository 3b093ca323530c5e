"""What `tandem traffic` hears when its connection breaks."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from node.running_chain import ChainEnded
from node.traffic.connection import Connection


class Breaking:
    """A socket that is full: what is sent waits until the other end is gone."""

    def __init__(self) -> None:
        self.broken = asyncio.Event()

    async def send(self, _: str) -> None:
        await self.broken.wait()
        raise ConnectionClosedError(None, None)

    async def __aiter__(self) -> AsyncIterator[str]:
        if not self.broken.is_set():
            raise ConnectionClosedError(None, None)
        yield ""


async def test_a_request_that_is_still_being_sent_when_the_chain_ends_leaves_nothing_to_complain_of() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    socket = Breaking()
    connection = Connection(socket, "http://127.0.0.1:8545")
    asking = asyncio.gather(connection.ask("eth_blockNumber"), return_exceptions=True)
    await asyncio.sleep(0)
    with pytest.raises(ChainEnded):
        await connection.read()
    socket.broken.set()
    assert [type(answer) for answer in await asking] == [ChainEnded]
    del asking
    await asyncio.sleep(0)  # the loop lets go of the callbacks
    gc.collect()
    assert not complaints
