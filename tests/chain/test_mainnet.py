"""Mainnet's forks: the last block of one and the first of the next, as EIP-6953 and the forks' own EIPs give them."""

import pytest

from chain.fees import BLOB_GAS_PER_BLOB, blob_base_fee, max_blob_gas, target_blob_gas
from chain.forks import CHAIN_FORKS, Fork, UnknownFork, fork_named
from chain.mainnet import MAINNET
from chain.types import Gas

BEFORE_SHANGHAI_S = 1_681_338_443


@pytest.mark.parametrize(
    ("first", "before", "fork"),
    [
        (1_150_000, Fork.FRONTIER, Fork.HOMESTEAD),
        (2_463_000, Fork.HOMESTEAD, Fork.TANGERINE_WHISTLE),
        (2_675_000, Fork.TANGERINE_WHISTLE, Fork.SPURIOUS_DRAGON),
        (4_370_000, Fork.SPURIOUS_DRAGON, Fork.BYZANTIUM),
        (7_280_000, Fork.BYZANTIUM, Fork.PETERSBURG),
        (9_069_000, Fork.PETERSBURG, Fork.ISTANBUL),
        (12_244_000, Fork.ISTANBUL, Fork.BERLIN),
        (12_965_000, Fork.BERLIN, Fork.LONDON),
        (15_537_394, Fork.LONDON, Fork.PARIS),
    ],
)
def test_up_to_the_merge_forks_begin_at_a_block(first: int, before: Fork, fork: Fork) -> None:
    assert MAINNET.at(first - 1, BEFORE_SHANGHAI_S) == before
    assert MAINNET.at(first, BEFORE_SHANGHAI_S) == fork


@pytest.mark.parametrize(
    ("first_s", "before", "fork"),
    [
        (1_681_338_455, Fork.PARIS, Fork.SHANGHAI),
        (1_710_338_135, Fork.SHANGHAI, Fork.CANCUN),
        (1_746_612_311, Fork.CANCUN, Fork.PRAGUE),
        (1_764_798_551, Fork.PRAGUE, Fork.OSAKA),
        (1_765_290_071, Fork.OSAKA, Fork.BPO1),
        (1_767_747_671, Fork.BPO1, Fork.BPO2),
    ],
)
def test_since_shanghai_forks_begin_at_a_time(first_s: int, before: Fork, fork: Fork) -> None:
    assert MAINNET.at(20_000_000, first_s - 1) == before
    assert MAINNET.at(20_000_000, first_s) == fork


def test_forks_are_named_as_people_write_them() -> None:
    assert fork_named("spurious-dragon") == Fork.SPURIOUS_DRAGON
    assert [fork_named(fork.label) for fork in Fork] == list(Fork)


def test_a_chain_has_the_newest_forks_only() -> None:
    with pytest.raises(UnknownFork, match="choose one of cancun, prague, osaka"):
        fork_named("shanghai", CHAIN_FORKS)


@pytest.mark.parametrize(
    ("fork", "target", "most"),
    [(Fork.CANCUN, 3, 6), (Fork.PRAGUE, 6, 9), (Fork.OSAKA, 6, 9), (Fork.BPO1, 10, 15), (Fork.BPO2, 14, 21)],
)
def test_a_block_has_room_for_the_blobs_of_its_fork(fork: Fork, target: int, most: int) -> None:
    assert target_blob_gas(fork) == target * BLOB_GAS_PER_BLOB
    assert max_blob_gas(fork) == most * BLOB_GAS_PER_BLOB


@pytest.mark.parametrize("fork", [Fork.CANCUN, Fork.PRAGUE, Fork.BPO1, Fork.BPO2])
def test_a_full_block_raises_the_price_of_blobs_by_a_twelfth_to_an_eighth(fork: Fork) -> None:
    """The update fractions of all schedules are chosen so (EIP-7691, 7892)."""
    above = max_blob_gas(fork) - target_blob_gas(fork)
    excess = Gas(200 * above)
    growth = blob_base_fee(Gas(excess + above), fork) / blob_base_fee(excess, fork)
    assert 1.08 < growth < 1.13
