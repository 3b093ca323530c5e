"""The block access list of EIP-7928, from a trace: which accounts and slots a block looked at, and every change.

In JSON as eth_getBlockAccessList of the execution APIs has it. Block access index 0 stands for the system calls before
the transactions, 1 to n for the transactions, n + 1 for the system calls after them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from chain import rlp
from chain.messages.traces import BlockTrace, TransactionTrace
from chain.records import AccessKind
from chain.types import Address, Hash32
from rpc.render import JsonObject, address_json, data_json, word_json

Changes = list[tuple[int, int]]
"""Block access indices and the values after them, ascending."""


@dataclass(slots=True)
class _Account:
    slots: set[int] = field(default_factory=set)
    storage: dict[int, Changes] = field(default_factory=lambda: defaultdict(list))
    balances: Changes = field(default_factory=list)
    nonces: Changes = field(default_factory=list)
    codes: Changes = field(default_factory=list)


def block_access_list(trace: BlockTrace) -> list[JsonObject]:
    """The accounts by address, the slots of each by number, the changes by index."""
    accounts: dict[Address, _Account] = defaultdict(_Account)
    if trace.transactions:
        accounts[trace.case.environment.beneficiary] = _Account()  # even if no fee is left for it
    for index, one in enumerate(_runs(trace)):
        for address in one.accounts:
            _ = accounts[address]
        for address, slot in one.slots:
            accounts[address].slots.add(slot)
        for write in one.writes:
            account = accounts[write.address]
            changes = {
                AccessKind.BALANCE: account.balances,
                AccessKind.NONCE: account.nonces,
                AccessKind.CODE: account.codes,
            }.get(write.kind)
            (account.storage[write.slot] if changes is None else changes).append((index, write.value))
    return [_account_json(address, accounts[address], trace) for address in sorted(accounts)]


def encode_access_list(listed: list[JsonObject]) -> bytes:
    """The list in RLP, from its JSON: numbers as numbers, addresses and code as bytes."""
    return rlp.encode_list([_encoded(account) for account in listed])


def _encoded(account: JsonObject) -> bytes:
    slots = [
        rlp.encode_list([_number(each["key"]), rlp.encode_list([_indexed(change) for change in each["changes"]])])
        for each in account["storageChanges"]
    ]
    return rlp.encode_list(
        [
            _data(account["address"]),
            rlp.encode_list(slots),
            rlp.encode_list([_number(key) for key in account["storageReads"]]),
            rlp.encode_list([_indexed(change) for change in account["balanceChanges"]]),
            rlp.encode_list([_indexed(change) for change in account["nonceChanges"]]),
            rlp.encode_list(
                [rlp.encode_list([_number(each["index"]), _data(each["code"])]) for each in account["codeChanges"]]
            ),
        ]
    )


def _indexed(change: JsonObject) -> bytes:
    return rlp.encode_list([_number(change["index"]), _number(change["value"])])


def _number(quantity: str) -> bytes:
    return rlp.encode_int(int(quantity, 16))


def _data(value: str) -> bytes:
    return rlp.encode_bytes(bytes.fromhex(value[2:]))


def _runs(trace: BlockTrace) -> Iterator[TransactionTrace]:
    yield trace.start
    yield from trace.transactions
    yield trace.end


def _account_json(address: Address, account: _Account, trace: BlockTrace) -> JsonObject:
    return {
        "address": address_json(address),
        "storageChanges": [
            {"key": word_json(slot), "changes": [_change(i, word_json(value)) for i, value in changes]}
            for slot, changes in sorted(account.storage.items())
        ],
        "storageReads": [word_json(slot) for slot in sorted(account.slots - account.storage.keys())],
        "balanceChanges": [_change(index, hex(value)) for index, value in account.balances],
        "nonceChanges": [_change(index, hex(value)) for index, value in account.nonces],
        "codeChanges": [
            {"index": hex(index), "code": data_json(trace.codes[Hash32(value.to_bytes(32, "big"))])}
            for index, value in account.codes
        ],
    }


def _change(index: int, value: str) -> JsonObject:
    return {"index": hex(index), "value": value}
