"""Both backends do the same."""

import random
from collections.abc import Callable

from storage.keyvalue import KeyValue, end_of_prefix

KeyValueFactory = Callable[[], KeyValue]


def test_random_writes_are_read_back_in_order(keyvalue_factory: KeyValueFactory, seed: int) -> None:
    chooser = random.Random(seed)
    store, model = keyvalue_factory(), dict[bytes, bytes]()
    for _ in range(20):
        batch: dict[bytes, bytes | None] = {}
        for _ in range(10):
            key = chooser.randbytes(chooser.randint(1, 2))
            batch[key] = None if chooser.random() < 0.3 else chooser.randbytes(3)
        store.write(batch)
        model.update({key: value for key, value in batch.items() if value is not None})
        for key in [key for key, value in batch.items() if value is None]:
            model.pop(key, None)
        probe, stop = sorted([chooser.randbytes(1), chooser.randbytes(2)])
        ordered = sorted(model.items())
        assert store.get(probe) == model.get(probe)
        assert store.first_from(probe) == next((pair for pair in ordered if pair[0] >= probe), None)
        assert list(store.pairs(probe, stop)) == [pair for pair in ordered if probe <= pair[0] < stop]
        assert list(store.with_prefix(probe)) == [pair for pair in ordered if pair[0].startswith(probe)]
    assert store.approximate_bytes() > 0
    store.close()


def test_pairs_are_those_of_the_moment_they_were_asked_for(keyvalue_factory: KeyValueFactory) -> None:
    store = keyvalue_factory()
    store.write({b"a1": b"1", b"a2": b"2"})
    pairs = store.with_prefix(b"a")
    store.write({b"a1": None, b"a3": b"3"})
    assert list(pairs) == [(b"a1", b"1"), (b"a2", b"2")]
    assert store.first_from(b"a") == (b"a2", b"2")
    store.close()


def test_a_snapshot_stays_as_it_was_taken(keyvalue_factory: KeyValueFactory) -> None:
    store = keyvalue_factory()
    store.write({b"a1": b"1", b"a2": b"2"})
    snapshot = store.snapshot()
    store.write({b"a1": None, b"a2": b"x", b"a3": b"3"})
    assert [snapshot.get(key) for key in (b"a1", b"a2", b"a3")] == [b"1", b"2", None]
    assert list(snapshot.pairs(b"a", b"b")) == [(b"a1", b"1"), (b"a2", b"2")]
    store.close()


def test_a_prefix_ends_before_the_next_key_that_has_it_not() -> None:
    assert end_of_prefix(b"a") == b"b"
    assert end_of_prefix(b"a\xff\xff") == b"b"
