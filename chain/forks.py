"""Ethereum's forks by name, in order."""

from collections.abc import Sequence
from enum import IntEnum

from chain.errors import ChainError


class UnknownFork(ChainError):
    """A fork name this project does not know."""


class Fork(IntEnum):
    """A set of protocol rules; later forks compare greater.

    Forks that only put off the difficulty bomb are not told apart from the one before; BPO1 and BPO2 are Osaka with
    more blobs (EIP-7892). The numbers stand in the genesis of every chain, so they stay.
    """

    FRONTIER = -11
    HOMESTEAD = -10
    TANGERINE_WHISTLE = -9
    SPURIOUS_DRAGON = -8
    BYZANTIUM = -7
    CONSTANTINOPLE = -6
    PETERSBURG = -5
    ISTANBUL = -4
    BERLIN = -3
    LONDON = -2
    PARIS = -1
    SHANGHAI = 0
    CANCUN = 1
    PRAGUE = 2
    OSAKA = 3
    BPO1 = 4
    BPO2 = 5

    @property
    def label(self) -> str:
        """The name as users type it."""
        return self.name.lower().replace("_", "-")


CHAIN_FORKS = (Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA)
"""The forks that a chain of ours can have. The others are for running blocks of mainnet and official tests."""


def fork_named(name: str, among: Sequence[Fork] = tuple(Fork)) -> Fork:
    """The fork a user means by `name`. Raises UnknownFork with the names there are."""
    found = {fork.label: fork for fork in among}.get(name.lower())
    if found is None:
        raise UnknownFork(f"unknown hardfork {name!r}: choose one of {', '.join(fork.label for fork in among)}")
    return found
