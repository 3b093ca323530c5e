"""eth_subscribe("tandemBlocks"): asks the validators to tell of blocks while anyone listens, and nothing otherwise."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.storage import StoredBlock
from chain.messages.watching import BlockStages, WatchBlocks
from chain.types import Height, ValidatorIndex
from rpc.block_states import BlockStates, Executed, StateChange
from rpc.chain_view import ChainView
from rpc.news import HeadChange
from rpc.render import JsonObject, data_json
from rpc.tasks import Tasks

ASK_TIMEOUT_S = 5.0
"""How long a request is remembered. One that is paused has it in its socket and acts on it when it goes on."""

log = logging.getLogger("tandem.rpc")
Tell: TypeAlias = Callable[[Sequence[StateChange]], None]


class BlockWatch:
    """Follows the blocks from the first listener to the last one's leaving."""

    def __init__(
        self, chain: ChainView, validators: Mapping[ValidatorIndex, Link], stakes: Sequence[int], tasks: Tasks
    ) -> None:
        self._chain = chain
        self._validators = validators
        self._stakes = stakes
        self._tasks = tasks
        self._states: BlockStates | None = None
        self._tell: Tell = lambda changes: None
        self._reading: set[Height] = set()

    def begin(self, tell: Tell) -> None:
        """Someone listens. `tell` hears of every change from the blocks in flight on."""
        if self._states is None:
            self._states = BlockStates(self._stakes, self._chain.finalized_height, self._chain.expected_number)
            self._tell = tell
            for index in self._validators:
                self.joined(index)

    def end(self) -> None:
        """Nobody listens."""
        if self._states is not None:
            self._states = None
            self._reading.clear()
            for index in self._validators:
                self._ask(index, WatchBlocks(None))

    def so_far(self) -> Sequence[StateChange]:
        """What the blocks in flight have passed."""
        return () if self._states is None else self._states.so_far()

    def joined(self, index: ValidatorIndex) -> None:
        """A validator is (back) there, or begins to matter: it tells all since the newest block that is done."""
        if self._states is not None:
            self._ask(index, WatchBlocks(self._states.finished))

    def stages_told(self, index: ValidatorIndex, stages: BlockStages) -> None:
        states = self._states
        if states is not None:
            for reached in stages.reached:
                self._tell(states.told(index, reached))
            self._look_up_results(states)

    def height_executed(self, change: HeadChange) -> None:
        if change.head is not None:
            self._executed(change.news.height, change.head, change.news.blocks)

    def agreement_changed(self) -> None:
        """Of several executors that of one is no result yet: it is told when validators say that they agree on it."""
        if self._states is not None:
            self._look_up_results(self._states)

    def _executed(self, height: Height, block: StoredBlock, blocks: int) -> None:
        if self._states is not None and height <= self._chain.safe_height:
            header, now_ms = block.header, int(time.time() * 1000)
            facts = Executed(header.number, block.hash, len(block.hashes), header.gas_used, now_ms, blocks)
            self._tell(self._states.executed(height, facts))

    def _look_up_results(self, states: BlockStates) -> None:
        """Blocks that were executed before anyone listened, or before the executors agreed."""
        for height in states.missing():
            if height <= self._chain.safe_height and height not in self._reading:
                self._reading.add(height)
                self._tasks.start(self._read(height))

    async def _read(self, height: Height) -> None:
        block, blocks = (
            await self._chain.block(await self._chain.number_at(height)),
            await self._chain.blocks_at(height),
        )
        self._reading.discard(height)
        if block is not None:
            self._executed(height, block, blocks)

    def _ask(self, index: ValidatorIndex, request: WatchBlocks) -> None:
        """One that is away is asked when it joins."""
        link = self._validators[index]
        if link.connected:
            self._tasks.start(self._tell_validator(link, request))

    async def _tell_validator(self, link: Link, request: WatchBlocks) -> None:
        try:
            await link.request(request, ASK_TIMEOUT_S)
        except (RequestFailed, LinkClosed, TimeoutError) as error:
            log.debug("a validator does not say whether it tells of blocks: %s", str(error) or type(error).__name__)


def change_json(change: StateChange) -> JsonObject:
    """Plain numbers, as in all that only Tandem tells. Times in milliseconds."""
    told: JsonObject = {
        "number": change.number,
        "state": change.state,
        "proposal": data_json(change.proposal),
        "round": change.round,
        "leader": change.proposer,
        "timestamp": change.at_ms,
    }
    executed = change.executed
    if executed is not None:
        told["hash"] = data_json(executed.hash)
        told["transactions"] = executed.transactions
        told["gasUsed"] = executed.gas_used
        told["blocks"] = executed.blocks
        told["sinceProposedMs"] = change.at_ms - change.proposed_at_ms
    return told
