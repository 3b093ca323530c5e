"""A client that reads is never cut off for what it asked for itself, however much that is."""

import asyncio

from starlette.types import Message

from rpc.websocket import MAX_QUEUED_BYTES, WebSocketClient

ANSWER = b"x" * (MAX_QUEUED_BYTES // 8)


async def test_answers_wait_for_the_client_to_read() -> None:
    sent: list[int] = []
    gate, all_sent = asyncio.Event(), asyncio.Event()

    async def send(message: Message) -> None:
        await gate.wait()
        sent.append(len(message["text"]))
        if len(sent) == 64:
            all_sent.set()

    client = WebSocketClient(send)
    running = asyncio.create_task(client.run())
    answers = [asyncio.create_task(client.answer(ANSWER)) for _ in range(64)]
    await asyncio.sleep(0)
    assert not all(answer.done() for answer in answers), "memory is bounded"
    gate.set()
    await asyncio.gather(*answers)
    await asyncio.wait_for(all_sent.wait(), 5)
    assert not client.overflowed.is_set()
    client.close()
    await running


async def test_answers_end_with_the_connection() -> None:
    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    client = WebSocketClient(send)
    running = asyncio.create_task(client.run())
    answers = [asyncio.create_task(client.answer(ANSWER)) for _ in range(64)]
    await asyncio.sleep(0)
    client.close()
    await asyncio.wait_for(asyncio.gather(*answers), 5)
    running.cancel()
    await asyncio.wait([running])
