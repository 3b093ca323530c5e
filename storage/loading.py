"""Puts the state of a file into an empty store, a part at a time, each part one write.

A load that was cut off leaves a mark; whoever opens the store next removes what there is and begins again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from chain.accounts import AccountChange
from chain.errors import ChainError
from chain.genesis import Genesis
from chain.headers import decode_header
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import BlockNumber, Hash32
from storage.blocks import Blocks
from storage.changes import StateChanges
from storage.errors import InvalidBlock
from storage.keyvalue import KeyValue
from storage.state import CODES, VersionedState
from storage.state_file import DamagedStateFile, StateFile, StatePart
from storage.steps import run
from storage.tries import Tries
from storage.versions import GENESIS_VERSION

LOADING_KEY = b"Mloading"
END_OF_KEYS = b"\xff"
REMOVED_A_WRITE = 10_000


@dataclass(frozen=True, slots=True)
class Loading:
    """The file to load, and who hears how many of its accounts are there so far."""

    file: Path
    report: Callable[[int], None]


class StateLoad:
    """Loads into an empty store."""

    def __init__(self, keyvalue: KeyValue, state: VersionedState, tries: Tries) -> None:
        self._keyvalue = keyvalue
        self._state = state
        self._tries = tries

    def run(self, genesis: Genesis, loading: Loading) -> Hash32:
        """Everything of the file is in the store, which has the root given then.

        Raises DamagedStateFile, StateFileUnreadable, DiskFull and other StoreErrors.
        """
        file = StateFile(loading.file)
        expected = file.head.root
        if file.checksum != genesis.state:
            raise DamagedStateFile(file.path, "it is not the one that this chain was made from")
        self._keyvalue.write({LOADING_KEY: file.checksum})
        root, accounts = EMPTY_ROOT, 0
        try:
            for part in file.parts():
                root = self._put(part, genesis.header.number, root)
                accounts += len(part.accounts)
                loading.report(accounts)
        except (ChainError, InvalidBlock) as error:
            raise DamagedStateFile(file.path, str(error)) from error
        if root != expected:
            raise DamagedStateFile(
                file.path, f"its accounts have the state root 0x{root.hex()}, not 0x{expected.hex()}"
            )
        return root

    def _put(self, part: StatePart, number: BlockNumber, root: Hash32) -> Hash32:
        """Write one part; the root of everything so far."""
        changes = StateChanges(self._state, self._tries, number, GENESIS_VERSION)
        batch: dict[bytes, bytes | None] = {CODES + keccak256(code): code for code in part.codes}
        for header in map(decode_header, part.headers):
            Blocks.put_earlier(header, batch)
        after = run(changes.run(root, [AccountChange(p.address, p.account, dict(p.slots)) for p in part.accounts]))
        run(changes.put_into(batch))
        self._keyvalue.write(batch)
        changes.adopt()
        return after


def remove_cut_off(keyvalue: KeyValue) -> None:
    """Remove what a load left that did not come to its end."""
    if keyvalue.get(LOADING_KEY) is None:
        return
    keys = (key for key, _ in keyvalue.pairs(b"", END_OF_KEYS) if key != LOADING_KEY)
    while some := tuple(islice(keys, REMOVED_A_WRITE)):
        keyvalue.write(dict.fromkeys(some))
    keyvalue.write({LOADING_KEY: None})
