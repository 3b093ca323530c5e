"""Which transactions run together, where, and when workers pay."""

from collections.abc import Mapping, Sequence

from chain.records import AccessKind
from chain.types import Address
from execution.attempts import Waited
from execution.chain_scheduler import MOST_TASK_US, ChainScheduler
from execution.contention import Key
from execution.schedule import MAX_TASK_TRANSACTIONS, Candidate, PlannedTask, Staying, chains_of, for_workers, pays
from execution.scheduler import Command, Send

S = [Address(bytes([n]) * 20) for n in range(1, 60)]
HERE, THERE = (S[50], 0), (S[51], 7)
MeetsAt = Mapping[int, Sequence[Key]]


def candidates(*senders: int, us: int = 100) -> list[Candidate]:
    return [Candidate(index, S[sender], us) for index, sender in enumerate(senders)]


def tasks_of(
    given: list[Candidate], meets_at: MeetsAt | None = None, workers: tuple[str, ...] = ("w0", "w1"), slow: str = ""
) -> list[PlannedTask]:
    """All tasks of a block whose workers end theirs by turns; the `slow` one ends one in three."""
    scheduler = ChainScheduler(chains_of(given, meets_at or {}), workers, {})
    out: list[PlannedTask] = []
    sent: list[PlannedTask] = []

    def obey(commands: Sequence[Command]) -> None:
        for command in commands:
            assert isinstance(command, Send)
            out.append(command.task)
            sent.append(command.task)

    obey(list(scheduler.start()))
    for turn in range(1_000):
        ended = next((task for task in out if task.worker != slow or turn % 3 == 0), None)
        if ended is not None:
            out.remove(ended)
            obey(list(scheduler.ran(ended, ())))
    assert out == []
    return sent


def worker_of(index: int, tasks: list[PlannedTask]) -> str:
    (worker,) = {task.worker for task in tasks if index in task.indices}
    return worker


def test_every_candidate_runs_exactly_once() -> None:
    tasks = tasks_of(candidates(*[n % 7 for n in range(50)]))
    assert sorted(i for task in tasks for i in task.indices) == list(range(50))


def test_a_senders_transactions_form_one_chain_in_order() -> None:
    tasks = tasks_of(candidates(*[n % 2 for n in range(60)], us=1_000))
    assert {worker_of(n, tasks) for n in range(0, 60, 2)} != {worker_of(n, tasks) for n in range(1, 60, 2)}
    for worker in ("w0", "w1"):
        order = [index for task in tasks if task.worker == worker for index in task.indices]
        assert order == sorted(order)
    assert all(len(task.indices) <= MAX_TASK_TRANSACTIONS for task in tasks)


def test_workers_are_loaded_by_expected_time() -> None:
    heavy = Candidate(0, S[0], 5_000)
    light = [Candidate(n, S[n], 500) for n in range(1, 11)]
    scheduler = ChainScheduler(chains_of([heavy, *light], {}), ("w0", "w1"), {})
    tasks = [command.task for command in scheduler.start() if isinstance(command, Send)]
    assert [task.indices for task in tasks if task.worker == "w0"] == [(0,)]
    assert len([task for task in tasks if task.worker == "w1"]) == 2


def test_who_has_a_long_chain_to_go_leaves_the_rest_to_others() -> None:
    chain = [Candidate(2 * n, S[0], 1_000) for n in range(20)]
    others = [Candidate(2 * n + 1, S[1 + n], 1_000) for n in range(20)]
    tasks = tasks_of(sorted(chain + others, key=lambda candidate: candidate.index))
    alone = worker_of(0, tasks)
    assert sum(worker_of(candidate.index, tasks) == alone for candidate in others) <= 4


def test_a_slow_worker_gets_less() -> None:
    tasks = tasks_of(candidates(*range(40), us=1_000), slow="w1")
    runs = {worker: sum(len(t.indices) for t in tasks if t.worker == worker) for worker in ("w0", "w1")}
    assert runs["w0"] > runs["w1"] + 5


def test_transactions_that_meet_at_a_key_go_to_one_worker() -> None:
    meets_at = {n: (HERE,) if n % 2 else (HERE, THERE) for n in range(20, 40)}
    assert len({worker_of(n, tasks_of(candidates(*range(40)), meets_at)) for n in range(20, 40)}) == 1


def test_keys_that_one_transaction_touches_both_join_those_that_touch_either() -> None:
    meets_at = {n: ((HERE,), (THERE,), (HERE, THERE))[n % 3] for n in range(30)}
    assert len({task.worker for task in tasks_of(candidates(*range(30)), meets_at)}) == 1


def test_a_workers_tasks_get_shorter_towards_the_end() -> None:
    lengths = [len(task.indices) for task in tasks_of(candidates(*[0] * 30, us=1_000), workers=("w0",))]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == MOST_TASK_US // 1_000
    assert lengths[-1] == 1


