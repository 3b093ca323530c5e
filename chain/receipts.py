"""Receipts, logs and blooms."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from chain import rlp
from chain.keccak import keccak256
from chain.transactions import LEGACY, TransactionType
from chain.types import Address, Gas, Hash32, Wei

BLOOM_BITS = 2048
ADDRESS_PREFIX, TOPIC_PREFIX, BLOOM_PREFIX = b"\x94", b"\xa0", b"\xb9\x01\x00"
"""What RLP puts before 20, 32 and 256 bytes."""
LOG_BYTES, TOPIC_BYTES = 128, 64
"""What an empty log and a topic take as objects. A log without data costs 375 gas, so a block may have 80,000."""


@dataclass(frozen=True, slots=True)
class Log:
    """An event: who emitted it, up to four 32-byte topics, and data."""

    address: Address
    topics: tuple[Hash32, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction of a block did.

    `gas_used` is its own, `cumulative_gas` up to and including it in its block; `contract` is the address created, if
    one was; `gas_price` is the effective one in wei. Before Byzantium the state root after the transaction stood where
    its success does since (EIP-658).
    """

    type: TransactionType
    succeeded: bool
    gas_used: Gas
    cumulative_gas: Gas
    logs: tuple[Log, ...]
    gas_price: Wei
    contract: Address | None = None
    state_root: Hash32 | None = None

    @property
    def logs_size(self) -> int:
        """About how many bytes the logs take in memory."""
        return sum(LOG_BYTES + TOPIC_BYTES * len(log.topics) + len(log.data) for log in self.logs)

    def bloom(self) -> bytes:
        return bloom_of(self.logs)

    def encode(self) -> bytes:
        """The receipt as the receipts trie holds it (EIP-2718)."""
        fields = [
            rlp.encode_int(int(self.succeeded)) if self.state_root is None else rlp.encode_bytes(self.state_root),
            rlp.encode_int(self.cumulative_gas),
            BLOOM_PREFIX + self.bloom(),
            rlp.encode_list([_encode_log(log) for log in self.logs]),
        ]
        body = rlp.encode_list(fields)
        return body if self.type == LEGACY else bytes((self.type,)) + body


def _encode_log(log: Log) -> bytes:
    """A log in RLP; of addresses and topics the length is known, which makes this three times faster."""
    topics = b"".join([TOPIC_PREFIX + topic for topic in log.topics])
    fields = ADDRESS_PREFIX, log.address, rlp.encode_length(len(topics), 0xC0), topics, rlp.encode_bytes(log.data)
    return rlp.encode_list(fields)


def bloom_of(logs: Iterable[Log]) -> bytes:
    """The 256-byte filter over the addresses and topics of the logs (yellow paper, 4.3.1)."""
    bits = 0
    for log in logs:
        for item in (log.address, *log.topics):
            bits |= _bloom_bits(item)
    return bits.to_bytes(BLOOM_BITS // 8, "big")


@lru_cache(maxsize=4096)
def _bloom_bits(item: bytes) -> int:
    """The three bits of one address or topic. Most logs of a block share some, and each is asked for twice."""
    digest = keccak256(item)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % BLOOM_BITS)
    return bits
