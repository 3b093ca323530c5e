"""Which chain's state a dump is of, and after which block."""

from dataclasses import dataclass
from typing import Any

from chain.fork_schedule import ForkSchedule, schedule_from_json, schedule_json
from chain.headers import Header, decode_header
from chain.types import Hash32

EARLIER_HEADERS = 256
"""A dump has the headers of so many blocks before its own: BLOCKHASH reaches no further."""


@dataclass(frozen=True, slots=True)
class StateHead:
    """The rules of the chain, the block's header, whole, and the root of the state.

    That is not the header's where operations have changed the state after the block.
    """

    chain_id: int
    forks: ForkSchedule
    header: Header
    root: Hash32


def head_json(head: StateHead) -> dict[str, Any]:
    """Number, timestamp and hash are the header's, for people."""
    header = head.header
    return {
        "chainId": head.chain_id,
        "forks": schedule_json(head.forks),
        "number": header.number,
        "timestamp": header.timestamp,
        "hash": "0x" + header.hash().hex(),
        "stateRoot": "0x" + head.root.hex(),
        "header": "0x" + header.encode().hex(),
    }


def head_from_json(value: Any) -> StateHead:
    """What `head_json` made. Raises ChainError, and KeyError, TypeError and ValueError for anything else."""
    header = decode_header(bytes.fromhex(value["header"].removeprefix("0x")))
    root = Hash32(bytes.fromhex(value["stateRoot"].removeprefix("0x")))
    return StateHead(int(value["chainId"]), schedule_from_json(value["forks"]), header, root)
