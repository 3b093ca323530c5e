"""A store whose disk is full."""

from pathlib import Path

from storage.keyvalue import Batch, DiskFull
from storage.memory import MemoryKeyValue


class Full(MemoryKeyValue):
    """A store without room. `lands` says that what it refuses is there all the same, as when only the sync fails."""

    def __init__(self, lands: bool = False) -> None:
        super().__init__()
        self.full = False
        self.lands = lands

    def write(self, batch: Batch, sync: bool = True) -> None:
        if not self.full or self.lands:
            super().write(batch, sync)
        if self.full:
            raise DiskFull(Path("the disk"), "No space left on device")

    def recover(self) -> None:
        if self.full:
            raise DiskFull(Path("the disk"), "No space left on device")
