"""Ethereum transactions of all types: decoding, encoding, hashes and signers.

One frozen class serves every type, because everything after decoding (admission, execution, JSON) reads the same
fields; what a type lacks is zero or empty. Sources: EIP-2718 (envelope), 2930 (access list), 1559 (dynamic fee),
4844 (blob), 7702 (set code), 155 (chain id in legacy signatures).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NewType

from chain import rlp
from chain.errors import DecodeError
from chain.forks import Fork
from chain.keccak import keccak256
from chain.signing import check_signature_values, recover, sign
from chain.types import Address, Gas, Hash32, Wei

TransactionType = NewType("TransactionType", int)
LEGACY = TransactionType(0)
ACCESS_LIST = TransactionType(1)
DYNAMIC_FEE = TransactionType(2)
BLOB = TransactionType(3)
SET_CODE = TransactionType(4)

FIRST_FORKS = {
    LEGACY: Fork.FRONTIER,
    ACCESS_LIST: Fork.BERLIN,
    DYNAMIC_FEE: Fork.LONDON,
    BLOB: Fork.CANCUN,
    SET_CODE: Fork.PRAGUE,
}
"""The forks that brought the types of transactions."""

SET_CODE_MAGIC = b"\x05"
UINT256_LIMIT = 2**256


class InvalidTransactionEncoding(DecodeError):
    """Bytes that are not a signed transaction of any known type."""


@dataclass(frozen=True, slots=True)
class AccessListEntry:
    """An account and the storage slots of it that a transaction declares it will touch."""

    address: Address
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """An account's signed wish to run the code at `address` as its own (EIP-7702). chain_id 0 means any chain."""

    chain_id: int
    address: Address
    nonce: int
    y_parity: int
    r: int
    s: int

    def signing_hash(self) -> Hash32:
        return keccak256(SET_CODE_MAGIC + rlp.encode([_int(self.chain_id), self.address, _int(self.nonce)]))

    def authority(self) -> Address:
        """The account that signed. Raises InvalidSignature."""
        return recover(self.signing_hash(), self.y_parity, self.r, self.s)


ADDRESS_BITS = 160
IMPERSONATED_S = int.from_bytes(b"impersonated", "big")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as signed.

    `to` is None for a creation. For legacy and access-list transactions `max_fee` and `max_priority_fee` both hold the
    gas price, so that one fee rule fits all. `chain_id` is None for a legacy signature without one. `y_parity` is 0 or
    1 for every type; `v` gives the legacy form. Unsigned transactions have r = s = 0.
    """

    type: TransactionType
    chain_id: int | None
    nonce: int
    max_fee: Wei
    max_priority_fee: Wei
    gas: Gas
    to: Address | None
    value: Wei
    data: bytes
    access_list: tuple[AccessListEntry, ...] = ()
    max_blob_fee: Wei = Wei(0)
    blob_hashes: tuple[Hash32, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    y_parity: int = 0
    r: int = 0
    s: int = 0
    raw: bytes = field(default=b"", compare=False, repr=False)
    hash: Hash32 = field(default=Hash32(b""), compare=False)
    _signed_part: bytes = field(default=b"", init=False, compare=False, repr=False)
    """Of a decoded transaction the fields that the signature covers, as they came; nothing in what is made of it."""

    @property
    def v(self) -> int:
        """The signature's v as JSON-RPC shows it: y_parity, or the legacy 27/28 or EIP-155 form."""
        if self.type != LEGACY:
            return self.y_parity
        return self.y_parity + (27 if self.chain_id is None else 35 + 2 * self.chain_id)

    @property
    def is_impersonated(self) -> bool:
        """Whether nobody signed: its signature is the mark of `impersonated_by`. If that counts, the chain decides."""
        return self.s == IMPERSONATED_S and self.r >> ADDRESS_BITS == 1

    def impersonated_by(self, sender: Address) -> "Transaction":
        """This transaction in the name of an account that nobody here has the key of, with its raw bytes and its hash.

        The mark is no signature: r holds the sender, s a word. That a key gives such an r by chance would take 2**95
        attempts.
        """
        r = 1 << ADDRESS_BITS | int.from_bytes(sender, "big")
        return sealed(replace(self, y_parity=0, r=r, s=IMPERSONATED_S))

    def sender(self, *, any_s: bool = False) -> Address:
        """The account that signed, or that is named where nobody did (`is_impersonated`); `any_s` as in Frontier.

        Raises InvalidSignature.
        """
        if self.is_impersonated:
            return Address((self.r & (1 << ADDRESS_BITS) - 1).to_bytes(20, "big"))
        return recover(self.signing_hash(), self.y_parity, self.r, self.s, any_s=any_s)

    def signing_hash(self) -> Hash32:
        """The digest that the sender signs."""
        if self.type == LEGACY:
            fields = _legacy_fields(self)
            if self.chain_id is not None:
                fields += [rlp.encode_int(self.chain_id), b"\x80", b"\x80"]
            return keccak256(rlp.encode_list(fields))
        signed = self._signed_part or b"".join(_typed_fields(self))
        return keccak256(bytes((self.type,)) + rlp.encode_length(len(signed), 0xC0) + signed)

    def encode(self) -> bytes:
        """The signed envelope: what eth_sendRawTransaction takes and what blocks hold."""
        if self.type == LEGACY:
            return rlp.encode_list([*_legacy_fields(self), *map(rlp.encode_int, (self.v, self.r, self.s))])
        signature = map(rlp.encode_int, (self.y_parity, self.r, self.s))
        return bytes((self.type,)) + rlp.encode_list([*_typed_fields(self), *signature])

    def signed_with(self, private_key: bytes) -> "Transaction":
        """This transaction with the key's signature, its raw bytes and its hash."""
        y_parity, r, s = sign(self.signing_hash(), private_key)
        return sealed(replace(self, y_parity=y_parity, r=r, s=s))

    def effective_gas_price(self, base_fee: Wei) -> Wei:
        """What a unit of gas costs the sender in a block with this base fee (EIP-1559)."""
        return Wei(min(self.max_fee, base_fee + self.max_priority_fee))


