"""Blob transactions come with their blobs, which are checked and left behind."""

from dataclasses import replace
from typing import Any

import pytest

from chain import rlp
from chain.blobs import BLOB_BYTES, CELLS_PER_BLOB, Sidecar, split, versioned_hash
from chain.fork_schedule import only
from chain.forks import Fork
from chain.transactions import BLOB, Transaction, decode_transaction
from chain.types import Gas, Hash32, Wei
from rpc.blobs import MAX_BYTES
from rpc.kept_blobs import MAX_BYTES as KEPT_BYTES
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import BOB, CHAIN_ID, ETHER, GWEI, KEYS, FakeChain
from tests.rpc.test_sending import arrived

COMMITMENT, PROOF = b"\xc0" + bytes(47), b"\xc0" + bytes(47)
"""The points at infinity: those of a blob of zeros."""
ZEROS = bytes(BLOB_BYTES)


def signed(*hashes: Hash32, **changes: Any) -> Transaction:
    """Alice's blob transaction."""
    fields: dict[str, Any] = {"max_blob_fee": Wei(GWEI), "blob_hashes": hashes} | changes
    return Transaction(
        type=BLOB,
        chain_id=CHAIN_ID,
        nonce=0,
        max_fee=Wei(3 * GWEI),
        max_priority_fee=Wei(GWEI),
        gas=Gas(21_000),
        to=BOB,
        value=Wei(1),
        data=b"",
        **fields,
    ).signed_with(KEYS[0])


def with_blobs(transaction: Transaction, *rest: Any) -> str:
    """Its network form: `rest` are blobs, commitments and proofs, with a version before them or without."""
    return data_json(b"\x03" + rlp.encode([rlp.decode(transaction.raw[1:]), *rest]))


ONE = signed(versioned_hash(COMMITMENT))
SIDECAR: tuple[Any, ...] = ([ZEROS], [COMMITMENT], [PROOF])


async def test_a_blob_transaction_is_admitted_without_its_blobs(
    client: Client, process: RpcProcess, chain: FakeChain
) -> None:
    assert await client.result("eth_sendRawTransaction", with_blobs(ONE, *SIDECAR)) == data_json(ONE.hash)
    (transaction,) = arrived(chain)
    assert transaction.raw == ONE.raw
    shown = await client.result("eth_getTransactionByHash", data_json(ONE.hash))
    assert shown["blobVersionedHashes"] == [data_json(versioned_hash(COMMITMENT))]
    assert (shown["type"], shown["maxFeePerBlobGas"]) == ("0x3", hex(GWEI))
    assert await client.result("eth_getRawTransactionByHash", data_json(ONE.hash)) == data_json(ONE.raw)


