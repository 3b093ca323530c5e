"""Ethereum block headers."""

from dataclasses import dataclass, replace

from chain import rlp
from chain.forks import Fork
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei

EMPTY_OMMERS_HASH = keccak256(rlp.encode([]))
EMPTY_BLOOM = bytes(256)
MAX_TIMESTAMP = 2**64 - 1
"""The last second that a header can have."""
EMPTY_REQUESTS_HASH = Hash32(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
"""The SHA-256 of nothing: a block without execution requests (EIP-7685)."""


BEFORE_LONDON, LONDON, SHANGHAI, CANCUN, PRAGUE = 15, 16, 17, 20, 21
"""How many fields a header has since these forks."""
NO_NONCE = bytes(8)


@dataclass(frozen=True, slots=True)
class Header:
    """An Ethereum header of any fork; what its fork does not have yet is None. Times are in seconds, fees in wei.

    Unless told otherwise it is one since Prague. Since the merge `prev_randao` stands where the mix hash was, and
    difficulty and nonce are zero.
    """

    parent_hash: Hash32
    beneficiary: Address
    state_root: Hash32
    transactions_root: Hash32
    receipts_root: Hash32
    logs_bloom: bytes
    number: BlockNumber
    gas_limit: Gas
    gas_used: Gas
    timestamp: int
    prev_randao: Hash32
    base_fee: Wei | None
    extra_data: bytes = b""
    withdrawals_root: Hash32 | None = EMPTY_ROOT
    blob_gas_used: Gas | None = Gas(0)
    excess_blob_gas: Gas | None = Gas(0)
    parent_beacon_root: Hash32 | None = ZERO_HASH
    requests_hash: Hash32 | None = EMPTY_REQUESTS_HASH
    ommers_hash: Hash32 = EMPTY_OMMERS_HASH
    difficulty: int = 0
    nonce: bytes = NO_NONCE

    def encode(self) -> bytes:
        """The RLP encoding that the hash covers."""
        number = rlp.encode_int
        data = rlp.encode_bytes
        fields = [
            *map(data, (self.parent_hash, self.ommers_hash, self.beneficiary, self.state_root)),
            *map(data, (self.transactions_root, self.receipts_root, self.logs_bloom)),
            *map(number, (self.difficulty, self.number, self.gas_limit, self.gas_used, self.timestamp)),
            *map(data, (self.extra_data, self.prev_randao, self.nonce)),
        ]
        if self.base_fee is not None:
            fields.append(number(self.base_fee))
        if self.withdrawals_root is not None:
            fields.append(data(self.withdrawals_root))
        if self.blob_gas_used is not None and self.excess_blob_gas is not None and self.parent_beacon_root is not None:
            fields += [number(self.blob_gas_used), number(self.excess_blob_gas), data(self.parent_beacon_root)]
        if self.requests_hash is not None:
            fields.append(data(self.requests_hash))
        return rlp.encode_list(fields)

    def hash(self) -> Hash32:
        return keccak256(self.encode())

    def size(self) -> int:
        """Bytes of the encoding."""
        return len(self.encode())


def decode_header(encoded: bytes) -> Header:
    """The header in an encoding made by `Header.encode`. Raises RLPError."""
    return header_of_item(rlp.decode(encoded))


def header_of_item(item: rlp.Item) -> Header:
    """The header of a decoded block or list of ommers. Raises RLPError."""
    fields = rlp.decode_list(item)
    count = len(fields)
    if count not in (BEFORE_LONDON, LONDON, SHANGHAI, CANCUN, PRAGUE):
        raise rlp.RLPError(f"a header of {count} fields, which no fork has")
    data, uint64 = rlp.decode_bytes, rlp.decode_uint64
    return Header(
        parent_hash=_hash(fields[0]),
        ommers_hash=_hash(fields[1]),
        beneficiary=Address(data(fields[2], 20)),
        state_root=_hash(fields[3]),
        transactions_root=_hash(fields[4]),
        receipts_root=_hash(fields[5]),
        logs_bloom=data(fields[6], 256),
        difficulty=rlp.decode_int(fields[7]),
        number=BlockNumber(uint64(fields[8])),
        gas_limit=Gas(uint64(fields[9])),
        gas_used=Gas(uint64(fields[10])),
        timestamp=uint64(fields[11]),
        extra_data=data(fields[12]),
        prev_randao=_hash(fields[13]),
        nonce=data(fields[14], 8),
        base_fee=Wei(rlp.decode_int(fields[15])) if count >= LONDON else None,
        withdrawals_root=_hash(fields[16]) if count >= SHANGHAI else None,
        blob_gas_used=Gas(uint64(fields[17])) if count >= CANCUN else None,
        excess_blob_gas=Gas(uint64(fields[18])) if count >= CANCUN else None,
        parent_beacon_root=_hash(fields[19]) if count >= CANCUN else None,
        requests_hash=_hash(fields[20]) if count >= PRAGUE else None,
    )


def _hash(item: rlp.Item) -> Hash32:
    return Hash32(rlp.decode_bytes(item, 32))


def fields_of(fork: Fork) -> int:
    """How many fields the header of a block has under these rules."""
    if fork >= Fork.PRAGUE:
        return PRAGUE
    if fork >= Fork.CANCUN:
        return CANCUN
    if fork >= Fork.SHANGHAI:
        return SHANGHAI
    return LONDON if fork >= Fork.LONDON else BEFORE_LONDON


def count_fields(header: Header) -> int:
    """How many fields this header has."""
    if header.requests_hash is not None:
        return PRAGUE
    if header.excess_blob_gas is not None:
        return CANCUN
    if header.withdrawals_root is not None:
        return SHANGHAI
    return LONDON if header.base_fee is not None else BEFORE_LONDON


def with_state_root(header: Header, parent_hash: Hash32, state_root: Hash32) -> Header:
    """The finished header: execution leaves the parent's hash and the state root to storage, which alone knows both."""
    return replace(header, parent_hash=parent_hash, state_root=state_root)


NO_PARENT = ZERO_HASH
"""The parent hash of genesis."""
