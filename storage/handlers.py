"""What answers a message, by the message's class."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from chain.messages import Message

Handlers: TypeAlias = dict[type, Callable[[Any], Awaitable[Message]]]
