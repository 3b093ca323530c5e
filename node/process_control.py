"""The supervisor's socket in the chain's private folder: rpc asks there to kill, pause, resume or restart a process,
says which executors are wrong, and when another chain is to take this one's place.

One request and its answer a connection, each one packet.
"""

import selectors
import socket
from collections.abc import Callable
from typing import TypeAlias

from chain.codec import MessageError, decode_message, encode_message
from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ControlProcess, GivePlace
from chain.messages.link import Done, Failed
from node.errors import NodeError

Control: TypeAlias = ControlProcess | ExecutorsVerdict | GivePlace
MESSAGE_BYTES = 4096
WAITING_CONNECTIONS = 16


class ControlRefused(NodeError):
    """What was asked does not fit the state that things are in."""


class ControlSocket:
    """The supervisor's end: hands each request to `control`, which carries it out or raises ControlRefused."""

    def __init__(self, path: str, selector: selectors.BaseSelector, control: Callable[[Control], None]) -> None:
        self._selector = selector
        self._control = control
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(path)
        self._listening.listen(WAITING_CONNECTIONS)
        self._listening.setblocking(False)
        selector.register(self._listening, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Take no more requests."""
        self._selector.unregister(self._listening)
        self._listening.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            asking, _ = listening.accept()
        except OSError:  # it has gone away again
            return
        asking.setblocking(False)
        self._selector.register(asking, selectors.EVENT_READ, self._answer)

    def _answer(self, asking: socket.socket) -> None:
        self._selector.unregister(asking)
        with asking:
            try:
                asking.send(encode_message(self._carry_out(asking.recv(MESSAGE_BYTES))))
            except OSError:  # nobody waits for the answer any more
                return

    def _carry_out(self, request: bytes) -> Done | Failed:
        try:
            asked = decode_message(request)
            assert isinstance(asked, Control)
            self._control(asked)
        except (ControlRefused, MessageError) as error:
            return Failed(type(error).__name__, str(error))
        return Done()
