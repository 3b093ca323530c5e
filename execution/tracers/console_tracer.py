"""What a run logs by console.log, and which contract logs it. Not one of geth's: tandem_getConsoleLogs asks for it."""

from typing import Any

import orjson

from chain.addresses import checksummed
from chain.console_log import CONSOLE_ADDRESS, SELECTOR_BYTES, console_text
from execution.evm.stepping import Entered
from execution.tracers.tracer import Options, Tracer

MESSAGE_BYTES = 100
"""What a message takes in JSON besides its text."""


class ConsoleTracer(Tracer):
    """All of them, in order; a call that is undone has logged all the same."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._messages: list[dict[str, Any]] = []

    def enter(self, entered: Entered) -> None:
        if entered.to != CONSOLE_ADDRESS or len(entered.data) < SELECTOR_BYTES:
            return
        text = console_text(entered.data)
        self.grow(MESSAGE_BYTES + len(text))
        self._messages.append({"address": checksummed(entered.sender), "message": text})

    def result(self) -> bytes:
        return orjson.dumps(self._messages)
