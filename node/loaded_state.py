"""Takes a state file of ours or of anvil's into the data folder of a new chain, which begins with that state."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from chain.state_head import StateHead
from chain.types import Hash32
from node.anvil_state import named_state, read_anvil_state
from node.errors import BadSetting, BadStateFile
from node.settings import Settings
from storage.dumping import write_state_file
from storage.keyvalue import StoreError
from storage.state_file import StateFile, is_state_file


@dataclass(frozen=True, slots=True)
class LoadedState:
    """A state file in the data folder.

    `source` is the checksum of the user's file, `left` says in words what of that is not taken.
    """

    head: StateHead
    checksum: Hash32
    source: Hash32
    left: str


def take_in(file: Path, into: Path, settings: Settings) -> LoadedState:
    """Put the state of a file of ours or of anvil's into a data folder, as a state file. Raises NodeError, OSError."""
    left = ""
    try:
        if is_state_file(named_state(file)):
            StateFile(named_state(file))
            shutil.copyfile(named_state(file), into)
        else:
            anvil = read_anvil_state(named_state(file), settings)
            left = anvil.left
            write_state_file(into, anvil.head, [header.encode() for header in anvil.earlier], anvil.pages())
        taken = StateFile(into)
    except StoreError as error:
        raise BadStateFile(str(error)) from error
    _check_fit(file, settings, taken.head)
    return LoadedState(taken.head, taken.checksum, source_checksum(file), left)


def source_checksum(file: Path) -> Hash32:
    """By which a user's file is known again. Raises BadStateFile."""
    try:
        with open(named_state(file), "rb") as content:
            return Hash32(hashlib.file_digest(content, "sha256").digest())
    except OSError as error:
        raise BadStateFile(f"cannot read {file}: {error.strerror}") from error


def _check_fit(file: Path, settings: Settings, head: StateHead) -> None:
    """What the user asks for explicitly must not contradict the file. Raises BadSetting."""
    defaults = Settings()
    for name, has in (("chain_id", head.chain_id), ("hardfork", head.forks.newest.label)):
        asked = getattr(settings, name)
        if asked not in (has, getattr(defaults, name)):
            option = "--" + name.replace("_", "-")
            raise BadSetting(f"{file} holds the state of a chain with {option} {has}, not {asked}: leave {option} out")
