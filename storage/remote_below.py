"""The remote chain below a fork's own: its state, read into the versioned one, and its blocks up to the forked one."""

from storage.forked_state import ForkedState
from storage.remote import RemoteChain
from storage.remote_answers import RemoteAnswers
from storage.remote_reads import RemoteReads
from storage.store import Store


class RemoteBelow:
    def __init__(self, remote: RemoteChain, store: Store) -> None:
        assert isinstance(store.state, ForkedState), "a chain of its own has no remote below"
        assert store.forked_at is not None
        self._remote = remote
        self.state = RemoteReads(remote, store.state, store.keep)
        self.answers = RemoteAnswers(remote, store.kept, store.keep)
        self.forked_at = store.forked_at

    def counters(self) -> dict[str, int]:
        return self._remote.counters()

    async def close(self) -> None:
        """End what is under way; whoever waits for it is cancelled."""
        await self.state.close()
        await self._remote.close()
