"""Outcomes as bytes, and back: what a worker sends of a run is what the engine gave, without its output.

Flat lists that msgpack unpacks in C, and words as 32 bytes, because this is done for every transaction in the one
process that everything passes through.
"""

from collections.abc import Sequence
from typing import Any

from chain.codec import MessageError, pack, unpack
from chain.receipts import Log
from chain.types import Address, Gas, Hash32, Wei
from execution.outcome import Outcome, Reads, Slot, Writes

WORD = 32


def pack_outcome(outcome: Outcome) -> bytes:
    """An outcome as it travels."""
    reads, writes = outcome.reads, outcome.writes
    return pack(
        [
            outcome.succeeded,
            outcome.gas_used,
            outcome.gas_price,
            outcome.fee,
            [[log.address, log.topics, log.data] for log in outcome.logs],
            outcome.error,
            outcome.contract,
            _flat(reads.nonces),
            _flat(reads.code_hashes),
            _flat(reads.balances),
            _flat(reads.minimums),
            _flat(reads.empty),
            _flat_slots(reads.slots),
            _flat(writes.nonces),
            _flat(writes.codes),
            [[address, max(delta, 0), max(-delta, 0)] for address, delta in writes.balances.items()],
            _flat_slots(writes.slots),
            writes.cleared,
        ]
    )


def unpack_outcome(packed: bytes) -> Outcome:
    """The outcome that travelled, its output empty. Raises MessageError."""
    try:
        return _outcome(*unpack(packed))
    except (TypeError, ValueError) as error:
        raise MessageError(f"not an outcome: {error}") from error


def _outcome(
    succeeded: bool,
    gas_used: int,
    gas_price: int,
    fee: int,
    logs: list[list[Any]],
    error: str,
    contract: bytes | None,
    nonces_read: list[Any],
    code_hashes_read: list[Any],
    balances_read: list[Any],
    minimums: list[Any],
    empty: list[Any],
    slots_read: list[bytes],
    nonces: list[Any],
    codes: list[Any],
    balances: list[list[Any]],
    slots: list[bytes],
    cleared: list[bytes],
) -> Outcome:
    return Outcome(
        succeeded=succeeded,
        gas_used=Gas(gas_used),
        gas_price=Wei(gas_price),
        fee=Wei(fee),
        logs=tuple([Log(Address(address), tuple(map(Hash32, topics)), data) for address, topics, data in logs]),
        output=b"",
        error=error,
        contract=None if contract is None else Address(contract),
        reads=Reads(
            _mapping(nonces_read),
            _mapping(code_hashes_read),
            _mapping(balances_read),
            _mapping(minimums),
            _mapping(empty),
            _slots(slots_read),
        ),
        writes=Writes(
            nonces=_mapping(nonces),
            balances={address: credit - debit for address, credit, debit in balances},
            codes=_mapping(codes),
            slots=_slots(slots),
            cleared=tuple(map(Address, cleared)),
        ),
    )


def _flat(mapping: dict[Address, Any]) -> list[Any]:
    return [part for item in mapping.items() for part in item]


def _mapping(flat: Sequence[Any]) -> dict[Address, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _flat_slots(slots: dict[Slot, int]) -> list[bytes]:
    flat: list[bytes] = []
    for (address, number), value in slots.items():
        flat += (address, number.to_bytes(WORD, "big"), value.to_bytes(WORD, "big"))
    return flat


def _slots(flat: list[bytes]) -> dict[Slot, int]:
    word = int.from_bytes
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return {(Address(address), word(number, "big")): word(value, "big") for address, number, value in rows}
