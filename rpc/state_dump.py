"""tandem_dumpState: the whole state after a block, a page at a time, for `tandem dump`."""

from chain.codec import encode_message
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.state_head import EARLIER_HEADERS, StateHead, head_json
from chain.types import BlockNumber
from rpc.errors import InvalidParams, ServerError
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

    Whoever asks for the next page names the block by the hash that the first one gave, since `latest` moves on.
    """
    if len(after) not in CURSOR_BYTES:
        raise InvalidParams("the second argument is what the page before gave as `after`")
    if node.genesis.forked is not None:
        raise ServerError("the state of a fork cannot be dumped: most of it is on the remote chain only")
    block = await node.chain.existing_block(reference)
    page = await node.storage.request(ReadStatePage(block.version, after, PAGE_BYTES), READ_TIMEOUT_S)
    assert isinstance(page, StatePage)
    answer: JsonObject = {"page": data_json(encode_message(page)), "after": data_json(page.after)}
    if not after:
        number = block.header.number
        first = BlockNumber(max(0, number - EARLIER_HEADERS))
        headers = await node.chain.headers(first, BlockNumber(number - 1)) if number else ()
        answer["head"] = head_json(StateHead(node.genesis.chain_id, node.genesis.forks, block.header, page.root))
        answer["headers"] = [data_json(header.encode()) for header in headers]
    return answer
