"""Which executors of a chain run: those with the lowest numbers, but never one found wrong.

The data folder remembers the wrong ones in `executors.json`, so that no later start uses their storage again. rpc and
the readers read the storage of the first right one.
"""

import json
from pathlib import Path
from typing import Any

from chain.messages.mempool import WrongExecutor
from node.errors import BadDataFolder
from node.folder import write_whole

MOST = 16
"""Executors a chain may ever have had. That so many are wrong is no accident which one more of them would mend."""


class Executors:
    """Of the chain in `folder`. Reading raises BadDataFolder when the file is damaged."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "executors.json"

    def at_start(self, count: int) -> tuple[int, ...]:
        """The numbers of so many executors; fewer when there are no more to take."""
        return self.below(MOST)[:count]

    def below(self, number: int) -> tuple[int, ...]:
        """Those with lower numbers."""
        wrong = self._wrong()
        return tuple(executor for executor in range(min(number, MOST)) if executor not in wrong)

    def first(self) -> int:
        """The one whose blocks are served and shown."""
        return self.below(MOST)[0]

    def reject(self, found: WrongExecutor) -> bool:
        """Never run it again. False if that was known, or if it is the last one there is. Raises BadDataFolder."""
        wrong = self._wrong()
        if found.executor in wrong or self.below(MOST) == (found.executor,):
            return False
        rows = [*wrong.values(), _row(found)]
        try:
            write_whole(self._path, json.dumps({"wrong": rows}, indent=2).encode() + b"\n")
        except OSError as error:
            raise BadDataFolder(f"cannot write {self._path}: {error.strerror}") from error
        return True

    def _wrong(self) -> dict[int, Any]:
        try:
            return {int(row["executor"]): row for row in json.loads(self._path.read_bytes())["wrong"]}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadDataFolder(
                f"{self._path} cannot be read ({error}): put back a copy; it names the executors whose storage is wrong"
            ) from error


def _row(found: WrongExecutor) -> dict[str, Any]:
    said, expected = "0x" + found.said.hex(), "0x" + found.expected.hex()
    return {"executor": found.executor, "height": found.height, "said": said, "expected": expected}
