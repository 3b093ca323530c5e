"""Puts faults on the network between the validators: keeps what is in force, and tells every validator.

The truth is in a file, written before anyone is told; each validator reads it when it starts, and is told again
whenever it connects. So nothing heals because a process started again.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.faults import SetNetworkFaults
from chain.network_faults import NetworkFaults
from chain.types import ValidatorIndex
from rpc.errors import ServerError
from rpc.tasks import Tasks

TELL_TIMEOUT_S = 1.0
"""How long a change waits for the validators. One that is paused or away hears of it when it is back."""

log = logging.getLogger("tandem.rpc")


class FaultsStore(Protocol):
    """Where what is in force outlives this process."""

    def read(self) -> SetNetworkFaults: ...

    def write(self, faults: SetNetworkFaults) -> None:
        """All or nothing. Raises OSError."""
        ...


class NetworkControl:
    """The network's faults as rpc knows them. Made inside a running event loop."""

    def __init__(self, validators: Mapping[ValidatorIndex, Link], store: FaultsStore) -> None:
        self._validators = validators
        self._store = store
        self._in_force = store.read()
        self._told: dict[ValidatorIndex, int] = {}
        self._telling: dict[ValidatorIndex, asyncio.Event] = {}
        self._tasks = Tasks()

    @property
    def faults(self) -> NetworkFaults:
        return self._in_force.faults

    @property
    def not_told(self) -> list[ValidatorIndex]:
        """The validators that do not know yet what is in force."""
        return [index for index in self._validators if self._told.get(index) != self._in_force.revision]

    async def change(self, faults: NetworkFaults) -> None:
        """Has these in force in place of those before, once every validator that is there has said so.

        Raises ServerError if that cannot be kept.
        """
        changed = SetNetworkFaults(self._in_force.revision + 1, faults)
        try:
            self._store.write(changed)
        except OSError as error:
            raise ServerError(f"cannot keep the network faults: {error}") from error
        self._in_force = changed
        log.warning("ON REQUEST the network between the validators: %s", _described(faults))
        answers = [self._tell(index) for index, link in self._validators.items() if link.connected]
        try:
            async with asyncio.timeout(TELL_TIMEOUT_S):
                await asyncio.gather(*(answer.wait() for answer in answers))
        except TimeoutError:
            log.info("validators not told of the network faults yet: %s", self.not_told)

    def validator_joined(self, index: ValidatorIndex) -> None:
        """A validator is (back) there."""
        self._told.pop(index, None)
        self._tell(index)

    async def close(self) -> None:
        await self._tasks.close()

    def _tell(self, index: ValidatorIndex) -> asyncio.Event:
        """Set once the validator knows what is in force, or cannot be told now. One request to each is under way."""
        if index not in self._telling:
            self._telling[index] = asyncio.Event()
            self._tasks.start(self._tell_until_known(index))
        return self._telling[index]

    async def _tell_until_known(self, index: ValidatorIndex) -> None:
        try:
            while self._told.get(index) != self._in_force.revision:
                telling = self._in_force
                await self._validators[index].request(telling)
                self._told[index] = telling.revision
        except (RequestFailed, LinkClosed) as error:
            log.info("validator %d was not told of the network faults: %s", index, error)
        finally:
            self._telling.pop(index).set()


def _described(faults: NetworkFaults) -> str:
    parts = [",".join(map(str, group)) for group in faults.groups]
    said = [f"partition {(' > ' if faults.one_way else ' / ').join(parts)}"] if parts else []
    said += [f"{index} delayed by {delay_ms}ms" for index, delay_ms in sorted(faults.delays_ms.items())]
    said += [f"{index} loses {percent:g}%" for index, percent in sorted(faults.drops_percent.items())]
    return "; ".join(said) or "whole"
