"""The folders that compilers write to, read when a contract is unknown and something in them has changed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rpc.naming.artifacts import BadArtifact, contracts_in
from rpc.naming.contract import Contract

MAX_FILES = 20_000
MAX_FILE_BYTES = 256 * 1024 * 1024
SKIPPED = {"node_modules", "cache"}

Stamp = tuple[int, int]
"""A file's time of change in ns and its size: another one means to read it again."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file said when it was read last; `wrong` is why it could not be."""

    stamp: Stamp
    contracts: tuple[Contract, ...]
    wrong: str = ""


class ArtifactFolders:
    """All contracts in some folders. Blocks while it reads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._files: dict[Path, _Read] = {}

    @property
    def contracts(self) -> Iterator[Contract]:
        return (contract for read in self._files.values() for contract in read.contracts)

    def refresh(self) -> list[str]:
        """Read what is new or changed, forget what is gone; a line for each file found to be wrong just then.

        The lines say which file, and why.
        """
        files, complaints = {}, []
        for file, stamp in self._stamped():
            known = self._files.get(file)
            if known is None or known.stamp != stamp:
                known = _read(file, stamp)
                if known.wrong:
                    complaints.append(f"{file}: {known.wrong}")
            files[file] = known
        self._files = files  # at once: others go through it while this reads in a thread
        return complaints

    def is_changed(self) -> bool:
        """Whether `refresh` would read or forget anything."""
        return dict(self._stamped()) != {file: read.stamp for file, read in self._files.items()}

    def _stamped(self) -> Iterator[tuple[Path, Stamp]]:
        """The JSON files, at most MAX_FILES."""
        count = 0
        for folder in self._folders:
            for place, below, names in os.walk(folder):
                below[:] = sorted(name for name in below if name not in SKIPPED)
                for name in sorted(names):
                    stamp = _stamp(Path(place, name)) if name.endswith(".json") else None
                    if stamp is not None and count < MAX_FILES:
                        count += 1
                        yield Path(place, name), stamp


def _stamp(file: Path) -> Stamp | None:
    """None for a file that went while one looked."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _read(file: Path, stamp: Stamp) -> _Read:
    if stamp[1] > MAX_FILE_BYTES:
        return _Read(stamp, (), f"it has more than {MAX_FILE_BYTES // 2**20} MB")
    try:
        return _Read(stamp, tuple(contracts_in(file)))
    except BadArtifact as error:
        return _Read(stamp, (), str(error))
