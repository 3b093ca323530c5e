"""tandem_dumpState: the whole state after a block, a page at a time, for `tandem dump`."""

from chain.codec import encode_message
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.state_head import EARLIER_HEADERS, StateHead, head_json
from chain.types import BlockNumber
from rpc.anvil_content import ForkedAt, forked_at
from rpc.errors import InvalidParams
from rpc.methods import Node, method, optional
from rpc.params import BlockReference, BlockTag, block_reference, data
from rpc.render import JsonObject, data_json
from rpc.state_reader import READ_TIMEOUT_S

PAGE_BYTES = 1 << 20
CURSOR_BYTES = (0, 20, 52)
"""Nothing, an address, or an address and a slot."""


@method("tandem_dumpState", optional(block_reference, BlockTag.LATEST), optional(data, b""))
async def dump_state(node: Node, reference: BlockReference, after: bytes) -> JsonObject:
    """The page behind `after`, as a StatePage in chain.codec's encoding; the first one says which state it is.

    Of a fork it is what was read or changed there, and the first page says where it was forked.
    Whoever asks for the next page names the block by the hash that the first one gave, since `latest` moves on.
    """
    if len(after) not in CURSOR_BYTES:
        raise InvalidParams("the second argument is what the page before gave as `after`")
    forked = forked_at(node.genesis)
    block = await node.chain.existing_block(reference)
    if forked is not None and block.header.number < forked[0]:
        raise InvalidParams(f"this is a fork of block {forked[0]}: states of blocks before it are the remote chain's")
    wanted = ReadStatePage(block.version, after, PAGE_BYTES, of_what_is_here=forked is not None)
    page = await node.storage.request(wanted, READ_TIMEOUT_S)
    assert isinstance(page, StatePage)
    answer: JsonObject = {"page": data_json(encode_message(page)), "after": data_json(page.after)}
    if not after:
        head = StateHead(node.genesis.chain_id, node.genesis.forks, block.header, page.root)
        answer |= {"head": head_json(head), "headers": await _headers_before(node, block.header.number, forked)}
    if forked is not None:
        answer["forked"] = {"number": forked[0], "hash": data_json(forked[1])}
    return answer


async def _headers_before(node: Node, number: BlockNumber, forked: ForkedAt | None) -> list[str]:
    """Those that BLOCKHASH can see, encoded; none of a fork, which goes on from the remote's again."""
    if number == 0 or forked is not None:
        return []
    first = BlockNumber(max(0, number - EARLIER_HEADERS))
    return [data_json(header.encode()) for header in await node.chain.headers(first, BlockNumber(number - 1))]
