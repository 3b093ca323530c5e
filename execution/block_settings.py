"""What operations have set for the blocks to come, as the blocks see it, and how operations change it. Pure."""

from dataclasses import dataclass, replace

from chain.fees import next_base_fee, next_excess_blob_gas
from chain.fork_schedule import ForkSchedule
from chain.headers import MAX_TIMESTAMP, Header
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.operations import (
    AS_STARTED,
    INITIAL_SETTINGS,
    MAX_IMPERSONATED,
    MAX_SIGNATURES,
    BlockSettings,
    Impersonate,
    ImpersonateSignature,
    SetBeneficiary,
    SetChainId,
    SetGasLimit,
    SetLogs,
    SetNextBaseFee,
    SetNextPrevRandao,
    SetNextTimestamp,
    SetProduction,
    SetTime,
    SetTimestampInterval,
    SettingsOperation,
    ShiftTime,
)
from chain.proposals import BlockInputs
from chain.types import Address, BlockNumber, Hash32
from execution.block_rules import MAX_GAS_LIMIT, MIN_GAS_LIMIT
from execution.errors import ExecutionError


class OperationFailed(ExecutionError):
    """An operation that cannot be carried out; it changes nothing."""


class TimestampTooLow(OperationFailed):
    def __init__(self, timestamp: int, parent: int) -> None:
        super().__init__(f"Timestamp {timestamp} is lower than the previous block's timestamp {parent}")


class ClockOutOfRange(OperationFailed):
    def __init__(self, seconds: int, clock: int) -> None:
        super().__init__(f"{seconds} seconds lead to {clock}: a block's time is from 0 to {MAX_TIMESTAMP}")


class TooFarBack(OperationFailed):
    def __init__(self, number: int, oldest: int) -> None:
        super().__init__(
            f"the chain cannot go back to block {number}: the states of blocks before {oldest} are pruned or about to "
            "be. Take an evm_snapshot before going on, which keeps its state, or keep more with --history"
        )


class GasLimitOutOfRange(OperationFailed):
    def __init__(self, gas_limit: int) -> None:
        super().__init__(f"a block's gas limit is from {MIN_GAS_LIMIT} to {MAX_GAS_LIMIT}, not {gas_limit}")


class TooManyImpersonated(OperationFailed):
    def __init__(self) -> None:
        super().__init__(f"{MAX_IMPERSONATED} accounts are impersonated already: stop impersonating some")


