"""Outcomes and values of the state as bytes, and back. Of an outcome all is sent but its output.

Maps and flat lists that msgpack unpacks in C, and words as bytes, because this is done for every transaction in the one
process that everything passes through.
"""

from itertools import chain
from typing import Any

from chain.accounts import Account
from chain.codec import MessageError, pack, unpack
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
            _flat(writes.slots),
            writes.cleared,
            writes.touched,
        ]
    )


def unpack_outcome(packed: bytes) -> Outcome:
    """The outcome that travelled, its output empty. Raises MessageError."""
    try:
        return _outcome(*unpack(packed))
    except (AttributeError, TypeError, ValueError) as error:
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
    slots_read: list[Any],
    nonces: dict[Address, int],
    codes: dict[Address, bytes],
    balances: dict[Address, bytes],
    slots: list[Any],
    cleared: list[Address],
    touched: list[Address],
) -> Outcome:
    number = int.from_bytes
    return Outcome(
        succeeded=succeeded,
        gas_used=Gas(gas_used),
        gas_price=Wei(number(gas_price, "big")),
        fee=Wei(number(fee, "big")),
        logs=tuple([Log(address, tuple(topics), data) for address, topics, data in logs]),
        output=b"",
        error=error,
        contract=contract,
        reads=Reads(
            nonces_read,
            code_hashes_read,
            {address: Wei(number(balance, "big")) for address, balance in balances_read.items()},
            {address: Wei(number(balance, "big")) for address, balance in minimums.items()},
            empty,
            _slots(slots_read),
        ),
        writes=Writes(
            nonces=nonces,
            balances={address: number(delta, "big", signed=True) for address, delta in balances.items()},
            codes=codes,
            slots=_slots(slots),
            cleared=tuple(cleared),
            touched=tuple(touched),
        ),
    )


def pack_values(values: NewValues) -> bytes:
    """Values of the state as they travel."""
    accounts = {address: (a.nonce, _word(a.balance), a.code_hash) for address, a in values.accounts.items()}
    return pack([accounts, _flat(values.slots), values.cleared, values.codes])


def unpack_values(packed: bytes) -> NewValues:
    """The values that travelled. Raises MessageError."""
    try:
        accounts, slots, cleared, codes = unpack(packed)
        return NewValues(
            {
                address: Account(nonce, Wei(int.from_bytes(balance, "big")), code_hash)
                for address, (nonce, balance, code_hash) in accounts.items()
            },
            _slots(slots),
            tuple(cleared),
            tuple(codes),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise MessageError(f"not values of the state: {error}") from error


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _flat(slots: dict[Slot, int]) -> list[bytes]:
    """Address, number and value of one slot after the other."""
    rows = [
        (address, number.to_bytes(WORD, "big"), value.to_bytes(WORD, "big"))
        for (address, number), value in slots.items()
    ]
    return list(chain.from_iterable(rows))


def _slots(flat: list[Any]) -> dict[Slot, int]:
    word = int.from_bytes
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return {(address, word(number, "big")): word(value, "big") for address, number, value in rows}
