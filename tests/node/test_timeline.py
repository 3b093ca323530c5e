"""A block drawn as text."""

from node.timeline import LEGEND, timeline
from tests.node.reports_world import block, run, transaction


def test_each_worker_has_a_line_with_what_it_ran_when() -> None:
    told = block(
        transaction(0, run("worker-1", 0, 500)),
        transaction(1, run("worker-0", 100, 300, "conflict"), run("execution", 500, 900)),
        transaction(2, run("worker-0", 600, 700, "aborted")),
    )
    assert timeline(told, width=10) == [
        "worker-0   .xxx..~~..",
        "worker-1   ######....",
        "execution  .....#####",
        "           0   1.0 ms",
        *("           " + meaning for meaning in LEGEND),
    ]


def test_a_column_shows_what_took_most_of_it() -> None:
    told = block(transaction(0, run("worker-0", 0, 200, "conflict"), run("worker-0", 200, 1000)))
    assert timeline(told, width=2)[0] == "worker-0  ##"


def test_a_run_too_short_for_a_column_is_seen() -> None:
    told = block(transaction(0, run("worker-0", 500, 500)))
    assert timeline(told, width=4)[0] == "worker-0  ..#."


def test_a_run_that_ends_after_the_block_stretches_the_scale() -> None:
    told = block(transaction(0, run("worker-0", 0, 2000)))
    assert timeline(told, width=10)[:2] == ["worker-0  ##########", "          0   2.0 ms"]


def test_worker_ten_comes_after_worker_nine_and_execution_last() -> None:
    names = ["execution", "worker-10", "worker-9", "host#2"]
    lines = timeline(block(*[transaction(0, run(name, 0, 1)) for name in names]))
    assert [line.split()[0] for line in lines[:4]] == ["host#2", "worker-9", "worker-10", "execution"]


def test_nothing_that_ran_is_nothing_drawn() -> None:
    assert timeline(block()) == []
