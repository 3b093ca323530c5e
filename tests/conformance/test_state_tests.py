"""The committed sample always; with the marker `full` everything in `../shared/fixtures`, where that folder is."""

from pathlib import Path

import pytest

from chain.forks import CHAIN_FORKS
from execution.engine import EVMS
from tests.conformance import sample
from tests.conformance.state_tests import Case, cases_in, complaint

ARCHIVES = Path(__file__).parents[2].parent / "shared" / "fixtures"
SAMPLE = sample.load()


@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_an_official_state_test_comes_out_as_it_must(case: Case, evm: str) -> None:
    assert complaint(case, evm) is None


def test_the_sample_covers_every_fork_and_refusals() -> None:
    assert {case.fork.label for case in SAMPLE} == {fork.label for fork in CHAIN_FORKS}
    assert any("expectException" in case.post for case in SAMPLE)
    assert len({case.group for case in SAMPLE}) > 100


def is_endless(case: Case) -> bool:
    """Four billion rounds of BLAKE2, which take Python days; no block has the gas for them."""
    return "Blake2f_MaxRounds" in case.name


@pytest.mark.full
@pytest.mark.skipif(not ARCHIVES.is_dir(), reason="the archives of all state tests are not beside this checkout")
@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("archive", sample.ARCHIVES)
def test_every_official_state_test_comes_out_as_it_must(archive: str, evm: str) -> None:
    cases = [case for case in cases_in(ARCHIVES / archive) if not is_endless(case)]
    complaints = [f"{case.name}: {wrong}" for case in cases if (wrong := complaint(case, evm)) is not None]
    assert complaints == []
