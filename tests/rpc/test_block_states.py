"""Whatever order, repetition and loss the news has, each block passes every state once, in order."""

from collections import defaultdict
from random import Random

import pytest

from chain.messages.watching import BlockStage, StageReached
from chain.types import BlockNumber, Gas, Hash32, Height, Round, ValidatorIndex
from rpc.block_states import STATES, BlockStates, Executed, StateChange

STAKES = (1, 1, 1, 1)
P, C, K, V, A = BlockStage


def proposal(number: int, attempt: int = 0) -> Hash32:
    return Hash32(bytes([number, attempt]) * 16)


def reached(number: int, stage: BlockStage, at_ms: int = 0, attempt: int = 0) -> StageReached:
    id = proposal(number, attempt)
    return StageReached(Height(number), id, Round(2 * number + attempt), ValidatorIndex(attempt), stage, at_ms)


def executed(number: int, at_ms: int = 0) -> Executed:
    return Executed(BlockNumber(number), Hash32(bytes([number]) * 32), number, Gas(21_000 * number), at_ms)


class World:
    """The states under test, and everything that became known in order."""

    def __init__(self, stakes: tuple[int, ...] = STAKES, finished: int = 0) -> None:
        self.states = BlockStates(stakes, Height(finished), BlockNumber)
        self.changes: list[StateChange] = []

    def say(self, validator: int, *stages: StageReached) -> list[str]:
        new = [c for stage in stages for c in self.states.told(ValidatorIndex(validator), stage)]
        self.changes += new
        return [change.state for change in new]

    def execute(self, number: int, at_ms: int = 0) -> list[str]:
        new = self.states.executed(Height(number), executed(number, at_ms))
        self.changes += new
        return [change.state for change in new]


def test_one_word_proposes_and_more_than_a_third_of_the_stake_certifies_and_commits() -> None:
    world = World()
    assert world.say(0, reached(1, P)) == ["proposed"]
    assert world.say(0, reached(1, C), reached(1, K)) == []
    assert world.say(1, reached(1, C)) == ["certified"]
    assert world.say(1, reached(1, K)) == ["committed"]
    assert world.say(2, reached(1, P), reached(1, C), reached(1, K)) == []


def test_stake_counts_and_not_heads() -> None:
    world = World(stakes=(40, 30, 20, 10))
    assert world.say(2, reached(1, K)) == ["proposed"]
    assert world.say(3, reached(1, K)) == []
    assert world.say(1, reached(1, K)) == ["certified", "committed"]


def test_a_result_waits_for_the_commit_and_verification_for_the_result() -> None:
    world = World()
    assert world.execute(1, at_ms=70) == []
    assert world.say(0, reached(1, V, 90)) == ["proposed"]
    assert world.say(1, reached(1, V, 95)) == ["certified", "committed", "executed", "verified"]
    assert world.states.finished == 1
    assert [change.executed for change in world.changes] == [None, None, None, executed(1, 70), executed(1, 70)]


def test_a_block_is_verified_after_the_one_before_it() -> None:
    world = World()
    for validator in (0, 1):
        world.say(validator, reached(2, V), reached(1, K))
    world.execute(2)
    assert world.changes[-1].state == "executed"
    world.execute(1)
    assert [(c.number, c.state) for c in world.changes[-1:]] == [(1, "executed")]
    for validator in (0, 1):
        world.say(validator, reached(1, V))
    assert [(c.number, c.state) for c in world.changes[-2:]] == [(1, "verified"), (2, "verified")]


def test_a_proposal_that_another_replaced_is_abandoned_and_stays_so() -> None:
    world = World()
    world.say(0, reached(1, P, attempt=0))
    world.say(1, reached(1, P, attempt=1))
    world.say(1, reached(1, K, attempt=1))
    assert world.say(2, reached(1, K, attempt=1)) == ["certified", "committed", "abandoned"]
    assert world.changes[-1].proposal == proposal(1, 0)
    assert world.say(3, reached(1, P, attempt=0)) == []
    assert world.say(3, reached(1, P, attempt=2)) == ["proposed", "abandoned"], "one that comes later is told of too"


