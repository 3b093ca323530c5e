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
    await asyncio.wait_for(all_sent.wait(), 60)
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
    await asyncio.wait_for(asyncio.gather(*answers), 60)
    running.cancel()
    await asyncio.wait([running])


async def test_news_does_not_overtake_the_answer_that_names_its_subscription() -> None:
    sent: list[str] = []
    gate, all_sent = asyncio.Event(), asyncio.Event()

    async def send(message: Message) -> None:
        await gate.wait()
        sent.append(message["text"][:4])
        if len(sent) == 7:
            all_sent.set()

    client = WebSocketClient(send)
    running = asyncio.create_task(client.run())
    for _ in range(4):
        await client.answer(ANSWER)
    subscribed = asyncio.create_task(client.answer(b"your subscription"))
    await asyncio.sleep(0)
    assert not subscribed.done(), "it waits for room"
    assert client.push(b"news 1")
    assert client.push(b"news 2")
    gate.set()
    await asyncio.wait_for(all_sent.wait(), 60)
    assert sent[4:] == ["your", "news", "news"]
    client.close()
    await running


async def test_news_behind_an_answer_that_waits_is_bounded() -> None:
    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    client = WebSocketClient(send)
    running = asyncio.create_task(client.run())
    answers = [asyncio.create_task(client.answer(ANSWER)) for _ in range(6)]
    await asyncio.sleep(0)
    pushed = 0
    while client.push(ANSWER):
        pushed += 1
        assert pushed < 8, "memory is not bounded"
    assert client.overflowed.is_set()
    await asyncio.wait_for(asyncio.gather(*answers), 60)
    running.cancel()
    await asyncio.wait([running])