class TooManySignatures(OperationFailed):
    def __init__(self) -> None:
        super().__init__(f"{MAX_SIGNATURES} signatures are pretended already: anvil_reset forgets them")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its height a block stands: the first is 0, others come `interval` seconds after the one before."""

    index: int = 0
    interval: int | None = None


FIRST = Place()


def environment_of(
    chain_id: int,
    forks: ForkSchedule,
    parent: Header,
    inputs: BlockInputs,
    settings: BlockSettings = INITIAL_SETTINGS,
    place: Place = FIRST,
) -> BlockEnvironment:
    """What the proposal's block sees of itself. Its second may be the parent's: blocks can be faster than a second."""
    number, timestamp = BlockNumber(parent.number + 1), _timestamp(parent, inputs, settings, place)
    fork = forks.at(number, timestamp)
    base_fee = next_base_fee(parent) if settings.next_base_fee is None else settings.next_base_fee
    return BlockEnvironment(
        chain_id=chain_id,
        fork=fork,
        number=number,
        timestamp=timestamp,
        beneficiary=inputs.beneficiary if settings.beneficiary is None else settings.beneficiary,
        prev_randao=_prev_randao(inputs, settings, place),
        gas_limit=inputs.gas_limit if settings.gas_limit is None else settings.gas_limit,
        base_fee=base_fee,
        excess_blob_gas=next_excess_blob_gas(parent, fork),
        deposit_contract=forks.deposit_contract,
        signatures=settings.signatures,
    )


def after_block(
    settings: BlockSettings, environment: BlockEnvironment, inputs: BlockInputs, place: Place = FIRST
) -> BlockSettings:
    """What was for this block alone is used up, and the clock goes on from a time that was not its own."""
    spaced = place.interval is not None or settings.timestamp_interval is not None
    if settings.next_timestamp is not None or (spaced and environment.timestamp > clock(inputs, settings)):
        settings = replace(
            settings, time_offset=environment.timestamp - inputs.timestamp_ms // 1000, next_timestamp=None
        )
    if settings.next_base_fee is None and settings.next_prev_randao is None:
        return settings
    return replace(settings, next_base_fee=None, next_prev_randao=None)


def clock(inputs: BlockInputs, settings: BlockSettings) -> int:
    """The chain's time in seconds, by the leader's clock."""
    return inputs.timestamp_ms // 1000 + settings.time_offset


def settings_after(
    operation: SettingsOperation, settings: BlockSettings, inputs: BlockInputs, parent: Header
) -> BlockSettings:
    """Raises OperationFailed."""
    match operation:
        case ShiftTime(seconds):
            shifted = replace(settings, time_offset=settings.time_offset + seconds)
            if not 0 <= clock(inputs, shifted) <= MAX_TIMESTAMP:
                raise ClockOutOfRange(seconds, clock(inputs, shifted))
            return shifted
        case SetTime(timestamp):  # where it is before the parent's, blocks have the parent's until it is past it
            return replace(settings, time_offset=timestamp - inputs.timestamp_ms // 1000, next_timestamp=None)
        case SetNextTimestamp(timestamp):
            _check_time(timestamp, parent)
            return replace(settings, next_timestamp=timestamp)
        case SetTimestampInterval(seconds):
            return replace(settings, timestamp_interval=seconds)
        case SetNextBaseFee(base_fee):
            return replace(settings, next_base_fee=base_fee)
        case SetNextPrevRandao(prev_randao):
            return replace(settings, next_prev_randao=prev_randao)
        case SetBeneficiary(beneficiary):
            return replace(settings, beneficiary=beneficiary)
        case SetGasLimit(gas_limit):
            if not MIN_GAS_LIMIT <= gas_limit <= MAX_GAS_LIMIT:
                raise GasLimitOutOfRange(gas_limit)
            return replace(settings, gas_limit=gas_limit)
        case SetProduction(automine, interval_ms):
            interval = settings.interval_ms if interval_ms is None else interval_ms
            return replace(
                settings,
                automine=settings.automine if automine is None else automine,
                interval_ms=None if interval == AS_STARTED else interval,
            )
        case SetChainId(chain_id):
            return replace(settings, chain_id=chain_id)
        case SetLogs(on):
            return replace(settings, logs=on)
        case ImpersonateSignature(signature, address):
            return _pretending(settings, signature, address)
        case Impersonate(address, allowed):
            return _impersonating(settings, address, allowed)


def settings_back(taken: BlockSettings, settings: BlockSettings, inputs: BlockInputs) -> BlockSettings:
    """Those of a snapshot (whose `time_offset` is the time it was taken at), for the blocks after going back to it.

    How blocks are made, the chain's id and who is impersonated stays, and so do the counts.
    """
    return replace(
        settings,
        time_offset=taken.time_offset - inputs.timestamp_ms // 1000,
        next_timestamp=taken.next_timestamp,
        timestamp_interval=taken.timestamp_interval,
        next_base_fee=taken.next_base_fee,
        next_prev_randao=taken.next_prev_randao,
        beneficiary=taken.beneficiary,
        gas_limit=taken.gas_limit,
    )


def oldest_kept(settings: BlockSettings, newest: BlockNumber, history: int | None) -> BlockNumber:
    """The oldest block whose state every executor still has, however soon it prunes."""
    return settings.oldest if history is None else max(settings.oldest, BlockNumber(newest - history))


def settings_to_keep(settings: BlockSettings, inputs: BlockInputs) -> BlockSettings:
    """As a snapshot has them, see `settings_back`."""
    return replace(settings, time_offset=clock(inputs, settings))


def _timestamp(parent: Header, inputs: BlockInputs, settings: BlockSettings, place: Place) -> int:
    """At most what a header holds: there the chain's time stands still."""
    return min(_time_set(parent, inputs, settings, place), MAX_TIMESTAMP)


def _time_set(parent: Header, inputs: BlockInputs, settings: BlockSettings, place: Place) -> int:
    if place.index and place.interval is not None:
        return parent.timestamp + place.interval
    if settings.next_timestamp is not None:
        return max(parent.timestamp, settings.next_timestamp)
    if settings.timestamp_interval is not None:
        return parent.timestamp + settings.timestamp_interval
    return max(parent.timestamp, clock(inputs, settings))


def _prev_randao(inputs: BlockInputs, settings: BlockSettings, place: Place) -> Hash32:
    if settings.next_prev_randao is not None:
        return settings.next_prev_randao
    if place.index == 0:
        return inputs.prev_randao
    return keccak256(inputs.prev_randao + place.index.to_bytes(8, "big"))


def _check_time(timestamp: int, parent: Header) -> None:
    if timestamp < parent.timestamp:
        raise TimestampTooLow(timestamp, parent.timestamp)


def _pretending(settings: BlockSettings, signature: bytes, address: Address) -> BlockSettings:
    others = tuple([each for each in settings.signatures if each[0] != signature])
    if len(others) >= MAX_SIGNATURES:
        raise TooManySignatures
    return replace(settings, signatures=(*others, (signature, address)))


def _impersonating(settings: BlockSettings, address: Address | None, allowed: bool) -> BlockSettings:
    if address is None:
        return replace(settings, auto_impersonate=allowed)
    others = tuple([other for other in settings.impersonated if other != address])
    released = tuple([other for other in settings.released if other != address])
    if not allowed:
        kept = released[-(MAX_IMPERSONATED - 1) :]
        return replace(settings, impersonated=others, released=(*kept, address))
    if len(others) >= MAX_IMPERSONATED:
        raise TooManyImpersonated
    return replace(settings, impersonated=(*others, address), released=released)
