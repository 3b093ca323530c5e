"""Why storage refuses a request. What can be wrong with the data folder itself is in `keyvalue.py`."""

from chain.types import BlockNumber, Hash32, Height, Version
from storage.keyvalue import StoreError


class VersionOutOfRange(StoreError):
    def __init__(self, version: int, oldest: Version, newest: Version) -> None:
        super().__init__(f"state version {version} is out of range: versions {oldest} to {newest} are kept")


class StatePruned(StoreError):
    """geth's words for a state that it has not kept, which tools look for, and the oldest block that can be asked."""

    def __init__(self, version: Version, root: Hash32, oldest: BlockNumber) -> None:
        super().__init__(
            f"historical state {root.hex()} is not available: the states of blocks before {oldest} are pruned"
        )
        self.version = version
        self.oldest = oldest


class BlockOutOfRange(StoreError):
    def __init__(self, first: int, last: int, oldest: BlockNumber, newest: BlockNumber) -> None:
        super().__init__(f"block range {first} to {last} is out of range: blocks {oldest} to {newest} are kept")


class TooManyBlocks(StoreError):
    def __init__(self, asked: int, limit: int) -> None:
        super().__init__(f"{asked} blocks asked for at once: at most {limit} are given")


class TooManyLogs(StoreError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"query returned more than {limit} results: ask for fewer blocks, addresses or topics")
        self.limit = limit


class TooManyLogBytes(StoreError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"query found more than {limit} bytes of data: ask for fewer blocks, addresses or topics")
        self.limit = limit


class UnknownCode(StoreError):
    def __init__(self, code_hash: Hash32) -> None:
        super().__init__(f"no account ever had code with the hash 0x{code_hash.hex()}")


class WrongStateRoot(StoreError):
    """A block that others made leaves another state than its header names."""

    def __init__(self, number: BlockNumber, found: Hash32, expected: Hash32) -> None:
        super().__init__(f"the state root is 0x{found.hex()}, and its header has 0x{expected.hex()}")
        self.number = number
        self.found = found
        self.expected = expected


class HeightGap(StoreError):
    """A height that does not follow the newest one."""

    def __init__(self, height: Height, newest: Height) -> None:
        super().__init__(f"height {height} cannot be applied: the newest one is {newest}")
        self.newest = newest


class OtherProposalApplied(StoreError):
    """Execution and storage disagree on history."""

    def __init__(self, height: Height, applied: Hash32, offered: Hash32) -> None:
        super().__init__(
            f"height {height} was applied from proposal 0x{applied.hex()} already, not from 0x{offered.hex()}"
        )


class InvalidBlock(StoreError):
    """A block whose parts contradict each other."""

    def __init__(self, number: BlockNumber, reason: str) -> None:
        super().__init__(f"block {number} cannot be applied: {reason}")


class BlocksTakenBack(StoreError):
    """A block that a version was made after is gone, and its hash is not on record."""

    def __init__(self, version: Version, number: BlockNumber) -> None:
        super().__init__(f"block {number}, which led to state version {version}, was taken back and its hash is lost")


class NoFork(StoreError):
    def __init__(self) -> None:
        super().__init__("this chain was not forked from another one, which could be asked")


class NoProofOnFork(StoreError):
    def __init__(self) -> None:
        super().__init__(
            "no proof on a fork: the state root of its blocks covers what was changed since the fork, not the remote "
            "chain's state; blocks before the fork are proven by the remote chain"
        )


class NoWholeState(StoreError):
    def __init__(self) -> None:
        super().__init__("the whole state of a fork is not here: what was never read is the remote chain's to tell")


class TooManyWaiting(StoreError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} requests wait for storage already: try again later")


class UnknownRequest(StoreError):
    def __init__(self, kind: str) -> None:
        super().__init__(f"storage does not answer {kind}")


class StorageClosed(StoreError):
    def __init__(self) -> None:
        super().__init__("storage is shutting down")
