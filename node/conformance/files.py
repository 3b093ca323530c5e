"""Finding the official tests in files, folders and archives."""

import gzip
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chain.block_case_json import FORMAT as BLOCK_CASE
from node.conformance.blockchain_case import BlockchainCase
from node.conformance.outcomes import Failed, Unsupported
from node.conformance.state_case import state_cases
from node.devices import is_device
from node.errors import NodeError

JSON_ENDINGS, ARCHIVE_ENDINGS = (".json", ".json.gz"), (".tar.gz", ".tgz", ".tar")
GZIP_MAGIC = b"\x1f\x8b"
WITHOUT_TESTS = frozenset((".meta", "pre_alloc"))
"""Folders of execution-spec-tests with an index, and with states that tests of the Engine API share."""


class NoTests(NodeError):
    """A path with no official tests."""


class BadTestFile(Exception):
    """A file that is no JSON object of tests."""


class Case(Protocol):
    """One test that passes or fails as a whole."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def network(self) -> str: ...

    def check(self, evm: str) -> None:
        """Raises Failed and Unsupported."""
        ...


@dataclass(frozen=True, slots=True)
class UnknownCase:
    """A test of a kind that is not run here."""

    name: str
    kind: str
    network: str

    def check(self, evm: str) -> None:
        raise Unsupported(f"{self.kind} tests are not run here")


@dataclass(frozen=True, slots=True)
class MalformedCase:
    """A test that the file does not have whole."""

    name: str
    kind: str
    network: str
    reason: str

    def check(self, evm: str) -> None:
        raise Failed(self.reason)


@dataclass(frozen=True, slots=True)
class TestFile:
    """A JSON file; `name` is how people know it, `group` the folder that it lies in."""

    path: Path
    name: str

    @property
    def group(self) -> str:
        return self.path.parent.name

    def cases(self) -> Iterator[Case]:
        """Raises BadTestFile."""
        try:
            data = self.path.read_bytes()
            tests = json.loads(gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data)
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            raise BadTestFile(f"not JSON: {error}") from None
        if isinstance(tests, dict) and tests.get("format") == BLOCK_CASE:
            raise BadTestFile("this is a block case: tandem replay runs it")
        if not isinstance(tests, dict) or not all(isinstance(test, dict) for test in tests.values()):
            raise BadTestFile("an object of tests by name belongs here")
        for name, test in tests.items():
            yield from cases_of(name, test)


def cases_of(name: str, test: dict[str, Any]) -> Iterator[Case]:
    """The cases of one test, whatever its format."""
    if "blocks" in test:
        yield BlockchainCase(name, test)
    elif _is_state_test(test):
        try:
            yield from state_cases(name, test)
        except Failed as reason:
            yield MalformedCase(name, "state", "", str(reason))
    elif "engineNewPayloads" in test:
        yield UnknownCase(name, "engine", str(test.get("network", "")))
    elif "txbytes" in test:
        yield UnknownCase(name, "transaction", "")
    else:
        yield UnknownCase(name, "unknown", str(test.get("network", "")))


def _is_state_test(test: dict[str, Any]) -> bool:
    """Also one that lacks something. What tests are filled from says what to expect; a test of the EVM alone has what
    is executed.
    """
    if "expect" in test or "exec" in test:
        return False
    return "transaction" in test or {"env", "pre", "post"} <= test.keys()


def find_test_files(path: Path, scratch: Path) -> Iterator[TestFile]:
    """The files at a path; archives are unpacked in the folder `scratch`. Raises NoTests."""
    if not path.exists():
        raise NoTests(f"{path}: no such file or folder")
    if is_device(path):
        raise NoTests(f"{path} is a device: give a file or a folder")
    if path.is_dir():
        for found in sorted(path.rglob("*")):
            inner = found.relative_to(path).parts
            if (
                found.is_file()
                and found.name.endswith(JSON_ENDINGS + ARCHIVE_ENDINGS)
                and WITHOUT_TESTS.isdisjoint(inner)
            ):
                yield from find_test_files(found, scratch)
    elif path.name.endswith(ARCHIVE_ENDINGS):
        yield from _unpacked(path, Path(tempfile.mkdtemp(dir=scratch)))
    else:
        yield TestFile(path, str(path))


def _unpacked(archive: Path, into: Path) -> Iterator[TestFile]:
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(into, filter="data")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise NoTests(f"{archive}: not an archive that can be unpacked: {reason}") from None
    for found in find_test_files(into, into):
        yield TestFile(found.path, f"{archive}:{found.path.relative_to(into)}")