def test_a_proposal_that_more_than_a_third_dropped_is_abandoned() -> None:
    world = World()
    world.say(0, reached(1, P))
    assert world.say(0, reached(1, A)) == []
    assert world.say(1, reached(1, A)) == ["abandoned"]


def test_one_who_begins_to_listen_hears_what_the_blocks_in_flight_have_passed() -> None:
    world = World()
    for validator in (0, 1):
        world.say(validator, reached(2, C), reached(1, K))
    world.execute(1)
    assert [(c.number, c.state) for c in world.states.so_far()] == [
        *((1, state) for state in STATES[:4]),
        *((2, state) for state in STATES[:2]),
    ]


def test_finished_blocks_are_not_told_again_and_nothing_of_them_is_kept() -> None:
    world = World(finished=5)
    assert world.say(0, reached(5, V), reached(3, P)) == []
    assert world.execute(4) == []
    assert world.states.so_far() == []
    assert world.states.missing() == []


def test_results_that_are_missing_are_named_once_the_block_is_committed() -> None:
    world = World()
    world.say(0, reached(1, C))
    assert world.states.missing() == []
    for validator in (0, 1):
        world.say(validator, reached(1, K))
    assert world.states.missing() == [1]
    world.execute(1)
    assert world.states.missing() == []


def test_times_never_go_back_along_a_blocks_life() -> None:
    world = World()
    for validator, ahead in ((0, 500), (1, 0)):
        world.say(validator, *(reached(1, stage, 1_000 + ahead + stage) for stage in (P, C, K)))
    world.execute(1, at_ms=900)
    times = [change.at_ms for change in world.changes]
    assert times == sorted(times)
    assert world.changes[-1].proposed_at_ms == times[0]


def test_what_a_validator_makes_up_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpc.block_states.MAX_LIVE", 10)
    world = World()
    for number in range(1, 200):
        world.say(3, reached(number, P))
    assert len(world.states.so_far()) == 10


@pytest.mark.parametrize("seed", range(200))
def test_every_block_passes_every_state_once_and_in_order_whatever_the_news_does(seed: int) -> None:
    """Four validators tell the same history, each at its own pace; one may be silent for a while and then tell only
    how things ended, everyone may repeat itself, and results come before or after."""
    random = Random(seed)
    blocks = 12
    retried = {number for number in range(1, blocks + 1) if random.random() < 0.3}

    def story(patient: bool) -> list[StageReached]:
        told: list[StageReached] = []
        for number in range(1, blocks + 1):
            if number in retried:
                told += [reached(number, P, attempt=1), reached(number, A, attempt=1)]
            told += [reached(number, stage) for stage in (P, C, K, V)] if patient else [reached(number, V)]
        return told

    silent = random.randrange(5)
    streams: list[list[object]] = [list(story(patient=validator != silent)) for validator in range(4)]
    for stream in streams:
        for _ in range(random.randint(0, 5)):
            at = random.randrange(len(stream))
            stream[at:at] = stream[max(0, at - 6) : at]
    streams.append(list(range(1, blocks + 1)))
    world = World()
    while any(streams):
        source = random.choice([i for i, stream in enumerate(streams) if stream])
        item = streams[source].pop(0)
        if isinstance(item, StageReached):
            world.say(source, item)
        else:
            assert isinstance(item, int)
            world.execute(item)
    lives: dict[Hash32, list[str]] = defaultdict(list)
    for change in world.changes:
        lives[change.proposal].append(change.state)
    for number in range(1, blocks + 1):
        assert lives.pop(proposal(number)) == list(STATES), f"seed {seed}, block {number}"
    for abandoned, states in lives.items():
        assert states == ["proposed", "abandoned"], f"seed {seed}, {abandoned.hex()}"
    verified = [change.number for change in world.changes if change.state == "verified"]
    assert verified == list(range(1, blocks + 1)), f"seed {seed}"
    assert world.states.so_far() == []
