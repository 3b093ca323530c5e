"""What has changed between two versions, for those who hold the state of the earlier one."""

from collections.abc import Generator

from chain.messages.storage import ChangedValues
from chain.types import Version
from storage.journal import Journal
from storage.kept import VALUES
from storage.reverts import accounts_in, slots_in
from storage.state import VersionedState

MAX_VERSIONS = 256
MAX_CHANGES = 1_024
"""With more it is cheaper to read the few values that are asked for."""
NAMES_A_STEP = 64


def changed_values(
    journal: Journal, state: VersionedState, since: Version, version: Version
) -> Generator[None, None, ChangedValues | None]:
    """The values at `version` of all that was written after `since`, whose journal must be there. None for too many."""
    if version - since > MAX_VERSIONS:
        return None
    names: dict[bytes, None] = {}
    for part in journal.parts(Version(since + 1), version):
        names.update((name, None) for name, _ in part.written.names() if name.startswith(VALUES))
        if len(names) > MAX_CHANGES:
            return None
        yield
    accounts, slots = [], []
    for count, address in enumerate((yield from accounts_in(names)), 1):
        accounts.append((address, state.account(address, version).account))
        if count % NAMES_A_STEP == 0:
            yield
    for count, (address, number) in enumerate(slots_in(names), 1):
        slots.append((address, number, state.slot(address, number, version)))
        if count % NAMES_A_STEP == 0:
            yield
    return ChangedValues(tuple(accounts), tuple(slots))
