"""The inbox is fair between peers and bounded for each, whatever one of them sends."""

from chain.messages.mempool import Admit
from chain.types import Height, ValidatorIndex
from consensus.events import PayloadChanged, Started
from consensus.inbox import (
    MAX_OWN,
    SHARE_BYTES,
    SHARE_MESSAGES,
    TURN_BYTES,
    TURN_MESSAGES,
    TURN_TRANSACTIONS,
    Inbox,
)
from consensus.replica import AdmitReceived
from tests.consensus.builders import transfer

FLOODER, HONEST, OTHER = (ValidatorIndex(i) for i in (1, 2, 3))


def inbox() -> Inbox:
    return Inbox((FLOODER, HONEST, OTHER))


def test_an_honest_message_behind_a_flood_is_handled_in_the_next_turn() -> None:
    box = inbox()
    for i in range(50_000):
        box.put_message(FLOODER, b"%d" % i)
    box.put_message(HONEST, b"vote")
    _, messages = box.take()
    assert (HONEST, b"vote") in messages
    assert len(messages) == TURN_MESSAGES + 1


def test_a_flood_fills_its_own_share_and_pushes_out_its_own_oldest() -> None:
    box = inbox()
    box.put_message(HONEST, b"vote")
    dropped = sum(box.put_message(FLOODER, b"%d" % i) for i in range(SHARE_MESSAGES + 500))
    assert dropped == 500
    _, messages = box.take()
    assert messages[0] == (FLOODER, b"500")
    assert messages[-1] == (HONEST, b"vote")


def test_the_memory_of_a_share_is_bounded_in_bytes() -> None:
    box = inbox()
    dropped = sum(box.put_message(FLOODER, bytes(SHARE_BYTES // 4)) for _ in range(100))
    assert dropped == 96
    assert box.peer_bytes == SHARE_BYTES
    box.put_message(FLOODER, bytes(SHARE_BYTES))
    assert box.peer_bytes == SHARE_BYTES, "one of the largest size fits, alone"


def test_one_turn_takes_at_least_one_message_of_each_peer_and_not_many_large_ones() -> None:
    box = inbox()
    for _ in range(3):
        box.put_message(FLOODER, bytes(2 * TURN_BYTES))
    for _ in range(5):
        box.put_message(OTHER, bytes(TURN_BYTES // 2))
    _, messages = box.take()
    assert [peer for peer, _ in messages] == [FLOODER, OTHER, OTHER]


def test_own_business_and_messages_do_not_starve_each_other() -> None:
    box = inbox()
    for _ in range(MAX_OWN + 10):
        box.put(PayloadChanged())
    box.put(Started())
    for i in range(1_000):
        box.put_message(FLOODER, b"%d" % i)
    own, messages = box.take()
    assert (len(own), len(messages)) == (MAX_OWN, TURN_MESSAGES)
    own, _ = box.take()
    assert own[-1] == Started()


def test_a_turn_takes_no_more_admissions_once_it_has_many_transactions() -> None:
    box = inbox()
    half = Admit((transfer(0, 0),) * (TURN_TRANSACTIONS // 2), (), Height(0))
    for ticket in range(5):
        box.put(AdmitReceived(half, ticket))
    box.put(Started())
    turns = [box.take()[0] for _ in range(3)]
    assert [len(turn) for turn in turns] == [2, 2, 2]
    assert turns[2][1] == Started()
    assert not box


def test_messages_of_one_peer_stay_in_their_order_until_all_are_handled() -> None:
    box, handled = inbox(), []
    for i in range(100):
        box.put_message(HONEST, b"%d" % i)
        box.put_message(OTHER, b"x")
    while box:
        handled += [payload for peer, payload in box.take()[1] if peer == HONEST]
    assert handled == [b"%d" % i for i in range(100)]
    assert box.peer_bytes == 0
