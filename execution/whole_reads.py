"""A reader's connection to storage, past which it answers by itself while it holds the whole state of a small chain."""

from dataclasses import replace

from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.state_pages import ReadStatePage, StatePage
from chain.messages.storage import ReadState, StateValues
from chain.types import Version
from chain.whole_state import WholeState
from execution.reader import UnexpectedAnswer
from execution.storage_requests import BlockingReads


class WholeReads:
    """Implements BlockingReads."""

    def __init__(self, storage: BlockingReads) -> None:
        self._storage = storage
        self.whole = WholeState()
        """Complete once enough was read; see `WholeState.covers`."""

    def request(self, message: Message) -> Message:
        """The answer. Raises RequestFailed."""
        if not isinstance(message, ReadState) or message.version is None:
            return self._storage.request(message)
        version, whole = message.version, self.whole
        if whole.covers(version) and not message.codes:
            accounts = tuple(map(whole.account, message.accounts))
            return StateValues(version, accounts, tuple([whole.slot(*slot) for slot in message.slots]), ())
        since = whole.since(version)
        answer = self._storage.request(message if since is None else replace(message, since=since))
        if since is not None and isinstance(answer, StateValues):
            whole.follow(since, version, answer.changes)
        self._pay(version)
        return answer

    def _pay(self, version: Version) -> None:
        page = self.whole.next_page(version)
        if page is not None:
            self._read_page(page)

    def _read_page(self, wanted: ReadStatePage) -> None:
        try:
            page = self._storage.request(wanted)
        except RequestFailed as refusal:
            self.whole.give_up(for_good=refusal.error == "NoWholeState")
            return
        if not isinstance(page, StatePage):
            raise UnexpectedAnswer("StatePage", page)
        self.whole.take(page)
