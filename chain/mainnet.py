"""When Ethereum's mainnet changed its rules."""

from chain.fork_schedule import ForkSchedule
from chain.forks import Fork

CHAIN_ID = 1
MAINNET = ForkSchedule(
    by_number=(
        (0, Fork.FRONTIER),
        (1_150_000, Fork.HOMESTEAD),
        (2_463_000, Fork.TANGERINE_WHISTLE),
        (2_675_000, Fork.SPURIOUS_DRAGON),
        (4_370_000, Fork.BYZANTIUM),
        (7_280_000, Fork.PETERSBURG),  # Constantinople, which came with it, was in force for no block
        (9_069_000, Fork.ISTANBUL),
        (12_244_000, Fork.BERLIN),
        (12_965_000, Fork.LONDON),
        (15_537_394, Fork.PARIS),
    ),
    by_time=(
        (1_681_338_455, Fork.SHANGHAI),
        (1_710_338_135, Fork.CANCUN),
        (1_746_612_311, Fork.PRAGUE),
        (1_764_798_551, Fork.OSAKA),
        (1_765_290_071, Fork.BPO1),
        (1_767_747_671, Fork.BPO2),
    ),
)
DAO_FORK = 1_920_000
