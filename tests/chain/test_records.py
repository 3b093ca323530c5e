"""The execution record as bytes: it comes back as it went in, and bytes that are none are refused."""

import pytest

from chain.codec import MessageError, pack, unpack
from chain.records import (
    AccessKind,
    AttemptRecord,
    AttemptResult,
    BlockRecord,
    Conflict,
    Dependency,
    LeftOutRecord,
    TransactionRecord,
    WaitRecord,
    decode_record,
    encode_record,
)
from chain.types import Address, Gas, Hash32

TOKEN, SENDER = Address(b"t" * 20), Address(b"s" * 20)
BIG = 2**256 - 1
CONFLICT = Conflict(AccessKind.SLOT, TOKEN, BIG, BIG, 0, -1, Dependency.REAL)
LOST = AttemptRecord(AttemptResult.CONFLICT, "worker-1", 1, 2, 3, CONFLICT)
RAN = AttemptRecord(AttemptResult.ACCEPTED, "", 4, 5, 6, None)
WAIT = WaitRecord(AccessKind.ACCOUNT, TOKEN, 0, 0, 7, Dependency.ARTEFACT)
LEFT_OUT = LeftOutRecord("nonce too high", retry=True, sender=SENDER, to=b"", selector=b"")
RECORD = BlockRecord(
    proposal=Hash32(b"p" * 32),
    strategy="optimistic",
    workers=2,
    serial_from=-1,
    execution_us=10,
    serial_us=0,
    transactions=(
        TransactionRecord(Hash32(b"1" * 32), Gas(21_000), (LOST, RAN), (WAIT,), None),
        TransactionRecord(Hash32(b"2" * 32), Gas(0), (), (), LEFT_OUT),
    ),
    senders=(SENDER,),
)


def test_a_record_comes_back_as_it_went_in_with_its_types() -> None:
    record = decode_record(encode_record(RECORD))
    assert record == RECORD
    lost = record.transactions[0].attempts[0]
    assert (type(lost), type(lost.result), type(lost.conflict)) == (AttemptRecord, AttemptResult, Conflict)
    assert type(record.transactions[1].left_out) is LeftOutRecord
    assert record.retries == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((6, 0), [b"1" * 32, 21_000, [], []]),
        ((6, 0, 1), "many"),
        ((6, 0, 2, 0, 0), 99),
        ((6, 0, 2, 0, 5, 3), b"big"),
        ((6, 1, 4, 1), 1),
        ((1,), None),
    ],
    ids=["a field too few", "gas as text", "an unknown result", "a value as bytes", "a number as truth", "no strategy"],
)
def test_bytes_that_are_no_record_are_refused(path: tuple[int, ...], value: object) -> None:
    plain = unpack(encode_record(RECORD))
    place = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(MessageError):
        decode_record(pack(plain))