def sealed(transaction: Transaction) -> Transaction:
    """The transaction with `raw` and `hash` computed from its fields."""
    raw = transaction.encode()
    return replace(transaction, raw=raw, hash=keccak256(raw))


def unsigned(transaction: Transaction) -> Transaction:
    """As `sealed`, with a signature of zeros, as geth encodes what is not signed."""
    raw = transaction.encode()
    if transaction.type == LEGACY:
        raw = rlp.encode_list([*_legacy_fields(transaction), *map(rlp.encode_int, (0, 0, 0))])
    return replace(transaction, raw=raw, hash=keccak256(raw))


def decode_transaction(raw: bytes, *, any_s: bool = False) -> Transaction:
    """The transaction in a signed envelope.

    Raises InvalidTransactionEncoding for unknown types, malformed RLP, trailing bytes or fields out of range, and
    InvalidSignature for signature values that no key can produce (in Frontier `any_s` was good). The sender is not
    recovered here.
    """
    try:
        kind, fields = _envelope(raw)
        transaction = _decode_legacy(fields, raw) if kind == LEGACY else _decode_typed(kind, fields, raw)
    except rlp.RLPError as error:
        raise InvalidTransactionEncoding(f"rlp: {error}") from error
    check_signature_values(transaction.y_parity, transaction.r, transaction.s, any_s=any_s)
    return transaction


def envelope_gas(raw: bytes) -> Gas:
    """The gas limit that a signed envelope names, for whoever only orders transactions.

    Raises InvalidTransactionEncoding for unknown types, malformed RLP, trailing bytes and a wrong number of fields.
    """
    try:
        kind, fields = _envelope(raw)
        gas: Gas = _number(fields[_GAS_AT[kind]], 8, "gas limit")
    except rlp.RLPError as error:
        raise InvalidTransactionEncoding(f"rlp: {error}") from error
    return gas


def included_transaction(raw: bytes) -> Transaction:
    """One of a block. Its signature was judged when the block was executed, by the rules of its fork."""
    return decode_transaction(raw, any_s=True)


