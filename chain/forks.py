"""Ethereum's forks by name, in order."""

from enum import IntEnum

from chain.errors import ChainError


class UnknownFork(ChainError):
    """A fork name this project does not know."""


class Fork(IntEnum):
    """A set of protocol rules; later forks compare greater."""

    CANCUN = 1
    PRAGUE = 2
    OSAKA = 3

    @property
    def label(self) -> str:
        """The name as users type it."""
        return self.name.lower()


def fork_named(name: str) -> Fork:
    """The fork a user means by `name`. Raises UnknownFork with the names there are."""
    try:
        return Fork[name.upper()]
    except KeyError:
        known = ", ".join(fork.label for fork in Fork)
        raise UnknownFork(f"unknown hardfork {name!r}: choose one of {known}") from None
