"""The contracts registered over RPC, kept in the data folder, and the folders of those that compilers wrote."""

import json
from pathlib import Path
from typing import Any

from node.errors import BadDataFolder, BadSetting
from node.folder import write_whole

NAME = "contracts.json"


class ContractsFile:
    """Implements rpc.naming.registry.ContractsStore."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> list[Any]:
        """What was written last. Raises BadDataFolder."""
        try:
            held = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise damaged(self.path, error) from error
        if not isinstance(held, list):
            raise damaged(self.path, "it holds no list")
        return held

    def write(self, contracts: list[Any]) -> None:
        """All or nothing. Raises OSError."""
        write_whole(self.path, json.dumps(contracts).encode())


def damaged(path: Path, why: object) -> BadDataFolder:
    return BadDataFolder(f"cannot read the registered contracts in {path}: {why}; remove that file to have none")


def artifact_folders(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders of --artifacts from wherever a process stands. Raises BadSetting for one that is not there."""
    for folder in folders:
        if not folder.is_dir():
            raise BadSetting(
                f"--artifacts {folder}: there is no such folder; build the contracts first (forge build, npx hardhat "
                "compile), or give the folder that the compiler writes to"
            )
    return tuple(folder.resolve() for folder in folders)