def test_what_execution_came_to_first_is_not_sent_any_more() -> None:
    scheduler = ChainScheduler([candidates(*[0] * 40, us=1_000)], ("w0",), {})
    first, *_ = [command.task for command in scheduler.start() if isinstance(command, Send)]
    for index in range(36):
        list(scheduler.took_turn(index, None))
    (command,) = scheduler.ran(first, ())
    assert command == Send(PlannedTask("w0", (36, 37, 38, 39)))


def test_a_block_that_is_not_sent_has_no_tasks() -> None:
    assert list(ChainScheduler((), ("w0", "w1"), {}).start()) == []


def total_us(chains: Sequence[Sequence[Candidate]]) -> int:
    return sum(candidate.expected_us for chain in chains for candidate in chain)


def test_workers_and_execution_share_what_is_independent() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), {})
    assert 18 <= len(for_workers(chains, workers=1)) <= 22
    assert 26 <= len(for_workers(chains, workers=2)) <= 30
    assert len(for_workers(chains, workers=16)) >= 36


def test_execution_keeps_more_where_it_has_less_to_do_beside_the_block() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), {})
    usual, spared = (len(for_workers(chains, workers=1, spared_us=us)) for us in (0, 4_000))
    assert usual - 3 <= spared < usual


def test_of_like_runs_those_sent_are_spread_over_the_block() -> None:
    sent = [chain[0].index for chain in for_workers(chains_of(candidates(*range(40), us=1_000), {}), workers=1)]
    assert all(3 <= sum(start <= index < start + 10 for index in sent) <= 7 for start in (0, 10, 20, 30))


def test_long_runs_are_sent_and_short_ones_stay() -> None:
    mixed = [Candidate(n, S[n], 2_000 if n % 4 == 0 else 50) for n in range(40)]
    sent = {chain[0].index for chain in for_workers(chains_of(mixed, {}), workers=1)}
    assert sent
    assert all(index % 4 == 0 for index in sent)


def test_a_long_chain_is_one_of_the_halves() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), dict.fromkeys(range(0, 40, 2), (HERE,)))
    assert 18_000 <= total_us(for_workers(chains, workers=1)) <= 22_000


def test_a_block_that_is_one_chain_stays() -> None:
    assert for_workers(chains_of(candidates(*[0] * 40, us=1_000), {}), workers=2) == []
    assert for_workers(chains_of(candidates(*range(40), us=1_000), dict.fromkeys(range(40), (HERE,))), workers=8) == []


def test_the_end_of_a_chain_stays_where_the_whole_of_it_is_too_much() -> None:
    four_chains = chains_of(candidates(*[n % 4 for n in range(40)], us=1_000), {})
    *whole, beginning = for_workers(four_chains[:3], workers=1)
    assert [len(chain) for chain in whole] == [10]
    assert 3 <= len(beginning) <= 7
    assert list(beginning) in [chain[: len(beginning)] for chain in four_chains]


def test_the_end_of_a_chain_runs_once_its_beginning_is_merged() -> None:
    staying = Staying({3: -1, 5: 2, 7: 6, 8: 6, 9: -1})
    assert [staying.next(0), staying.next(0), staying.next(0)] == [3, 9, None]
    assert [staying.next(3), staying.next(3)] == [5, None]
    assert [staying.next(6), staying.next(7), staying.next(8)] == [None, 8, None]


def test_runs_shorter_than_the_work_around_them_stay() -> None:
    assert for_workers(chains_of(candidates(*range(40), us=20), {}), workers=16) == []


def test_slow_workers_get_less() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), {})
    lengths = [len(for_workers(chains, workers=1, slowness=slowness)) for slowness in (0.5, 1, 2)]
    assert lengths == sorted(set(lengths), reverse=True)


def waiting(*writers: int) -> dict[int, tuple[Waited, ...]]:
    """Each transaction after the first waits for one of these."""
    return {at: (Waited(AccessKind.ACCOUNT, S[0], 0, writer),) for at, writer in enumerate(writers, start=1)}


def test_a_graph_pays_if_neither_its_longest_path_nor_the_sending_takes_most_of_the_time() -> None:
    long = candidates(*range(40), us=1_000)
    assert pays(long, {}, workers=2)
    assert pays(long, waiting(*[at // 2 for at in range(39)]), workers=2)
    assert not pays(long, waiting(*range(39)), workers=8)
    assert not pays(candidates(*range(40), us=50), {}, workers=8)


def test_of_like_chains_those_that_workers_had_before_go_first() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), {})
    theirs = range(20, 40)
    sent = {chain[0].index for chain in for_workers(chains, workers=1, theirs=theirs)}
    assert len(sent & set(theirs)) == min(len(sent), len(theirs))
