"""Block cases in files: blocks of mainnet with the state that they read, or cases that Tandem wrote."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from chain.block_case import BlockCase, CaseMismatch
from chain.block_case_json import FORMAT, BlockCaseError, case_from_json
from chain.errors import ChainError
from execution.mainnet_block import case_of
from node.devices import is_device
from node.errors import NodeError

INDEX, CODES = "index.json", "codes.json"
GZIP_MAGIC = b"\x1f\x8b"


class NoBlocks(NodeError):
    """Nothing to replay at a path."""


class BadCaseFile(NodeError):
    """A file that holds no block case."""

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One block in a file; `name` is its number, or the file's name."""

    name: str
    path: Path

    def read(self) -> BlockCase:
        """Raises BadCaseFile."""
        document = _json(self.path)
        try:
            if isinstance(document, dict) and document.get("format") == FORMAT:
                return case_from_json(document)
            return case_of(document, _codes(self.path.parent))
        except BlockCaseError as error:
            raise BadCaseFile(self.path, error) from None
        except ChainError as error:
            raise BadCaseFile(self.path, f"not a block with its state: {error}") from None

    def mismatch(self) -> CaseMismatch | None:
        """Why --check-serial saved it; None for other cases, and for files that hold none."""
        try:
            return self.read().mismatch
        except BadCaseFile:
            return None


def case_files(path: Path) -> list[CaseFile]:
    """The file at `path`, or the blocks of a folder: those in its index.json, else all, by number. Raises NoBlocks."""
    if not path.exists():
        raise NoBlocks(f"{path}: no such file or folder")
    if is_device(path):
        raise NoBlocks(f"{path} is a device: give a file or a folder")
    if not path.is_dir():
        return [CaseFile(_name(path), path)]
    index = path / INDEX
    found = _indexed(index) if index.exists() else _numbered(path)
    if not found:
        raise NoBlocks(f"{path} holds no blocks: give a folder with files such as 46147.json.gz, or one such file")
    return found


def _indexed(index: Path) -> list[CaseFile]:
    rows = _json(index)
    if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
        raise BadCaseFile(index, "a list of [block number, transactions, gas used] belongs here")
    return [CaseFile(str(row[0]), _file_of(index.parent, str(row[0]))) for row in rows]


def _file_of(folder: Path, name: str) -> Path:
    plain = folder / f"{name}.json"
    return plain if plain.exists() else folder / f"{name}.json.gz"


def _numbered(folder: Path) -> list[CaseFile]:
    files = [path for path in folder.iterdir() if path.name.endswith((".json", ".json.gz"))]
    blocks = [CaseFile(_name(path), path) for path in files if _name(path) != _name(Path(CODES))]
    return sorted(blocks, key=lambda file: (not file.name.isdecimal(), file.name.zfill(20)))


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


@cache
def _codes(folder: Path) -> Mapping[str, str]:
    path = folder / CODES
    path = path if path.exists() else folder / f"{CODES}.gz"
    codes = _json(path) if path.exists() else {}
    if not isinstance(codes, dict):
        raise BadCaseFile(path, "an object of codes by their hashes belongs here")
    return codes


def _json(path: Path) -> Any:
    """Raises BadCaseFile."""
    try:
        data = path.read_bytes()
        return orjson.loads(gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data)
    except OSError as error:
        raise BadCaseFile(path, error.strerror or error) from None
    except (EOFError, ValueError, zlib.error) as error:
        raise BadCaseFile(path, f"not JSON: {error}") from None
