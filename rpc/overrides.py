"""State and block overrides: what a call is to pretend, in geth's shapes.

Block overrides are also understood under the names that geth once had (coinbase, random, baseFee). Member names are
compared without regard to case, as Go does.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from chain.addresses import checksummed
from chain.blocks import Withdrawal
from chain.messages.calls import AccountOverride
from chain.messages.execution import BlockEnvironment
from chain.types import ZERO_ADDRESS, Address, BlockNumber, Gas, Hash32, Wei
from rpc.errors import ServerError
from rpc.params import (
    UINT64_LIMIT,
    InvalidValue,
    Parser,
    address,
    data,
    hash32,
    mapping,
    member,
    quantity,
    sequence,
    uint64,
)

T = TypeVar("T")
ACCOUNT = "OverrideAccount"
BLOCK = "BlockOverrides"


@dataclass(frozen=True, slots=True)
class BlockOverrides:
    """What a block is to be like; None for what is to stay."""

    number: int | None = None
    time: int | None = None
    gas_limit: Gas | None = None
    fee_recipient: Address | None = None
    prev_randao: Hash32 | None = None
    base_fee: Wei | None = None
    blob_base_fee: Wei | None = None
    beacon_root: Hash32 | None = None
    withdrawals: tuple[Withdrawal, ...] | None = None

    def applied(self, environment: BlockEnvironment) -> BlockEnvironment:
        """The environment with these. Raises ServerError for what calls cannot have."""
        if self is NO_BLOCK_OVERRIDES:
            return environment
        if self.beacon_root is not None:
            raise ServerError('block override "beaconRoot" is not supported for this RPC method')
        if self.withdrawals is not None:
            raise ServerError('block override "withdrawals" is not supported for this RPC method')
        return replace(
            environment,
            number=environment.number if self.number is None else BlockNumber(self.number),
            timestamp=environment.timestamp if self.time is None else self.time,
            gas_limit=environment.gas_limit if self.gas_limit is None else self.gas_limit,
            beneficiary=self.fee_recipient or environment.beneficiary,
            prev_randao=self.prev_randao or environment.prev_randao,
            base_fee=environment.base_fee if self.base_fee is None else self.base_fee,
            blob_base_fee=self.blob_base_fee,
        )


NO_BLOCK_OVERRIDES = BlockOverrides()


def state_overrides(value: Any) -> tuple[AccountOverride, ...]:
    """Accounts by address. Raises InvalidValue, and ServerError for one with both state and stateDiff."""
    given = mapping(value, "override.StateOverride")
    return tuple(_account(address(of), members) for of, members in given.items())


def _account(of: Address, value: Any) -> AccountOverride:
    given = mapping({} if value is None else value, "override.OverrideAccount")
    whole, part = member(given, ACCOUNT, "state", _slots), member(given, ACCOUNT, "stateDiff", _slots)
    if whole is not None and part is not None:
        raise ServerError(f"account {checksummed(of)} has both 'state' and 'stateDiff'")
    return AccountOverride(
        address=of,
        nonce=member(given, ACCOUNT, "nonce", uint64),
        balance=member(given, ACCOUNT, "balance", _wei),
        code=member(given, ACCOUNT, "code", data),
        slots=(whole if whole is not None else part) or {},
        replaces_storage=whole is not None,
        precompile_moves_to=member(given, ACCOUNT, "movePrecompileToAddress", address),
    )


def _slots(value: Any) -> dict[int, int]:
    given = mapping(value, "map[common.Hash]common.Hash")
    return {int.from_bytes(hash32(slot), "big"): int.from_bytes(hash32(word), "big") for slot, word in given.items()}


def block_overrides(value: Any) -> BlockOverrides:
    """Raises InvalidValue."""
    given = {name.lower(): item for name, item in mapping(value, "override.BlockOverrides").items()}
    number = _first(given, quantity, "number")
    if number is not None and number >= UINT64_LIMIT:
        raise InvalidValue("block number larger than uint64")
    member(given, BLOCK, "difficulty", quantity)  # there is none since the merge; geth takes and ignores it too
    return BlockOverrides(
        number=number,
        time=_first(given, uint64, "time"),
        gas_limit=_first(given, _gas, "gaslimit"),
        fee_recipient=_first(given, address, "feerecipient", "coinbase"),
        prev_randao=_first(given, hash32, "prevrandao", "random"),
        base_fee=_first(given, _wei, "basefeepergas", "basefee"),
        blob_base_fee=_first(given, _wei, "blobbasefee"),
        beacon_root=_first(given, hash32, "beaconroot"),
        withdrawals=_first(given, withdrawals, "withdrawals"),
    )


def withdrawals(value: Any) -> tuple[Withdrawal, ...]:
    """Raises InvalidValue."""
    return tuple(_withdrawal(item) for item in sequence(value, "types.Withdrawals"))


def _withdrawal(value: Any) -> Withdrawal:
    given = mapping(value, "types.Withdrawal")
    index, validator, amount = (
        member(given, "Withdrawal", name, uint64) or 0 for name in ("index", "validatorIndex", "amount")
    )
    return Withdrawal(index, validator, member(given, "Withdrawal", "address", address) or ZERO_ADDRESS, amount)


def _gas(value: Any) -> Gas:
    return Gas(uint64(value))


def _wei(value: Any) -> Wei:
    return Wei(quantity(value))


def _first(given: dict[str, Any], parse: Parser[T], *names: str) -> T | None:
    """The first member that is there, under any of its names in lower case."""
    found = (member(given, BLOCK, name, parse) for name in names)
    return next((value for value in found if value is not None), None)
