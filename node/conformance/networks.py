"""The networks that official tests name: a fork, or one that follows another at a block or at a time."""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Network:
    """The fork of the first block, and the one that follows from a block number or a time on."""

    first: Fork
    then: Fork
    at: int | None = None
    by_time: bool = False

    def fork(self, number: int, timestamp: int) -> Fork:
        """The rules of a block."""
        if self.at is None or (timestamp if self.by_time else number) < self.at:
            return self.first
        return self.then


def network_named(name: str) -> Network:
    """Raises Unsupported."""
    if name in FORKS:
        return Network(FORKS[name], FORKS[name])
    match = TRANSITION.fullmatch(name)
    if match is None or match[1] not in FORKS or match[2] not in FORKS:
        raise Unsupported(f"network {name} is not one of ours")
    at = int(match[4]) * (1000 if match[5] else 1)
    return Network(FORKS[match[1]], FORKS[match[2]], at, match[3] is not None)
