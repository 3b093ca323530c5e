"""What the bounded cache keeps."""

from storage.cache import RecentlyUsed


def test_what_is_read_again_and_again_stays_and_the_rest_goes() -> None:
    cache: RecentlyUsed[int, str] = RecentlyUsed(4)
    for key in range(100):
        cache.put(key, str(key))
        assert key < 1 or cache.get(0) == "0"
        assert len(cache) <= 8
    assert cache.get(0) == "0"
    assert cache.get(50) is None


def test_with_weights_the_bound_is_on_what_the_values_weigh_together() -> None:
    cache: RecentlyUsed[int, bytes] = RecentlyUsed(1000, len)
    for key in range(100):
        cache.put(key, bytes(300))
        assert 300 * len(cache) <= 2 * 1000
    assert cache.get(99) == bytes(300)


def test_a_value_put_again_weighs_once() -> None:
    cache: RecentlyUsed[int, bytes] = RecentlyUsed(1000, len)
    cache.put(1, bytes(10))
    for _ in range(95):
        cache.put(2, bytes(10))
    assert cache.get(1) is not None
