"""Where the chain in a data folder was forked from: `fork.json`, for its owner only, since the URL may carry a key."""

import json
from dataclasses import dataclass
from pathlib import Path

from chain.types import BlockNumber, Hash32
from node.errors import BadDataFolder
from node.remote.address import masked
from node.remote.base import ForkPoint

FILE = "fork.json"


@dataclass(frozen=True, slots=True)
class ForkSource:
    url: str
    point: ForkPoint

    @property
    def shown(self) -> str:
        """The URL without secrets."""
        return masked(self.url)

    def encode(self) -> bytes:
        about = {
            "url": self.url,
            "block": self.point.number,
            "hash": "0x" + self.point.hash.hex(),
            "byHash": self.point.by_hash,
        }
        return json.dumps(about, indent=2).encode() + b"\n"


def read_source(folder: Path) -> ForkSource:
    """Raises BadDataFolder."""
    path = folder / FILE
    try:
        about = json.loads(path.read_bytes())
        number, by_hash = about["block"], about["byHash"]
        if type(number) is not int or type(by_hash) is not bool or not isinstance(about["url"], str):
            raise ValueError("a member of the wrong type")
        point = ForkPoint(BlockNumber(number), Hash32(bytes.fromhex(about["hash"].removeprefix("0x"))), by_hash)
        return ForkSource(about["url"], point)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadDataFolder(
            f"{path}, which says where the chain was forked from, cannot be read: put back a copy, "
            "or give another --data-dir"
        ) from error
