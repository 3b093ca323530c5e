"""The object that eth_call, eth_estimateGas, eth_sendTransaction and eth_signTransaction take.

Members that are absent stay None: what to fill in differs between a call and a transaction to send. Members that
nobody knows are ignored, as geth does; members that are known and not supported are refused, never ignored.
"""

from typing import Any, NamedTuple

from chain.addresses import checksummed
from chain.messages.calls import CallMessage
from chain.transactions import ACCESS_LIST, LEGACY, AccessListEntry, Authorization, TransactionType
from chain.types import ZERO_ADDRESS, Address, Gas, Hash32, Wei
from rpc.errors import InvalidParams, ServerError
from rpc.params import InvalidValue, Parser, address, data, hash32, mapping, member, quantity, sequence, uint64

STRUCT = "TransactionArgs"
GO_TYPE = f"ethapi.{STRUCT}"
BLOB_MEMBERS = frozenset(("blobs", "commitments", "proofs"))
GAS_PRICED = {"0x0": LEGACY, "0x1": ACCESS_LIST}
"""Types that anvil and ganache look for where geth goes by the other members alone."""


class BlobsNotTaken(InvalidParams):
    def __init__(self) -> None:
        super().__init__("blobs are taken in raw transactions only: sign it, and send it by eth_sendRawTransaction")


class TransactionArguments(NamedTuple):
    """What the request said, None for what it did not."""

    sender: Address | None = None
    to: Address | None = None
    gas: Gas | None = None
    gas_price: Wei | None = None
    max_fee: Wei | None = None
    max_priority_fee: Wei | None = None
    value: Wei | None = None
    nonce: int | None = None
    data: bytes | None = None
    input: bytes | None = None
    chain_id: int | None = None
    access_list: tuple[AccessListEntry, ...] | None = None
    authorizations: tuple[Authorization, ...] | None = None
    max_blob_fee: Wei | None = None
    blob_hashes: tuple[Hash32, ...] | None = None
    has_blobs: bool = False
    type: TransactionType | None = None
    """Only where it says more than the other members do: that the fee is to be a gas price."""

    def payload(self) -> bytes:
        """The call data, under whichever of its two names it came. Raises ServerError when they differ."""
        if self.data is not None and self.input is not None and self.data != self.input:
            raise ServerError(
                'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data'
            )
        return self.input or self.data or b""

    def message(self, gas: Gas, fee: Wei) -> CallMessage:
        """The call, from nobody if nobody is named; `fee` stands for what is not said of it. Raises ServerError."""
        return CallMessage(
            sender=self.sender or ZERO_ADDRESS,
            to=self.to,
            gas=gas,
            max_fee=fee if self.max_fee is None else self.max_fee,
            max_priority_fee=fee if self.max_priority_fee is None else self.max_priority_fee,
            value=self.value or Wei(0),
            data=self.payload(),
            access_list=self.access_list or (),
            authorizations=self.authorizations or (),
            max_blob_fee=self.max_blob_fee or Wei(0),
            blob_hashes=self.blob_hashes or (),
        )

    def check_fees(self) -> None:
        """Raises ServerError when the fees of two transaction types are mixed or contradict each other."""
        self.check_mixed_fees()
        if self.max_fee is not None and self.max_priority_fee is not None and self.max_fee < self.max_priority_fee:
            raise ServerError(f"maxFeePerGas (0x{self.max_fee:x}) < maxPriorityFeePerGas (0x{self.max_priority_fee:x})")

    def check_mixed_fees(self) -> None:
        """Raises ServerError when the fees of two transaction types are mixed."""
        dynamic = self.max_fee is not None or self.max_priority_fee is not None
        if self.gas_price is not None and dynamic:
            raise ServerError("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")

    def check_not_empty(self) -> None:
        """Raises ServerError for a list that makes a blob or set-code transaction of a call, and has nothing in it."""
        if self.blob_hashes == ():
            raise ServerError(f"blob transaction {'of type create' if self.to is None else 'missing blob hashes'}")
        if self.authorizations == ():
            sender = checksummed(self.sender or ZERO_ADDRESS)
            raise ServerError(f"EIP-7702 transaction with empty auth list (sender {sender})")

    def check_no_blobs(self) -> None:
        """Raises BlobsNotTaken for a transaction that is to be sent and is to have blobs."""
        if self.has_blobs or self.blob_hashes is not None:
            raise BlobsNotTaken

    def check_no_sidecar(self) -> None:
        """Raises BlobsNotTaken for one that is to be filled in and comes with its blobs; calls ignore them."""
        if self.has_blobs:
            raise BlobsNotTaken

    def check_chain(self, chain_id: int) -> None:
        """Raises ServerError when the request names another chain."""
        if self.chain_id is not None and self.chain_id != chain_id:
            raise ServerError(f"chainId does not match node's (have={self.chain_id}, want={chain_id})")


