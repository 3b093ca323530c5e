"""Whole Ethereum blocks of every fork, as they are exchanged and exported: RLP of header, transactions, ommers and,
since Shanghai, withdrawals."""

from collections.abc import Sequence
from dataclasses import dataclass

from chain import rlp
from chain.headers import Header, header_of_item
from chain.types import Address, Wei

WEI_PER_GWEI = 10**9
WITHOUT_WITHDRAWALS, WITH_WITHDRAWALS = 3, 4
"""How many parts a block has."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a validator of the beacon chain takes out (EIP-4895)."""

    index: int
    validator: int
    address: Address
    amount_gwei: int

    @property
    def amount(self) -> Wei:
        return Wei(self.amount_gwei * WEI_PER_GWEI)

    def encode(self) -> bytes:
        """As the withdrawals trie and the block hold it."""
        number = rlp.encode_int
        fields = number(self.index), number(self.validator), rlp.encode_bytes(self.address), number(self.amount_gwei)
        return rlp.encode_list(fields)


@dataclass(frozen=True, slots=True)
class Block:
    """A block. `transactions` are envelopes; `withdrawals` is None before Shanghai."""

    header: Header
    transactions: tuple[bytes, ...]
    ommers: tuple[Header, ...]
    withdrawals: tuple[Withdrawal, ...] | None

    def encode(self) -> bytes:
        """The block in RLP, where a typed transaction stands as bytes and a legacy one as a list."""
        envelopes = [raw if raw[0] >= 0xC0 else rlp.encode_bytes(raw) for raw in self.transactions]
        parts = [
            self.header.encode(),
            rlp.encode_list(envelopes),
            rlp.encode_list([ommer.encode() for ommer in self.ommers]),
        ]
        if self.withdrawals is not None:
            parts.append(rlp.encode_list([withdrawal.encode() for withdrawal in self.withdrawals]))
        return rlp.encode_list(parts)


def decode_block(encoded: bytes) -> Block:
    """Raises RLPError."""
    parts = rlp.decode_list(rlp.decode(encoded))
    if len(parts) not in (WITHOUT_WITHDRAWALS, WITH_WITHDRAWALS):
        raise rlp.RLPError(f"a block of {len(parts)} parts")
    has_withdrawals = len(parts) == WITH_WITHDRAWALS
    return Block(
        header=header_of_item(parts[0]),
        transactions=tuple(map(_envelope, rlp.decode_list(parts[1]))),
        ommers=tuple(map(header_of_item, rlp.decode_list(parts[2]))),
        withdrawals=tuple(map(_withdrawal, rlp.decode_list(parts[3]))) if has_withdrawals else None,
    )


def _envelope(item: rlp.Item) -> bytes:
    if item == b"":
        raise rlp.RLPError("an empty transaction")
    return item if isinstance(item, bytes) else rlp.encode(item)


def _withdrawal(item: rlp.Item) -> Withdrawal:
    fields: Sequence[rlp.Item] = rlp.decode_list(item, 4)
    index, validator, amount_gwei = (rlp.decode_uint64(fields[at]) for at in (0, 1, 3))
    return Withdrawal(index, validator, Address(rlp.decode_bytes(fields[2], 20)), amount_gwei)
