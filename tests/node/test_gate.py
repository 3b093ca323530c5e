"""`--fail-if`: which conditions are understood, and what is said when one holds."""

import pytest

from node.gate import METRICS, BadCondition, condition, failures
from node.report import metrics
from tests.node.reports_world import block, spots

MEASURED = metrics(spots(), block(criticalPathUs=6_000))


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("speedup<1.5", False),
        ("speedup<=1.5", True),
        ("speedup < 2", True),
        ("speedup>1", True),
        ("speedup>=1.6", False),
        ("conflicts==300", True),
        ("conflicts!=300", False),
        ("conflict_rate>50%", True),
        ("conflict_rate>60%", False),
        ("critical_path_share>0.1", True),
        ("gas>25000000", False),
        ("lost_ms>18", True),
    ],
)
def test_a_condition_holds_or_not(text: str, fails: bool) -> None:
    assert bool(failures([condition(text)], MEASURED)) == fails


def test_a_failure_tells_the_value_the_condition_and_how_far_apart_they_are() -> None:
    assert failures([condition(" speedup < 2 ")], MEASURED) == [
        "speedup is 1.5, and to fail on is 'speedup < 2': 0.5 apart"
    ]


def test_every_condition_that_holds_is_told() -> None:
    texts = ("speedup<2", "conflicts>1000", "waits>1")
    assert [words.split()[0] for words in failures(list(map(condition, texts)), MEASURED)] == ["speedup", "waits"]


def test_what_cannot_be_judged_fails() -> None:
    unknown = metrics(spots(), None)
    (words,) = failures([condition("critical_path_ms>1")], unknown)
    assert words == (
        "critical_path_ms (the longest chain of real dependencies; of one block only) is not known here, "
        "so that 'critical_path_ms>1' cannot be judged"
    )


def test_every_metric_is_measured() -> None:
    assert set(MEASURED) == set(METRICS)
    assert None not in MEASURED.values()


@pytest.mark.parametrize(
    "text", ["", "speedup", "speedup<", "speedup<fast", "<1.5", "speedup=1.5", "1.5>speedup", "speedup<1.5 and gas>1"]
)
def test_what_is_no_comparison_is_told_how_one_is_written(text: str) -> None:
    with pytest.raises(BadCondition, match=r"not a comparison: write one like 'speedup<1\.5'") as raised:
        condition(text)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["held_up_rate>20", "held_up_rate >= 1.5", "held_up_rate<101%"])
def test_a_share_that_cannot_be_is_refused_because_the_gate_would_never_close(text: str) -> None:
    with pytest.raises(BadCondition, match=r"held_up_rate is a share, at most 1 or 100%: write one like"):
        condition(text)
    assert condition("held_up_rate>100%").bound == condition("held_up_rate>1").bound == 1


def test_an_unknown_metric_is_told_which_there_are() -> None:
    with pytest.raises(BadCondition, match=r"there is no 'speed'.*speedup, transactions, .*critical_path_share"):
        condition("speed<1.5")
