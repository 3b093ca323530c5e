"""Blocks as blockchain tests have them: RLP of every fork's shape."""

from collections.abc import Sequence
from dataclasses import dataclass

from chain import rlp
from chain.forks import Fork
from chain.keccak import keccak256
from chain.types import Address, BlockNumber, Gas, Hash32, Wei

BASE_FIELDS, BASE_FEE_FIELD, WITHDRAWALS_FIELD, CANCUN_FIELDS, REQUESTS_FIELD = 15, 16, 17, 20, 21


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A header of any fork; what its fork has not is None. `encoded` is its RLP, which the hash covers."""

    encoded: bytes
    parent_hash: Hash32
    ommers_hash: Hash32
    beneficiary: Address
    state_root: Hash32
    transactions_root: Hash32
    receipts_root: Hash32
    logs_bloom: bytes
    difficulty: int
    number: BlockNumber
    gas_limit: Gas
    gas_used: Gas
    timestamp: int
    extra_data: bytes
    prev_randao: Hash32
    nonce: bytes
    base_fee: Wei | None
    withdrawals_root: Hash32 | None
    blob_gas_used: Gas | None
    excess_blob_gas: Gas | None
    parent_beacon_root: Hash32 | None
    requests_hash: Hash32 | None

    @property
    def hash(self) -> Hash32:
        return keccak256(self.encoded)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a validator takes out (EIP-4895), in wei."""

    encoded: bytes
    address: Address
    amount: Wei


@dataclass(frozen=True, slots=True)
class Block:
    """A block as decoded; `withdrawals` is None before Shanghai."""

    header: BlockHeader
    transactions: tuple[bytes, ...]
    ommers: tuple[BlockHeader, ...]
    withdrawals: tuple[Withdrawal, ...] | None
    size: int


def fields_of(fork: Fork) -> int:
    """How many fields a header has."""
    if fork >= Fork.PRAGUE:
        return REQUESTS_FIELD
    if fork >= Fork.CANCUN:
        return CANCUN_FIELDS
    if fork >= Fork.SHANGHAI:
        return WITHDRAWALS_FIELD
    return BASE_FEE_FIELD if fork >= Fork.LONDON else BASE_FIELDS


def decode_block(encoded: bytes) -> Block:
    """Raises RLPError."""
    parts = rlp.decode_list(rlp.decode(encoded))
    if len(parts) not in (3, 4):
        raise rlp.RLPError(f"a block of {len(parts)} parts")
    withdrawals = tuple(map(_withdrawal, rlp.decode_list(parts[3]))) if len(parts) == 4 else None
    return Block(
        decode_header(parts[0]),
        tuple(map(_envelope, rlp.decode_list(parts[1]))),
        tuple(map(decode_header, rlp.decode_list(parts[2]))),
        withdrawals,
        len(encoded),
    )


def decode_header(item: rlp.Item) -> BlockHeader:
    """Raises RLPError."""
    fields = rlp.decode_list(item)
    count = len(fields)
    if count not in (BASE_FIELDS, BASE_FEE_FIELD, WITHDRAWALS_FIELD, CANCUN_FIELDS, REQUESTS_FIELD):
        raise rlp.RLPError(f"a header of {count} fields")
    number, data = _uint64, rlp.decode_bytes
    return BlockHeader(
        encoded=rlp.encode(fields),
        parent_hash=_hash(fields[0]),
        ommers_hash=_hash(fields[1]),
        beneficiary=Address(data(fields[2], 20)),
        state_root=_hash(fields[3]),
        transactions_root=_hash(fields[4]),
        receipts_root=_hash(fields[5]),
        logs_bloom=data(fields[6], 256),
        difficulty=rlp.decode_int(fields[7]),
        number=BlockNumber(rlp.decode_int(fields[8])),
        gas_limit=Gas(number(fields[9])),
        gas_used=Gas(number(fields[10])),
        timestamp=rlp.decode_int(fields[11]),
        extra_data=data(fields[12]),
        prev_randao=_hash(fields[13]),
        nonce=data(fields[14], 8),
        base_fee=Wei(rlp.decode_int(fields[15])) if count >= BASE_FEE_FIELD else None,
        withdrawals_root=_hash(fields[16]) if count >= WITHDRAWALS_FIELD else None,
        blob_gas_used=Gas(number(fields[17])) if count >= CANCUN_FIELDS else None,
        excess_blob_gas=Gas(number(fields[18])) if count >= CANCUN_FIELDS else None,
        parent_beacon_root=_hash(fields[19]) if count >= CANCUN_FIELDS else None,
        requests_hash=_hash(fields[20]) if count >= REQUESTS_FIELD else None,
    )


def _hash(item: rlp.Item) -> Hash32:
    return Hash32(rlp.decode_bytes(item, 32))


def _uint64(item: rlp.Item) -> int:
    value = rlp.decode_int(item)
    if value >= 2**64:
        raise rlp.RLPError(f"{value} does not fit into 64 bits")
    return value


def _envelope(item: rlp.Item) -> bytes:
    """A typed transaction stands as bytes in its block, a legacy one as a list."""
    return item if isinstance(item, bytes) else rlp.encode(item)


def _withdrawal(item: rlp.Item) -> Withdrawal:
    fields: Sequence[rlp.Item] = rlp.decode_list(item, 4)
    _uint64(fields[0])
    _uint64(fields[1])
    amount = Wei(_uint64(fields[3]) * 10**9)
    return Withdrawal(rlp.encode(fields), Address(rlp.decode_bytes(fields[2], 20)), amount)