async def test_blobs_are_kept_until_newer_ones_need_their_room(client: Client, process: RpcProcess) -> None:
    wanted = data_json(versioned_hash(COMMITMENT))
    assert await client.result("anvil_getBlobByHash", wanted) is None
    await client.result("eth_sendRawTransaction", with_blobs(ONE, *SIDECAR))
    assert await client.result("anvil_getBlobByHash", wanted) == data_json(ZEROS)
    assert await client.result("anvil_getBlobsByTransactionHash", data_json(ONE.hash)) == [data_json(ZEROS)]
    assert await client.result("anvil_getBlobsByTransactionHash", data_json(bytes(32))) is None
    sidecar = Sidecar(0, (ZEROS,), (COMMITMENT,), (PROOF,))
    for number in range(KEPT_BYTES // BLOB_BYTES):
        process.node.blobs.keep(signed(Hash32(number.to_bytes(32, "big"))), sidecar)
    assert await client.result("anvil_getBlobByHash", wanted) is None
    assert await client.result("anvil_getBlobsByTransactionHash", data_json(ONE.hash)) is None


def test_both_forms_are_taken_apart() -> None:
    cells = [PROOF] * CELLS_PER_BLOB
    raw = bytes.fromhex(with_blobs(ONE, b"\x01", [ZEROS], [COMMITMENT], cells)[2:])
    envelope, sidecar = split(raw)
    assert decode_transaction(envelope) == ONE
    assert sidecar is not None
    assert (sidecar.version, len(sidecar.proofs)) == (1, CELLS_PER_BLOB)
    assert split(ONE.raw) == (ONE.raw, None)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (data_json(ONE.raw), "missing sidecar in blob transaction"),
        (
            with_blobs(ONE, [], [], []),
            "invalid number of 0 blob commitments compared to 1 blob hashes",
        ),
        (
            with_blobs(signed(Hash32(b"\x01" * 32)), *SIDECAR),
            f"blob 0: computed hash {data_json(versioned_hash(COMMITMENT))} mismatches transaction one 0x{'01' * 32}",
        ),
        (with_blobs(signed(), [], [], []), "blobless blob transaction"),
        (with_blobs(ONE, [], [COMMITMENT], [PROOF]), "invalid number of 0 blobs compared to 1 commitments"),
        (
            with_blobs(ONE, [ZEROS], [COMMITMENT], []),
            "Wrong sidecar format: invalid number of 0 blob proofs expected 1",
        ),
        (
            with_blobs(ONE, b"\x01", *SIDECAR),
            "Wrong sidecar format: unexpected sidecar version, want: 0, got: 1",
        ),
        (
            with_blobs(signed(versioned_hash(COMMITMENT), max_blob_fee=Wei(0)), *SIDECAR),
            "transaction gas price below minimum: blob fee cap 0, minimum needed 1",
        ),
        (with_blobs(ONE, b"\x02", *SIDECAR), "unsupported blob tx version 2"),
        (with_blobs(ONE, [ZEROS]), "rlp: 2 items where a transaction and its blobs belong"),
        (
            with_blobs(signed(*[versioned_hash(COMMITMENT)] * 10), [b""] * 10, [COMMITMENT] * 10, [PROOF] * 10),
            "rlp: input string too short: 0 bytes where 131072 belong: 0x",
        ),
    ],
)
async def test_blobs_that_do_not_fit_are_refused(client: Client, raw: str, words: str) -> None:
    code, message = await client.error("eth_sendRawTransaction", raw)
    assert (code, message) == (-32000, words)


async def test_blobs_that_are_not_proven_are_refused(client: Client, chain: FakeChain) -> None:
    chain.callers.blobs_are_proven = False
    code, message = await client.error("eth_sendRawTransaction", with_blobs(ONE, *SIDECAR))
    assert (code, message) == (-32000, "KZG verification error: can't verify opening proof")
    assert arrived(chain) == []


async def test_more_blobs_than_a_transaction_may_have_are_refused(client: Client) -> None:
    many = signed(*[versioned_hash(COMMITMENT)] * 8)
    raw = with_blobs(many, [ZEROS] * 8, [COMMITMENT] * 8, [PROOF] * 8)
    size = (len(raw) - 2) // 2
    words = f"oversized data: transaction size {size}, limit {MAX_BYTES}"
    assert await client.error("eth_sendRawTransaction", raw) == (-32000, words)


async def test_a_chain_before_cancun_takes_no_blobs(client: Client, process: RpcProcess, chain: FakeChain) -> None:
    object.__setattr__(process.node, "genesis", replace(chain.genesis, forks=only(Fork.SHANGHAI)))
    words = "transaction type not supported: type 3 rejected, pool not yet in Cancun"
    assert await client.error("eth_sendRawTransaction", with_blobs(ONE, *SIDECAR)) == (-32000, words)


async def test_the_blobs_must_be_affordable_too(client: Client) -> None:
    dear = signed(versioned_hash(COMMITMENT), max_blob_fee=Wei(ETHER))
    _, message = await client.error("eth_sendRawTransaction", with_blobs(dear, *SIDECAR))
    assert message.startswith("insufficient funds for gas * price + value")