def transaction_arguments(value: Any) -> TransactionArguments:
    """Parses the object. Raises InvalidValue."""
    given = mapping(value, GO_TYPE)
    parsed = {}
    try:
        for said, item in given.items():
            if item is not None and said in MEMBERS:
                name, parse = MEMBERS[said]
                parsed[name] = parse(item)
    except InvalidValue:
        for said, (_, parse) in MEMBERS.items():  # the first of them is told
            member(given, STRUCT, said, parse)
        raise
    return TransactionArguments(**parsed, has_blobs=_has_blobs(given))


def _has_blobs(given: dict[str, Any]) -> bool:
    return not BLOB_MEMBERS.isdisjoint(given) and any(given.get(name) is not None for name in BLOB_MEMBERS)


def _gas(value: Any) -> Gas:
    return Gas(uint64(value))


def _wei(value: Any) -> Wei:
    return Wei(quantity(value))


def _gas_priced_type(value: Any) -> TransactionType | None:
    return GAS_PRICED.get(value) if isinstance(value, str) else None


def _hashes(value: Any) -> tuple[Hash32, ...]:
    return tuple(hash32(item) for item in sequence(value, "[]common.Hash"))


def _access_list(value: Any) -> tuple[AccessListEntry, ...]:
    return tuple(_access(entry) for entry in sequence(value, "types.AccessList"))


def _access(value: Any) -> AccessListEntry:
    entry = mapping(value, "types.AccessTuple")
    account = member(entry, "AccessTuple", "address", address)
    if account is None:
        raise InvalidValue("missing required field 'address' for AccessTuple")
    keys = sequence(entry.get("storageKeys") or [], "[]common.Hash")
    return AccessListEntry(account, tuple(int.from_bytes(hash32(key), "big") for key in keys))


def _authorizations(value: Any) -> tuple[Authorization, ...]:
    return tuple(_authorization(item) for item in sequence(value, "[]types.SetCodeAuthorization"))


def _authorization(value: Any) -> Authorization:
    item = mapping(value, "types.SetCodeAuthorization")
    numbers = {}
    for name in ("chainId", "nonce", "yParity", "r", "s"):
        number = member(item, "SetCodeAuthorization", name, quantity)
        if number is None:
            raise InvalidValue(f"missing required field '{name}' for SetCodeAuthorization")
        numbers[name] = number
    delegate = member(item, "SetCodeAuthorization", "address", address)
    if delegate is None:
        raise InvalidValue("missing required field 'address' for SetCodeAuthorization")
    return Authorization(
        chain_id=numbers["chainId"],
        address=delegate,
        nonce=numbers["nonce"],
        y_parity=numbers["yParity"],
        r=numbers["r"],
        s=numbers["s"],
    )


MEMBERS: dict[str, tuple[str, Parser[Any]]] = {
    "from": ("sender", address),
    "to": ("to", address),
    "gas": ("gas", _gas),
    "gasPrice": ("gas_price", _wei),
    "maxFeePerGas": ("max_fee", _wei),
    "maxPriorityFeePerGas": ("max_priority_fee", _wei),
    "value": ("value", _wei),
    "nonce": ("nonce", uint64),
    "data": ("data", data),
    "input": ("input", data),
    "chainId": ("chain_id", quantity),
    "accessList": ("access_list", _access_list),
    "authorizationList": ("authorizations", _authorizations),
    "maxFeePerBlobGas": ("max_blob_fee", _wei),
    "blobVersionedHashes": ("blob_hashes", _hashes),
    "type": ("type", _gas_priced_type),
}
"""What each is called in a request and here, in the order in which mistakes are looked for."""
