"""Makes the committed sample of the official state tests: a few cases of every folder, small and quick ones.

`python -m tests.conformance.sample FOLDER` takes the archives in FOLDER.
"""

import gzip
import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

from tests.conformance.state_tests import Case, case_from, case_to, cases_in, run

SAMPLE = Path(__file__).parent / "fixtures" / "state_tests.json.gz"
ARCHIVES = ("eest-prague-state.tar.gz", "ethtests-v14.1-cancun-state.tar.gz", "eest-fusaka5-osaka-state.tar.gz")
CASES_PER_FOLDER = 4
CASES_FOR_REFUSALS = 4
MAX_CASE_BYTES = 16_000
MAX_CASE_S = 0.2
SEED = 20_695


def choose(cases: list[Case]) -> list[Case]:
    """From each folder a few cases that run and a few that must be refused."""
    rng = random.Random(SEED)
    folders: dict[tuple[str, bool], list[Case]] = defaultdict(list)
    for case in cases:
        folders[case.group, "expectException" in case.post].append(case)
    chosen = []
    for (_, refused), members in sorted(folders.items()):
        rng.shuffle(members)
        wanted = CASES_FOR_REFUSALS if refused else CASES_PER_FOLDER
        chosen += _first_fitting(members, wanted)
    return chosen


def _first_fitting(cases: list[Case], wanted: int) -> list[Case]:
    fitting: list[Case] = []
    for case in cases[:50]:
        if len(fitting) < wanted and len(json.dumps(case_to(case))) <= MAX_CASE_BYTES:
            before = time.monotonic()
            run(case, "interpreter")
            if time.monotonic() - before <= MAX_CASE_S:
                fitting.append(case)
    return fitting


def load() -> list[Case]:
    """The committed sample."""
    return [case_from(plain) for plain in json.loads(gzip.decompress(SAMPLE.read_bytes()))]


def main(folder: Path) -> None:
    cases = [case for name in ARCHIVES for case in cases_in(folder / name)]
    chosen = choose(cases)
    data = json.dumps([case_to(case) for case in chosen], separators=(",", ":")).encode()
    SAMPLE.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{len(chosen)} of {len(cases)} cases, {SAMPLE.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
