"""debug_codeByHash, debug_dbGet and debug_preimage: what a hash stands for, as far as it is known here."""

from typing import Any

from chain.accounts import WITHOUT_CODE
from chain.links import RequestFailed
from chain.messages.storage import ReadState, StateValues
from chain.types import Hash32
from rpc.errors import ServerError
from rpc.methods import Node, method, optional
from rpc.params import HEX_DIGITS, BlockReference, block_reference, hash32, text
from rpc.render import data_json
from rpc.state_reader import READ_TIMEOUT_S

UNKNOWN_CODE = "UnknownCode"
CODE_PREFIX = b"c"
KEY_BYTES = 33
"""A prefix and a hash: geth's key of a code in its database."""


def database_key(value: Any) -> bytes:
    """Hex with 0x, or the characters themselves."""
    key = text(value)
    digits = key.removeprefix("0x")
    if digits == key:
        return key.encode()
    if len(digits) % 2 or not HEX_DIGITS.issuperset(digits):
        raise ServerError("Invalid hex key")
    return bytes.fromhex(digits)


@method("debug_codeByHash", hash32, optional(block_reference))
async def code_by_hash(node: Node, code_hash: Hash32, block: BlockReference | None) -> str | None:
    """Null if no account ever had it. Codes are of no block: the second argument is Reth's."""
    if code_hash in WITHOUT_CODE:
        return "0x"
    request = ReadState(node.chain.head.version, (), (), (code_hash,))
    try:
        values = await node.storage.request(request, READ_TIMEOUT_S)
    except RequestFailed as failure:
        if failure.error == UNKNOWN_CODE:
            return None
        raise
    assert isinstance(values, StateValues)
    return data_json(values.codes[0])


@method("debug_dbGet", database_key)
async def database_get(node: Node, key: bytes) -> str | None:
    """Codes only, by geth's keys of them: the other records are not geth's."""
    if len(key) != KEY_BYTES:
        raise ServerError(f"Invalid key length: expected {KEY_BYTES} bytes, got {len(key)}")
    if key[:1] != CODE_PREFIX:
        raise ServerError("Key prefix must be 0x63 for code hash lookups")
    return await code_by_hash(node, Hash32(key[1:]), None)


@method("debug_preimage", hash32)
async def preimage(node: Node, digest: Hash32) -> str:
    """Of what blocks hashed that were run again since this process began, for a trace that tells of reads or names."""
    known = node.naming.preimage(digest)
    if known is None:
        raise ServerError("unknown preimage")
    return data_json(known)
