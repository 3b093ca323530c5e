"""What the links themselves say."""

from dataclasses import dataclass

from chain.codec import message


@message(0)
@dataclass(frozen=True, slots=True)
class Done:
    """The request was carried out and has nothing to say."""


@message(1)
@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be carried out: the name of the error's class, and its text for people."""

    error: str
    text: str
