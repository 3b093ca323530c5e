"""anvil_dumpState and anvil_loadState: a state in anvil's form, taken away and merged into another chain's."""

import asyncio
import gzip
from collections.abc import Iterator, Sequence

from chain.accounts import AccountChange
from chain.anvil_state import BestBlock, NoAnvilState, accounts_in, best_block_in, unpacked
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.operations import LoadAccounts, SetAccount, SetNextBaseFee, SetNextPrevRandao, SetNextTimestamp
from chain.system_contracts import CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS
from rpc.anvil_content import AnvilContent, forked_at
from rpc.dev_blocks import mine
from rpc.dev_method import dev_method
from rpc.dev_state import MAX_CODE_BYTES, CodeTooLarge
from rpc.errors import InvalidParams, ServerError
from rpc.methods import Node, optional
from rpc.params import boolean, data
from rpc.render import data_json
from rpc.state_reader import READ_TIMEOUT_S

PAGE_BYTES = 1 << 20
MAX_STATE_BYTES = 32 << 20
"""Of JSON, before it is packed."""
OPERATION_BYTES = 256 * 1024
"""About so much goes into one operation; a code may come on top."""
OPERATION_ACCOUNTS = 1_000
MAX_BLOCKS_MADE = 10_000
"""To reach the number of a loaded state's block."""
ACCOUNT_BYTES, SLOT_BYTES = 100, 70
NEEDED = (WITHDRAWAL_REQUESTS.address, CONSOLIDATION_REQUESTS.address)
"""The contracts whose code cannot be another: they are merged first, so that what is refused leaves nothing behind."""


class StateTooLarge(ServerError):
    def __init__(self) -> None:
        super().__init__(
            f"the state takes more than {MAX_STATE_BYTES >> 20} MiB in this form: use tandem dump FILE and --load-state"
        )


class BadState(InvalidParams):
    """In anvil's words, and what is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Failed to decode state dump: {reason}")


@dev_method("anvil_dumpState", "hardhat_dumpState", takes=(optional(boolean),))
async def dump_state(node: Node, with_history: bool | None) -> str:
    """The newest state and the newest block's header. Older states and blocks are left out, whatever is asked for.

    Of a fork, as in anvil, what was read or changed here.
    """
    block = node.chain.head
    content = AnvilContent()
    after: bytes | None = None
    while after != b"":
        wanted = ReadStatePage(block.version, after or b"", PAGE_BYTES, of_what_is_here=node.genesis.forked is not None)
        page = await node.storage.request(wanted, READ_TIMEOUT_S)
        assert isinstance(page, StatePage)
        await asyncio.to_thread(content.add, page)
        if content.size > MAX_STATE_BYTES:
            raise StateTooLarge
        after = page.after
    dumped = await asyncio.to_thread(content.json, block.header, block.hash, forked_at(node.genesis))
    return data_json(await asyncio.to_thread(gzip.compress, dumped))


@dev_method("anvil_loadState", "hardhat_loadState", takes=(data,))
async def load_state(node: Node, packed: bytes) -> bool:
    """Merges the accounts of a state into this one's, after a block with the number and environment of its newest one.

    The transactions, blocks and older states that anvil puts beside them are not taken.
    """
    changes, best = await asyncio.to_thread(_loaded, packed)
    await _merge(node, [change for change in changes if change.address in NEEDED])
    await _reach(node, best)
    await _merge(node, changes)
    return True


async def _merge(node: Node, changes: Sequence[AccountChange]) -> None:
    for part in parts_of(changes):
        await node.operator.execute(LoadAccounts(part))


async def _reach(node: Node, best: BestBlock) -> None:
    """Make blocks up to that number, the last as the state has it; none where the chain is there already.

    Time does not go back, and a state whose block is further ahead than MAX_BLOCKS_MADE leaves number and time alone.
    """
    missing = best.number - node.chain.number
    if not 0 < missing <= MAX_BLOCKS_MADE:
        return
    await mine(node, missing - 1, None)
    if best.timestamp is not None and best.timestamp > node.chain.head.header.timestamp:
        await node.operator.execute(SetNextTimestamp(best.timestamp))
    if best.base_fee is not None:
        await node.operator.execute(SetNextBaseFee(best.base_fee))
    if best.prev_randao is not None:
        await node.operator.execute(SetNextPrevRandao(best.prev_randao))
    await mine(node, 1, None)


def _loaded(packed: bytes) -> tuple[list[AccountChange], BestBlock]:
    """Each account once, and the newest block.

    Raises BadState and CodeTooLarge.
    """
    try:
        content = unpacked(packed, MAX_STATE_BYTES)
        changes, best = accounts_in(content), best_block_in(content)
    except NoAnvilState as error:
        raise BadState(str(error)) from None
    for change in changes:
        if len(change.code or b"") > MAX_CODE_BYTES:
            raise CodeTooLarge(len(change.code or b""))
    return list({change.address: change for change in changes}.values()), best


def parts_of(changes: Sequence[AccountChange]) -> Iterator[tuple[SetAccount, ...]]:
    """As few operations as hold them all. An account with very many slots goes into several."""
    part: list[SetAccount] = []
    size = 0
    for change in changes:
        code: bytes | None = change.code or b""
        slots = tuple(change.slots.items())
        while True:
            fixed = ACCOUNT_BYTES + len(code or b"")
            if part and (size + fixed > OPERATION_BYTES or len(part) == OPERATION_ACCOUNTS):
                yield tuple(part)
                part, size = [], 0
            room = max((OPERATION_BYTES - size - fixed) // SLOT_BYTES, 1)
            taken, slots = slots[:room], slots[room:]
            account = change.account
            part.append(SetAccount(change.address, account.balance, nonce=account.nonce, code=code, slots=taken))
            size += fixed + SLOT_BYTES * len(taken)
            if not slots:
                break
            yield tuple(part)
            part, size, code = [], 0, None
    if part:
        yield tuple(part)
