"""The whole state at a version, a page at a time: every account by address, with its slots and its code.

Whoever asks for the pages may take as long as it likes between them: a version never changes.
"""

from collections.abc import Generator, Iterator

from chain.accounts import WITHOUT_CODE, Account
from chain.messages.state_pages import AccountPart, StatePage
from chain.types import Address, Hash32, Version
from storage.state import SLOT_BYTES, VersionedState
from storage.steps import run
from storage.tries import ACCOUNT_TRIE, Tries

ADDRESS_BYTES = 20
PAIR_BYTES = 2 * SLOT_BYTES
ACCOUNT_BYTES = 100
RECORDS_A_STEP = 32


class StatePageWalk:
    """Fills one page of about `max_bytes`; with `alone` with accounts without their slots and codes."""

    def __init__(
        self, state: VersionedState, tries: Tries, version: Version, max_bytes: int, *, alone: bool = False
    ) -> None:
        self._state = state
        self._root = tries.root(ACCOUNT_TRIE, version)
        self._version = version
        self._max_bytes = max_bytes
        self._alone = alone
        self._accounts: list[AccountPart] = []
        self._codes: dict[Hash32, bytes] = {}
        self._bytes = 0

    def page(self, after: bytes) -> Generator[None, None, StatePage]:
        """The page that follows `after`: an address, or an address and the number of one of its slots, or nothing."""
        last = Address(after[:ADDRESS_BYTES]) if after else None
        end = b""
        if last is not None and len(after) > ADDRESS_BYTES:
            account = self._state.account(last, self._version).account
            end = yield from self._add(last, account, int.from_bytes(after[ADDRESS_BYTES:], "big"))
        if not end:
            for address, account in self._state.accounts(self._version, last):
                end = yield from self._add(address, account, None)
                if end:
                    break
        return StatePage(self._root, tuple(self._accounts), tuple(self._codes.values()), end)

    def page_of(self, address: Address, after: bytes) -> Generator[None, None, StatePage]:
        """The same of one account, without its code."""
        account = self._state.account(address, self._version).account
        behind = int.from_bytes(after[ADDRESS_BYTES:], "big") if after else None
        end = yield from self._add_slots(address, account, behind)
        return StatePage(self._root, tuple(self._accounts), (), end)

    def _add(self, address: Address, account: Account, after: int | None) -> Generator[None, None, bytes]:
        """An account with its code and slots. Where the page ends, if it is full."""
        if self._alone:
            self._accounts.append(AccountPart(address, account, ()))
            self._bytes += ACCOUNT_BYTES
            yield
            end = b""
        else:
            end = yield from self._add_slots(address, account, after)
            self._add_code(account.code_hash)
        return end or (address if self._bytes >= self._max_bytes else b"")

    def _add_slots(self, address: Address, account: Account, after: int | None) -> Generator[None, None, bytes]:
        """An account, with as many of its slots behind one as fit. Where they end, if there may be more."""
        slots: list[tuple[int, int]] = []
        room = max(self._max_bytes - self._bytes, PAIR_BYTES) // PAIR_BYTES
        end = b""
        for number, value in self._state.slots(address, self._version, after):
            slots.append((number, value))
            if len(slots) == room:
                end = address + number.to_bytes(SLOT_BYTES, "big")
                break
            if len(slots) % RECORDS_A_STEP == 0:
                yield
        self._accounts.append(AccountPart(address, account, tuple(slots)))
        self._bytes += ACCOUNT_BYTES + len(slots) * PAIR_BYTES
        yield
        return end

    def _add_code(self, code_hash: Hash32) -> None:
        if code_hash not in WITHOUT_CODE and code_hash not in self._codes:
            code = self._codes[code_hash] = self._state.code(code_hash)
            self._bytes += len(code)


def all_pages(state: VersionedState, tries: Tries, version: Version, max_bytes: int) -> Iterator[StatePage]:
    """Every page, one after the other."""
    after = None
    while after != b"":
        page = run(StatePageWalk(state, tries, version, max_bytes).page(after or b""))
        yield page
        after = page.after
