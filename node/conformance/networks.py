"""The networks that official tests name: a fork, or one that follows another at a block or at a time."""

import re

from chain.fork_schedule import ForkSchedule, only
from chain.forks import Fork
from node.conformance.outcomes import Unsupported

FORKS = {
    "Frontier": Fork.FRONTIER,
    "Homestead": Fork.HOMESTEAD,
    "EIP150": Fork.TANGERINE_WHISTLE,
    "TangerineWhistle": Fork.TANGERINE_WHISTLE,
    "EIP158": Fork.SPURIOUS_DRAGON,
    "SpuriousDragon": Fork.SPURIOUS_DRAGON,
    "Byzantium": Fork.BYZANTIUM,
    "Constantinople": Fork.CONSTANTINOPLE,
    "ConstantinopleFix": Fork.PETERSBURG,
    "Petersburg": Fork.PETERSBURG,
    "Istanbul": Fork.ISTANBUL,
    "MuirGlacier": Fork.ISTANBUL,
    "Berlin": Fork.BERLIN,
    "London": Fork.LONDON,
    "ArrowGlacier": Fork.LONDON,
    "GrayGlacier": Fork.LONDON,
    "Merge": Fork.PARIS,
    "Paris": Fork.PARIS,
    "Shanghai": Fork.SHANGHAI,
    "Cancun": Fork.CANCUN,
    "Prague": Fork.PRAGUE,
    "Osaka": Fork.OSAKA,
    "BPO1": Fork.BPO1,
    "BPO2": Fork.BPO2,
}
TRANSITION = re.compile(r"(\w+?)To(\w+?)At(Time)?(\d+)(k?)")


def network_named(name: str) -> ForkSchedule:
    """Raises Unsupported."""
    if name in FORKS:
        return only(FORKS[name])
    match = TRANSITION.fullmatch(name)
    if match is None or match[1] not in FORKS or match[2] not in FORKS:
        raise Unsupported(f"network {name} is not one of ours")
    first, then, at = FORKS[match[1]], FORKS[match[2]], int(match[4]) * (1000 if match[5] else 1)
    if match[3] is None:
        return ForkSchedule(((0, first), (at, then)))
    return ForkSchedule(((0, first),), ((at, then),))
