"""What a chain starts from, and what it fixes for all its life."""

from dataclasses import dataclass

from chain.accounts import AccountChange
from chain.codec import encode_value
from chain.forks import Fork
from chain.keccak import keccak256
from chain.types import Address, Gas, Hash32, Wei


@dataclass(frozen=True, slots=True)
class ValidatorIdentity:
    """A validator's 32-byte Ed25519 public key, its stake, and the address that its blocks' fees go to."""

    public_key: bytes
    stake: int
    beneficiary: Address


@dataclass(frozen=True, slots=True)
class Genesis:
    """The state and the rules a chain starts with. Its id names the chain; every signature covers it.

    `timestamp` in seconds; `base_fee` is that of block 1's parent; `max_lag` is how many blocks execution may be
    behind a new one; `rules` names the consensus rule set, `leaders` the leader schedule.
    """

    chain_id: int
    fork: Fork
    timestamp: int
    gas_limit: Gas
    base_fee: Wei
    accounts: tuple[AccountChange, ...]
    validators: tuple[ValidatorIdentity, ...]
    max_lag: int
    rules: str
    leaders: str

    def id(self) -> Hash32:
        return keccak256(b"tandem genesis" + encode_value(self))