_GO_NAMES = {
    LEGACY: "types.LegacyTx",
    ACCESS_LIST: "types.AccessListTx",
    DYNAMIC_FEE: "types.DynamicFeeTx",
    BLOB: "types.BlobTx",
    SET_CODE: "types.SetCodeTx",
}
"""What geth's decoder calls each type, in words that libraries match on."""
BEYOND_256_BITS = {
    "value": "insufficient funds for gas * price + value",
    "max fee": "max fee per gas higher than 2^256-1",
    "max priority fee": "max priority fee per gas higher than 2^256-1",
}
"""What geth, which decodes these at any size, says of them then."""
_LENGTHS = {LEGACY: 9, ACCESS_LIST: 11, DYNAMIC_FEE: 12, BLOB: 14, SET_CODE: 13}
_GAS_AT = {LEGACY: 2, ACCESS_LIST: 3, DYNAMIC_FEE: 4, BLOB: 4, SET_CODE: 4}


def _int(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _to(transaction: Transaction) -> bytes:
    return b"\x80" if transaction.to is None else rlp.encode_bytes(transaction.to)


def _legacy_fields(tx: Transaction) -> list[bytes]:
    return [
        rlp.encode_int(tx.nonce),
        rlp.encode_int(tx.max_fee),
        rlp.encode_int(tx.gas),
        _to(tx),
        rlp.encode_int(tx.value),
        rlp.encode_bytes(tx.data),
    ]


def _typed_fields(tx: Transaction) -> list[bytes]:
    fees = [tx.max_fee] if tx.type == ACCESS_LIST else [tx.max_priority_fee, tx.max_fee]
    fields = [*map(rlp.encode_int, (tx.chain_id or 0, tx.nonce, *fees, tx.gas))]
    fields += [_to(tx), rlp.encode_int(tx.value), rlp.encode_bytes(tx.data), _encode_access_list(tx.access_list)]
    if tx.type == BLOB:
        fields += [rlp.encode_int(tx.max_blob_fee), rlp.encode(tx.blob_hashes)]
    if tx.type == SET_CODE:
        fields.append(rlp.encode_list([_encode_authorization(a) for a in tx.authorizations]))
    return fields


def _encode_access_list(entries: Sequence[AccessListEntry]) -> bytes:
    return rlp.encode([[entry.address, [slot.to_bytes(32, "big") for slot in entry.slots]] for entry in entries])


def _encode_authorization(a: Authorization) -> bytes:
    return rlp.encode([_int(a.chain_id), a.address, *map(_int, (a.nonce, a.y_parity, a.r, a.s))])


def _number(item: rlp.Item, size: int, name: str) -> Any:
    """The natural number of at most `size` bytes in an item. Raises InvalidTransactionEncoding or RLPError."""
    if type(item) is bytes and len(item) <= size and item[:1] != b"\0":
        return int.from_bytes(item, "big")
    rlp.decode_int(item)
    too_large = BEYOND_256_BITS.get(name)
    raise InvalidTransactionEncoding(too_large or f"rlp: input string too long for {name}, which has {8 * size} bits")


def _envelope(raw: bytes) -> tuple[TransactionType, Sequence[rlp.Item]]:
    """The type of a transaction and its fields. Raises InvalidTransactionEncoding or RLPError."""
    if not raw:
        raise InvalidTransactionEncoding("typed transaction too short")
    kind, content = (LEGACY, raw) if raw[0] >= 0xC0 else (TransactionType(raw[0]), raw[1:])
    if kind not in _LENGTHS or (content is not raw and kind == LEGACY):
        raise InvalidTransactionEncoding("transaction type not supported")
    fields = rlp.decode_list(rlp.decode(content))
    if len(fields) < _LENGTHS[kind]:
        raise InvalidTransactionEncoding(f"rlp: too few elements for {_GO_NAMES[kind]}")
    if len(fields) > _LENGTHS[kind]:
        raise InvalidTransactionEncoding(f"rlp: input list has too many elements for {_GO_NAMES[kind]}")
    return kind, fields


def _decode_to(item: rlp.Item) -> Address | None:
    return None if item == b"" else Address(rlp.decode_bytes(item, 20))


def _decode_legacy(fields: Sequence[rlp.Item], raw: bytes) -> Transaction:
    nonce, price, gas, to, value, data, v_item, r, s = fields
    v = _number(v_item, 32, "v")
    if v in (27, 28):
        chain_id, y_parity = None, v - 27
    elif v >= 35:
        chain_id, y_parity = (v - 35) // 2, (v - 35) % 2
    else:
        chain_id, y_parity = None, 2  # refused by the signature check, with geth's words
    gas_price = _number(price, 32, "max fee")
    return Transaction(
        type=LEGACY,
        chain_id=chain_id,
        nonce=_number(nonce, 8, "nonce"),
        max_fee=gas_price,
        max_priority_fee=gas_price,
        gas=_number(gas, 8, "gas limit"),
        to=_decode_to(to),
        value=_number(value, 32, "value"),
        data=rlp.decode_bytes(data),
        y_parity=y_parity,
        r=_number(r, 32, "r"),
        s=_number(s, 32, "s"),
        raw=raw,
        hash=keccak256(raw),
    )


def _decode_typed(kind: TransactionType, fields: Sequence[rlp.Item], raw: bytes) -> Transaction:
    chain_id, nonce, priority, *rest = fields
    max_fee = priority if kind == ACCESS_LIST else rest.pop(0)
    gas, to, value, data, access_list, *extra, y_parity, r, s = rest
    recipient = _decode_to(to)
    if recipient is None and kind in (BLOB, SET_CODE):
        raise InvalidTransactionEncoding("rlp: input string too short for common.Address, decoding into .To")
    transaction = Transaction(
        type=kind,
        chain_id=_number(chain_id, 8, "chain id"),
        nonce=_number(nonce, 8, "nonce"),
        max_fee=_number(max_fee, 32, "max fee"),
        max_priority_fee=_number(priority, 32, "max priority fee"),
        gas=_number(gas, 8, "gas limit"),
        to=recipient,
        value=_number(value, 32, "value"),
        data=rlp.decode_bytes(data),
        access_list=() if access_list == [] else tuple(map(_decode_access, rlp.decode_list(access_list))),
        max_blob_fee=_number(extra[0], 32, "blob fee") if kind == BLOB else Wei(0),
        blob_hashes=tuple(Hash32(rlp.decode_bytes(h, 32)) for h in rlp.decode_list(extra[1])) if kind == BLOB else (),
        authorizations=tuple(map(_decode_authorization, rlp.decode_list(extra[0]))) if kind == SET_CODE else (),
        y_parity=_number(y_parity, 32, "y parity"),
        r=_number(r, 32, "r"),
        s=_number(s, 32, "s"),
        raw=raw,
        hash=keccak256(raw),
    )
    object.__setattr__(transaction, "_signed_part", _before_signature(raw, (y_parity, r, s)))
    return transaction


def _before_signature(raw: bytes, signature: Sequence[rlp.Item]) -> bytes:
    """The fields that the signature covers, as they stand in the envelope."""
    begin = 2 if raw[1] < 0xF8 else raw[1] - 0xF5
    end = len(raw)
    for item in map(rlp.decode_bytes, signature):
        end -= 1 if len(item) == 1 and item[0] < 0x80 else 1 + len(item)
    return raw[begin:end]


def _decode_access(item: rlp.Item) -> AccessListEntry:
    address, slots = rlp.decode_list(item, 2)
    values = (int.from_bytes(rlp.decode_bytes(slot, 32), "big") for slot in rlp.decode_list(slots))
    return AccessListEntry(Address(rlp.decode_bytes(address, 20)), tuple(values))


def _decode_authorization(item: rlp.Item) -> Authorization:
    chain_id, address, nonce, y_parity, r, s = rlp.decode_list(item, 6)
    return Authorization(
        chain_id=_number(chain_id, 32, "authorization chain id"),
        address=Address(rlp.decode_bytes(address, 20)),
        nonce=_number(nonce, 8, "authorization nonce"),
        y_parity=_number(y_parity, 1, "authorization y parity"),
        r=_number(r, 32, "authorization r"),
        s=_number(s, 32, "authorization s"),
    )
