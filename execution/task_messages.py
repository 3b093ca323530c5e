"""Outcomes and values of the state as bytes, and back. Of an outcome all is sent but its output.

Maps and flat lists that msgpack unpacks in C, and words as bytes, because this is done for every transaction in the one
process that everything passes through.
"""

from typing import Any

from chain.accounts import Account
from chain.codec import MessageError, pack, unpack
from chain.console_log import NO_CONSOLE_LOGS, ConsoleLogs
from chain.receipts import Log
from chain.types import Address, Gas, Wei
from execution.change_log import NewValues
from execution.outcome import Outcome, Reads, Slot, Writes

WORD = 32
SIGNED_WORD = 33


def pack_outcome(outcome: Outcome) -> bytes:
    """An outcome as it travels."""
    reads, writes = outcome.reads, outcome.writes
    return pack(
        [
            outcome.succeeded,
            outcome.gas_used,
            _word(outcome.gas_price),
            _word(outcome.fee),
            [[log.address, log.topics, log.data] for log in outcome.logs],
            outcome.error,
            outcome.contract,
            reads.nonces,
            reads.code_hashes,
            {address: _word(balance) for address, balance in reads.balances.items()},
            {address: _word(balance) for address, balance in reads.minimums.items()},
            reads.empty,
            _flat(reads.slots),
            writes.nonces,
            writes.codes,
            {address: delta.to_bytes(SIGNED_WORD, "big", signed=True) for address, delta in writes.balances.items()},
            *_written(reads.slots, writes.slots),
            writes.cleared,
            writes.touched,
            None if outcome.console is NO_CONSOLE_LOGS else [outcome.console.messages, outcome.console.omitted],
        ]
    )


def unpack_outcome(packed: bytes) -> Outcome:
    """The outcome that travelled, its output empty. Raises MessageError."""
    try:
        return _outcome(*unpack(packed))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise MessageError(f"not an outcome: {error}") from error


def _outcome(
    succeeded: bool,
    gas_used: int,
    gas_price: bytes,
    fee: bytes,
    logs: list[tuple[Address, list[Any], bytes]],
    error: str,
    contract: Address | None,
    nonces_read: dict[Address, int],
    code_hashes_read: dict[Address, Any],
    balances_read: dict[Address, bytes],
    minimums: dict[Address, bytes],
    empty: dict[Address, bool],
    slots_read_flat: list[Any],
    nonces: dict[Address, int],
    codes: dict[Address, bytes],
    balances: dict[Address, bytes],
    written: list[Any],
    slots: list[Any],
    cleared: list[Address],
    touched: list[Address],
    console: tuple[list[bytes], int] | None,
) -> Outcome:
    number = int.from_bytes
    slots_read = _slots(slots_read_flat)
    return Outcome(
        succeeded=succeeded,
        gas_used=Gas(gas_used),
        gas_price=Wei(number(gas_price, "big")),
        fee=Wei(number(fee, "big")),
        logs=tuple([Log(address, tuple(topics), data) for address, topics, data in logs]),
        output=b"",
        error=error,
        contract=contract,
        reads=Reads(nonces_read, code_hashes_read, _amounts(balances_read), _amounts(minimums), empty, slots_read),
        writes=Writes(
            nonces=nonces,
            balances={address: number(delta, "big", signed=True) for address, delta in balances.items()},
            codes=codes,
            slots=_slots_written(slots_read, written, slots),
            cleared=tuple(cleared),
            touched=tuple(touched),
        ),
        console=NO_CONSOLE_LOGS if console is None else ConsoleLogs(tuple(console[0]), console[1]),
    )


def _amounts(packed: dict[Address, bytes]) -> dict[Address, Wei]:
    return {address: Wei(int.from_bytes(amount, "big")) for address, amount in packed.items()}


def pack_values(values: NewValues) -> bytes:
    """Values of the state as they travel."""
    accounts = {address: (a.nonce, _word(a.balance), a.code_hash) for address, a in values.accounts.items()}
    return pack([accounts, _flat(values.slots), values.cleared, values.codes, values.counted])


def unpack_values(packed: bytes) -> NewValues:
    """The values that travelled. Raises MessageError."""
    try:
        accounts, slots, cleared, codes, counted = unpack(packed)
        return NewValues(
            {
                address: Account(nonce, Wei(int.from_bytes(balance, "big")), code_hash)
                for address, (nonce, balance, code_hash) in accounts.items()
            },
            _slots(slots),
            tuple(cleared),
            tuple(codes),
            tuple(counted),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise MessageError(f"not values of the state: {error}") from error


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _flat(slots: dict[Slot, int]) -> list[bytes]:
    """Address, number and value of one slot after the other."""
    flat: list[bytes] = []
    for (address, number), value in slots.items():
        flat += address, number.to_bytes(WORD, "big"), value.to_bytes(WORD, "big")
    return flat


def _slots(flat: list[Any]) -> dict[Slot, int]:
    word = int.from_bytes
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return {(address, word(number, "big")): word(value, "big") for address, number, value in rows}


def _written(read: dict[Slot, int], written: dict[Slot, int]) -> tuple[list[int | bytes], list[bytes]]:
    """Slots that were read before, as nearly all are, by their place among those; and the others."""
    places = {key: place for place, key in enumerate(read)} if written else {}
    by_place: list[int | bytes] = []
    others = {}
    for key, value in written.items():
        place = places.get(key)
        if place is None:
            others[key] = value
        else:
            by_place += place, value.to_bytes(WORD, "big")
    return by_place, _flat(others)


def _slots_written(read: dict[Slot, int], by_place: list[Any], others: list[Any]) -> dict[Slot, int]:
    word, keys = int.from_bytes, list(read)
    slots = {keys[place]: word(value, "big") for place, value in zip(by_place[::2], by_place[1::2], strict=True)}
    return slots | _slots(others) if others else slots
