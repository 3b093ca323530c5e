"""debug_storageRangeAt, which Remix's debugger asks, and debug_getModifiedAccounts*: what lies in an account, and which
accounts blocks have changed."""

from chain.keccak import keccak256
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import StoredBlock
from chain.messages.traces import TransactionTrace
from chain.records import AccessKind
from chain.types import Address, BlockNumber, Hash32, Version
from rpc.call_traces import count
from rpc.debug_traces import existing_block
from rpc.errors import LimitExceeded, ServerError
from rpc.methods import Node, method, optional
from rpc.params import BlockReference, address, block_reference, data, hash32
from rpc.render import JsonObject, data_json, word_json
from rpc.state_reader import READ_TIMEOUT_S

MAX_SLOTS = 65_536
"""Of a contract whose storage is listed: they are sorted by their hashes, as in the trie."""
MAX_RESULTS = 1_024
MAX_BLOCKS = 256
"""Of one debug_getModifiedAccounts*: each is run again."""
PAGE_BYTES = 1 << 20


@method("debug_storageRangeAt", block_reference, count, address, data, count)
async def storage_range(
    node: Node, reference: BlockReference, transactions: int, contract: Address, start: bytes, most: int
) -> JsonObject:
    """Slots in the order of their hashes, as they are after so many transactions of the block."""
    block = await existing_block(node, reference)
    slots = await _slots_within(node, block, transactions, contract)
    ordered = sorted((keccak256(slot.to_bytes(32, "big")), slot, value) for slot, value in slots.items())
    found = [entry for entry in ordered if entry[0] >= start]
    shown = found[: min(most, MAX_RESULTS)]
    storage = {data_json(key): {"key": word_json(slot), "value": word_json(value)} for key, slot, value in shown}
    following = found[len(shown) :]
    return {"storage": storage, "nextKey": data_json(following[0][0]) if following else None}


async def _slots_within(node: Node, block: StoredBlock, transactions: int, contract: Address) -> dict[int, int]:
    if transactions > len(block.transactions):
        raise ServerError(f"transaction index {transactions} out of range for block {data_json(block.hash)}")
    if block.header.number == 0:
        return await slots_of(node, block.version, contract)
    slots = await slots_of(node, await node.chain.version_before(block), contract)
    trace = await node.traces.of(block)
    for part in (trace.start, *trace.transactions[:transactions]):
        slots |= {write.slot: write.value for write in part.writes if _is_slot_of(contract, write.kind, write.address)}
    return {slot: value for slot, value in slots.items() if value}


def _is_slot_of(contract: Address, kind: AccessKind, of: Address) -> bool:
    return kind is AccessKind.SLOT and of == contract


async def slots_of(node: Node, version: Version, contract: Address) -> dict[int, int]:
    """All there are. Raises LimitExceeded, and ServerError on a fork, where most of them are the remote's."""
    if node.genesis.forked is not None:
        raise ServerError("on a fork the slots of a contract cannot be listed: most are on the remote chain")
    slots: dict[int, int] = {}
    after: bytes | None = None
    while after != b"":
        page = await node.storage.request(ReadStatePage(version, after or b"", PAGE_BYTES, of=contract), READ_TIMEOUT_S)
        assert isinstance(page, StatePage)
        slots |= {slot: value for part in page.accounts for slot, value in part.slots}
        if len(slots) > MAX_SLOTS:
            raise LimitExceeded(f"the contract 0x{contract.hex()} has more than {MAX_SLOTS} slots: use tandem dump")
        after = page.after
    return slots


@method("debug_getModifiedAccountsByNumber", count, optional(count))
async def modified_by_number(node: Node, first: int, last: int | None) -> list[str]:
    """Those that the block has changed; or with two, that blocks after the first one up to the second have."""
    return await _modified(node, *(BlockNumber(n) for n in ((first,) if last is None else (first, last))))


@method("debug_getModifiedAccountsByHash", hash32, optional(hash32))
async def modified_by_hash(node: Node, first: Hash32, last: Hash32 | None) -> list[str]:
    blocks = [await existing_block(node, each) for each in (first, last) if each is not None]
    return await _modified(node, *(block.header.number for block in blocks))


async def _modified(node: Node, first: BlockNumber, last: BlockNumber | None = None) -> list[str]:
    start, end = (first - 1, first) if last is None else (first, last)
    if start < 0:
        raise ServerError(f"block {first:x} has no parent")
    if start >= end:
        raise ServerError(f"start block height ({start}) must be less than end block height ({end})")
    if end - start > MAX_BLOCKS:
        raise LimitExceeded(f"the range has more than {MAX_BLOCKS} blocks")
    changed: set[Address] = set()
    for number in range(start + 1, end + 1):
        trace = await node.traces.of(await existing_block(node, BlockNumber(number)))
        changed |= {of for part in (trace.start, *trace.transactions, trace.end) for of in _written(part)}
    return [data_json(account) for account in sorted(changed)]


def _written(part: TransactionTrace) -> set[Address]:
    return {write.address for write in part.writes}
