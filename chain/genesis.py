"""What a chain starts from, and what it fixes for all its life."""

from dataclasses import dataclass

from chain.accounts import AccountChange
from chain.codec import encode_value
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import EMPTY_BLOOM, EMPTY_REQUESTS_HASH, NO_PARENT, Header
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei


@dataclass(frozen=True, slots=True)
class ValidatorIdentity:
    """A validator's 32-byte Ed25519 public key, its stake, and the address that its blocks' fees go to."""

    public_key: bytes
    stake: int
    beneficiary: Address


@dataclass(frozen=True, slots=True)
class Forked:
    """The chain id of the remote chain that a fork goes on from, and the gas limit of the fork's own blocks."""

    chain_id: int
    gas_limit: Gas


@dataclass(frozen=True, slots=True)
class Genesis:
    """The state and the rules a chain starts with. Its id names the chain; every signature covers it.

    `header` is that of the first block kept, whose state are the `accounts`; its state root is zero, storage works it
    out. A chain that begins with a loaded state has no accounts here but `state`, the checksum of the file that holds
    them, and the whole header. `head` is that of the newest block that was imported on top. On a fork (`forked`) the
    header is that of the remote chain's block, as it is there, and `accounts` are what differs from the remote's state
    after it. `max_lag` is how many blocks execution may be behind a new one; `rules` names the consensus rule set,
    `leaders` the leader schedule. `dev_api` lets operations change the chain (chain.operations).
    """

    chain_id: int
    forks: ForkSchedule
    header: Header
    accounts: tuple[AccountChange, ...]
    validators: tuple[ValidatorIdentity, ...]
    max_lag: int
    rules: str
    leaders: str
    state: Hash32 | None = None
    head: Header | None = None
    forked: Forked | None = None
    dev_api: bool = True

    @property
    def base(self) -> Header:
        """The header below the first block of ours: height 0 ends with it."""
        return self.head or self.header

    @property
    def timestamp(self) -> int:
        """The base's, in seconds."""
        return self.base.timestamp

    @property
    def gas_limit(self) -> Gas:
        """That of every block to come."""
        return self.base.gas_limit if self.forked is None else self.forked.gas_limit

    @property
    def base_fee(self) -> Wei:
        """The base's; 0 before London."""
        return self.base.base_fee or Wei(0)

    def next_fork(self, now: int) -> Fork:
        """The rules of the first block of ours, were it made at this time in seconds."""
        return self.forks.at(self.base.number + 1, max(now, self.base.timestamp))

    def id(self) -> Hash32:
        return keccak256(b"tandem genesis" + encode_value(self))


def first_header(fork: Fork, timestamp: int, gas_limit: Gas, base_fee: Wei) -> Header:
    """The header of block 0 of a chain of our own, which has this fork from its start."""
    return Header(
        parent_hash=NO_PARENT,
        beneficiary=ZERO_ADDRESS,
        state_root=ZERO_HASH,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=EMPTY_BLOOM,
        number=BlockNumber(0),
        gas_limit=gas_limit,
        gas_used=Gas(0),
        timestamp=timestamp,
        prev_randao=ZERO_HASH,
        base_fee=base_fee,
        requests_hash=EMPTY_REQUESTS_HASH if fork >= Fork.PRAGUE else None,
    )
