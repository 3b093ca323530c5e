"""How one official test comes out."""

from dataclasses import dataclass


class Unsupported(Exception):
    """A test for rules or of a kind that this project does not have; it is counted, not run."""


class Failed(Exception):
    """The test came out otherwise than it must; the text says in what."""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """Passed if there is neither a failure nor a reason for which it was skipped."""

    name: str
    file: str
    kind: str
    fork: str
    failure: str = ""
    skipped: str = ""
