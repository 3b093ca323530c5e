"""Storage's answers from a state in memory: what a block case is run on outside a chain."""

from chain.accounts import EMPTY_ACCOUNT, THERE_WITHOUT_CODE, Account
from chain.block_case import CaseAccount
from chain.forks import Fork
from chain.keccak import keccak256
from chain.links import Peer
from chain.messages import Message
from chain.messages.link import Done
from chain.messages.storage import BlockHashes, ReadHashes, ReadState, StateValues
from chain.messages.workbench import HoldState
from chain.types import ZERO_HASH, Address, BlockNumber, Hash32, Version
from execution.errors import ExecutionError
from execution.known import NO_CODE
from execution.outcome import Slot


class NoSuchState(ExecutionError):
    """A read of something that is not held."""


class HeldState:
    """One state at a time, at one version (implements chain.links.Service). Keys that it lacks are empty."""

    def __init__(self) -> None:
        self._version = Version(0)
        self._accounts: dict[Address, Account] = {}
        self._slots: dict[Slot, int] = {}
        self._codes: dict[Hash32, bytes] = dict(NO_CODE)
        self._hashes: dict[BlockNumber, Hash32] = {}

    def hold(self, state: HoldState) -> None:
        """Take this state in place of the one before."""
        self._version = state.version
        self._accounts = {address: _account(row, state.fork) for address, row in state.accounts.items()}
        self._slots = {(a, number): value for a, row in state.accounts.items() for number, value in row.slots.items()}
        self._codes = NO_CODE | {self._accounts[address].code_hash: row.code for address, row in state.accounts.items()}
        self._hashes = state.block_hashes

    def read(self, message: Message) -> Message:
        """The answer to ReadState or ReadHashes. Raises NoSuchState."""
        if not isinstance(message, ReadState | ReadHashes) or message.version != self._version:
            raise NoSuchState(f"state {self._version} is held, which does not answer {message}")
        if isinstance(message, ReadHashes):
            return BlockHashes(tuple([self._hashes.get(number, ZERO_HASH) for number in message.numbers]))
        return self._values(message)

    async def request(self, message: Message) -> Message:
        """The answer to HoldState and to what `read` answers. Raises NoSuchState."""
        if isinstance(message, HoldState):
            self.hold(message)
            return Done()
        return self.read(message)

    async def answer(self, message: Message, peer: Peer) -> Message:
        return await self.request(message)

    def joined(self, peer: Peer) -> None:
        """Anybody may read."""

    def left(self, peer: Peer) -> None:
        """Nothing is kept for those who read."""

    def _values(self, read: ReadState) -> StateValues:
        unknown = [code_hash for code_hash in read.codes if code_hash not in self._codes]
        if unknown:
            raise NoSuchState(f"the code with hash 0x{unknown[0].hex()} is not part of the state")
        return StateValues(
            self._version,
            tuple([self._accounts.get(address, EMPTY_ACCOUNT) for address in read.accounts]),
            tuple([self._slots.get(key, 0) for key in read.slots]),
            tuple([self._codes[code_hash] for code_hash in read.codes]),
        )


def _account(row: CaseAccount, fork: Fork) -> Account:
    """The account as the fork's rules see it: before EIP-161 an empty one differs from one that is not there."""
    account = Account(row.nonce, row.balance, keccak256(row.code))
    return Account(code_hash=THERE_WITHOUT_CODE) if account.is_empty and fork < Fork.SPURIOUS_DRAGON else account
