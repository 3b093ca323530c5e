"""What is asked of the state at a version: values, proofs, pages of it all, the root that more changes would give."""

from collections.abc import Generator

from chain.accounts import AccountChange
from chain.merkle import EMPTY_ROOT
from chain.messages.proofs import Proof, ReadProof
from chain.messages.simulation import StateRoot, WorkOutRoot
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import (
    AskRemote,
    ChangedAccounts,
    ChangedValues,
    ReadChangedAccounts,
    ReadState,
    RemoteAnswer,
    StateValues,
)
from chain.types import Address, Hash32, Version
from storage.awaited import Awaited
from storage.changed_values import changed_values
from storage.changes import StateChanges
from storage.errors import NoFork, NoProofOnFork, NoWholeState
from storage.handlers import Handlers
from storage.proofs import ProvenState, prove
from storage.remote import Slot
from storage.remote_below import RemoteBelow
from storage.reverts import accounts_in, changed_accounts
from storage.slices import in_slices
from storage.state_pages import StatePageWalk
from storage.store import Store
from storage.tries import ACCOUNT_TRIE

READS_A_SLICE = 256


class StateAnswers:
    """A read waits until its version is applied. On a fork what was never read is asked of the remote chain first."""

    def __init__(self, store: Store, remote: RemoteBelow | None, awaited: Awaited) -> None:
        self._store = store
        self._remote = remote
        self._awaited = awaited

    def handlers(self) -> Handlers:
        """By the class of what they answer."""
        return {
            ReadState: self._read_state,
            ReadChangedAccounts: self._read_changed_accounts,
            ReadProof: self._read_proof,
            ReadStatePage: self._read_state_page,
            WorkOutRoot: self._work_out_root,
            AskRemote: self._ask_remote,
        }

    async def _read_state(self, read: ReadState) -> StateValues:
        version = await self._awaited.reached(read.version)
        state = self._store.state

        def values() -> Generator[None, None, StateValues]:
            accounts, slots = [], []
            for count, address in enumerate(read.accounts, 1):
                accounts.append(state.account(address, version).account)
                if count % READS_A_SLICE == 0:
                    yield
            for count, (address, number) in enumerate(read.slots, 1):
                slots.append(state.slot(address, number, version))
                if count % READS_A_SLICE == 0:
                    yield
            codes = tuple([state.code(code_hash) for code_hash in read.codes])
            changes = yield from self._changes(read.since, version)
            return StateValues(version, tuple(accounts), tuple(slots), codes, changes)

        with self._store.pruning.reading(version):
            await self._ensure(read.accounts, read.slots, version)
            return await in_slices(values())

    def _changes(self, since: Version | None, version: Version) -> Generator[None, None, ChangedValues | None]:
        if since is None or since < self._store.pruning.floor or self._store.state.forked:
            return None
        return (yield from changed_values(self._store.journal, self._store.state, since, version))

    async def _ensure(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...], version: Version) -> None:
        """On a fork, read from the remote chain what was never read. Raises RemoteError."""
        if self._remote is not None:
            await self._remote.state.ensure(accounts, slots, version)

    async def _read_changed_accounts(self, read: ReadChangedAccounts) -> ChangedAccounts:
        """Raises StatePruned. Who asks is about to go back to that version, so it is kept for a while."""
        with self._store.pruning.going_back(read.version):
            names = await in_slices(self._store.ways.names(read.version))
            if self._remote is not None:
                await self._ensure(tuple(await in_slices(accounts_in(names))), (), read.version)
            return ChangedAccounts(await in_slices(changed_accounts(names, self._store.state, read.version)))

    async def _read_proof(self, read: ReadProof) -> Proof:
        """Raises NoProofOnFork."""
        if self._store.state.forked:
            raise NoProofOnFork
        version = await self._awaited.reached(read.version)
        with self._store.pruning.reading(version):
            above, _ = await self._worked_in(version, read.changes) if read.changes else (None, EMPTY_ROOT)
            proven = ProvenState(self._store.state, self._store.tries, version, above)
            return await in_slices(prove(proven, read.address, read.slots))

    async def _read_state_page(self, read: ReadStatePage) -> StatePage:
        """Raises NoWholeState."""
        if self._store.state.forked and not read.of_what_is_here:
            raise NoWholeState
        version = await self._awaited.reached(read.version)
        with self._store.pruning.reading(version):
            walk = StatePageWalk(self._store.state, self._store.tries, version, read.max_bytes, alone=read.alone)
            return await in_slices(walk.page(read.after) if read.of is None else walk.page_of(read.of, read.after))

    async def _work_out_root(self, asked: WorkOutRoot) -> StateRoot:
        """The root that a version would have, without anything being written."""
        version = await self._awaited.reached(asked.version)
        with self._store.pruning.reading(version):
            _, root = await self._worked_in(version, asked.changes)
            return StateRoot(root)

    async def _worked_in(self, version: Version, changes: tuple[AccountChange, ...]) -> tuple[StateChanges, Hash32]:
        """What these changes make of the state and its tries, and the root. Nothing is written."""
        slots = tuple((change.address, number) for change in changes for number in change.slots)
        await self._ensure(tuple(change.address for change in changes), slots, version)
        state, tries = self._store.state, self._store.tries
        above = StateChanges(state, tries, self._store.head.number, Version(version + 1), version)
        return above, await in_slices(above.run(tries.root(ACCOUNT_TRIE, version), changes))

    async def _ask_remote(self, asked: AskRemote) -> RemoteAnswer:
        """Raises NoFork, RemoteError."""
        if self._remote is None:
            raise NoFork
        answer = await self._remote.answers.forward(asked.method, asked.params)
        if isinstance(answer, bytes):
            return RemoteAnswer(answer, 0, "", None)
        return RemoteAnswer(None, answer.code, answer.message, answer.data)
