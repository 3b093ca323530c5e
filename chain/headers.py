"""Ethereum block headers."""

from dataclasses import dataclass, replace

from chain import rlp
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei

EMPTY_OMMERS_HASH = keccak256(rlp.encode([]))
EMPTY_BLOOM = bytes(256)
EMPTY_REQUESTS_HASH = Hash32(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
"""The SHA-256 of nothing: a block without execution requests (EIP-7685)."""


@dataclass(frozen=True, slots=True)
class Header:
    """An Ethereum header, Cancun shape; `requests_hash` is None before Prague. Times are in seconds, fees in wei."""

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
    base_fee: Wei
    extra_data: bytes = b""
    withdrawals_root: Hash32 = EMPTY_ROOT
    blob_gas_used: Gas = Gas(0)
    excess_blob_gas: Gas = Gas(0)
    parent_beacon_root: Hash32 = ZERO_HASH
    requests_hash: Hash32 | None = EMPTY_REQUESTS_HASH

    def encode(self) -> bytes:
        """The RLP encoding that the hash covers. Difficulty and nonce are zero since the merge, there are no ommers."""
        number = rlp.encode_int
        data = rlp.encode_bytes
        fields = [
            *map(data, (self.parent_hash, EMPTY_OMMERS_HASH, self.beneficiary, self.state_root)),
            *map(data, (self.transactions_root, self.receipts_root, self.logs_bloom)),
            *map(number, (0, self.number, self.gas_limit, self.gas_used, self.timestamp)),
            *map(data, (self.extra_data, self.prev_randao, bytes(8))),
            number(self.base_fee),
            data(self.withdrawals_root),
            *map(number, (self.blob_gas_used, self.excess_blob_gas)),
            data(self.parent_beacon_root),
        ]
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
    fields = rlp.decode_list(rlp.decode(encoded))
    if len(fields) not in (20, 21):
        raise rlp.RLPError(f"a header of {len(fields)} fields: 20 (Cancun) or 21 (Prague) are known")
    number, data = rlp.decode_int, rlp.decode_bytes
    return Header(
        parent_hash=Hash32(data(fields[0], 32)),
        beneficiary=Address(data(fields[2], 20)),
        state_root=Hash32(data(fields[3], 32)),
        transactions_root=Hash32(data(fields[4], 32)),
        receipts_root=Hash32(data(fields[5], 32)),
        logs_bloom=data(fields[6], 256),
        number=BlockNumber(number(fields[8])),
        gas_limit=Gas(number(fields[9])),
        gas_used=Gas(number(fields[10])),
        timestamp=number(fields[11]),
        extra_data=data(fields[12]),
        prev_randao=Hash32(data(fields[13], 32)),
        base_fee=Wei(number(fields[15])),
        withdrawals_root=Hash32(data(fields[16], 32)),
        blob_gas_used=Gas(number(fields[17])),
        excess_blob_gas=Gas(number(fields[18])),
        parent_beacon_root=Hash32(data(fields[19], 32)),
        requests_hash=Hash32(data(fields[20], 32)) if len(fields) == 21 else None,
    )


def with_state_root(header: Header, parent_hash: Hash32, state_root: Hash32) -> Header:
    """The finished header: execution leaves the parent's hash and the state root to storage, which alone knows both."""
    return replace(header, parent_hash=parent_hash, state_root=state_root)


NO_PARENT = ZERO_HASH
"""The parent hash of genesis."""
