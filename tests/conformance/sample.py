"""Makes the committed sample of the official state tests: a few cases of every folder, small and quick ones.

`python -m tests.conformance.sample FOLDER` takes the archives in FOLDER.
"""

import gzip
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from node.conformance.files import find_test_files
from node.conformance.networks import FORKS
from node.conformance.state_case import StateCase

SAMPLE = Path(__file__).parent / "fixtures" / "state_tests.json.gz"
ARCHIVES = ("eest-prague-state.tar.gz", "ethtests-v14.1-cancun-state.tar.gz", "eest-fusaka5-osaka-state.tar.gz")
CASES_PER_FOLDER = 4
CASES_FOR_REFUSALS = 4
MAX_CASE_BYTES = 16_000
MAX_CASE_S = 0.2
SEED = 20_695


def choose(cases: Sequence[tuple[str, StateCase]]) -> list[dict[str, Any]]:
    """From each folder a few cases that run and a few that must be refused."""
    rng = random.Random(SEED)
    folders: dict[tuple[str, bool], list[StateCase]] = defaultdict(list)
    for group, case in cases:
        folders[group, "expectException" in case.post].append(case)
    chosen = []
    for (group, refused), members in sorted(folders.items()):
        rng.shuffle(members)
        wanted = CASES_FOR_REFUSALS if refused else CASES_PER_FOLDER
        chosen += [plain(group, case) for case in _first_fitting(members, wanted)]
    return chosen


def _first_fitting(cases: list[StateCase], wanted: int) -> list[StateCase]:
    fitting: list[StateCase] = []
    for case in cases[:50]:
        if len(fitting) < wanted and len(json.dumps(plain("", case))) <= MAX_CASE_BYTES:
            before = time.monotonic()
            case.run("interpreter")
            if time.monotonic() - before <= MAX_CASE_S:
                fitting.append(case)
    return fitting


def plain(group: str, case: StateCase) -> dict[str, Any]:
    """A case as the sample holds it."""
    test = {key: case.test[key] for key in ("env", "pre", "config") if key in case.test}
    post = {key: case.post[key] for key in ("hash", "logs", "txbytes", "expectException") if key in case.post}
    return {"name": case.name, "group": group, "fork": case.network.lower(), "test": test, "post": post}


def rows() -> list[dict[str, Any]]:
    """The committed sample as it is."""
    found: list[dict[str, Any]] = json.loads(gzip.decompress(SAMPLE.read_bytes()))
    return found


def load() -> list[StateCase]:
    """The cases of the committed sample."""
    return [StateCase(row["name"], row["fork"].capitalize(), row["test"], row["post"]) for row in rows()]


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        files = [file for name in ARCHIVES for file in find_test_files(folder / name, Path(scratch))]
        every = [(file.group, case) for file in files for case in file.cases() if case.network in FORKS]
    chosen = choose([(group, case) for group, case in every if isinstance(case, StateCase)])
    data = json.dumps(chosen, separators=(",", ":")).encode()
    SAMPLE.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{len(chosen)} of {len(every)} cases, {SAMPLE.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
