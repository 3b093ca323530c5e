"""Two thousand scenarios drawn from seeds; each must keep every promise, and together they meet every fault and lie.

A failing seed is named with the command that runs it again.
"""

import os
import subprocess
import sys

import pytest

from tests.simulation.byzantine import BEHAVIOURS
from tests.simulation.campaign import Tally, in_processes, run_seeds
from tests.simulation.drawing import ENDS, draw
from tests.simulation.scenario import Kind, scenario_from_json

SEEDS = 2_000
CHUNK = 100
PROCESSES = 2


@pytest.fixture(scope="module")
def tally() -> Tally:
    total = Tally()
    for one in in_processes(run_seeds, range(SEEDS), CHUNK, PROCESSES):
        total.add(one)
    return total


def test_no_promise_is_broken_whatever_fails(tally: Tally) -> None:
    assert tally.scenarios == SEEDS
    assert not tally.failures, f"{len(tally.failures)} of {SEEDS} fail, the first: {tally.failures[0]}"


@pytest.mark.parametrize("kind", list(dict.fromkeys([*ENDS, *ENDS.values(), Kind.DISK_LOSS])), ids=str)
def test_every_fault_happens_many_times(tally: Tally, kind: str) -> None:
    assert tally.counts[f"fault: {kind}"] > SEEDS / 20


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_lie_is_told_many_times(tally: Tally, behaviour: str) -> None:
    assert tally.counts[f"lie: {behaviour}"] > SEEDS / 2


REFUSALS = (
    "Equivocation",
    "ExecutedWentBack",
    "ExecutionConflict",
    "InvalidCertificate",
    "LagTooLong",
    "OutOfWindow",
    "UnexpectedProposals",
    "UnknownValidator",
    "WrongSignature",
    "WrongTimestamp",
)


@pytest.mark.parametrize("reason", REFUSALS)
def test_every_reason_to_refuse_a_message_arises(tally: Tally, reason: str) -> None:
    assert tally.counts[f"refused: {reason}"] > 20


def test_branches_compete_and_replicas_come_back(tally: Tally) -> None:
    assert tally.counts["rivals of another proposal"] > SEEDS / 5
    assert tally.counts["restarts"] > SEEDS


@pytest.mark.parametrize("what", ["lost", "repeated", "out of order", "corrupted"])
def test_the_network_does_its_worst_to_many_messages(tally: Tally, what: str) -> None:
    assert tally.counts[f"messages {what}"] > SEEDS


def test_a_scenario_survives_its_file() -> None:
    for seed in range(50):
        scenario = draw(seed)
        assert scenario_from_json(scenario.to_json()) == scenario


DIGEST = """
from tests.simulation.drawing import draw
from tests.simulation.running import run
for seed in range(24):
    outcome = run(draw(seed))
    print(seed, outcome.trace, outcome.chain.hex(), sorted(outcome.counts.items()), outcome.simulated_us)
"""


def test_a_seed_runs_the_same_in_every_process() -> None:
    """Down to each message's time of arrival, though sets and dictionaries of strings are ordered differently."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 24
