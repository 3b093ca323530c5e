"""eth_resend and eth_sendRawTransactionConditional: sending on a condition."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chain.messages.mempool import PooledTransaction
from chain.transactions import Transaction, decode_transaction, unsigned
from chain.types import Address, Gas, Hash32, Wei
from rpc.errors import RpcError, ServerError
from rpc.methods import Node, method, optional
from rpc.params import address, data, hash32, mapping, member, quantity, storage_key, text, uint64
from rpc.render import data_json
from rpc.sending import filled, send_raw_transaction, send_transaction, sender_of
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

CONDITION = "TransactionConditional"
MAX_CONDITIONS = 1_000
"""Accounts and slots of one condition, as ERC-7796 has it."""


class ConditionNotMet(RpcError):
    """What ERC-7796 has for it."""

    code = -32003


class TooManyConditions(RpcError):
    code = -32005


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be so when the transaction is let in: storage roots or slots of accounts, and the coming block.

    Bounds are included. Whether it still is so when the transaction is executed nobody looks.
    """

    roots: Mapping[Address, Hash32]
    slots: Mapping[Address, Mapping[int, int]]
    least_number: int | None
    most_number: int | None
    least_time: int | None
    most_time: int | None


def condition(value: Any) -> Condition:
    """Raises InvalidValue."""
    given = mapping(value, CONDITION)
    accounts = member(given, CONDITION, "knownAccounts", _accounts) or {}
    slots = {of: known for of, known in accounts.items() if isinstance(known, dict)}
    if len(accounts) + sum(map(len, slots.values())) > MAX_CONDITIONS:
        raise TooManyConditions(f"the condition names more than {MAX_CONDITIONS} accounts and slots")
    return Condition(
        {of: Hash32(known) for of, known in accounts.items() if isinstance(known, bytes)},
        slots,
        *(member(given, CONDITION, name, uint64) for name in ("blockNumberMin", "blockNumberMax")),
        *(member(given, CONDITION, name, uint64) for name in ("timestampMin", "timestampMax")),
    )


def _accounts(value: Any) -> dict[Address, bytes | dict[int, int]]:
    """Of each a storage root, or slots with their values."""
    return {address(of): _known(known) for of, known in mapping(value, "map[common.Address]KnownAccount").items()}


def _known(value: Any) -> bytes | dict[int, int]:
    if not isinstance(value, dict):
        return hash32(value)
    return {storage_key(slot).number: storage_key(text(word)).number for slot, word in value.items()}


@method("eth_sendRawTransactionConditional", data, condition)
async def send_conditional(node: Node, raw: bytes, wanted: Condition) -> str:
    """As eth_sendRawTransaction if the condition is met by the newest state (ERC-7796)."""
    await _check(node, wanted)
    return await send_raw_transaction(node, raw)


async def _check(node: Node, wanted: Condition) -> None:
    """Raises ConditionNotMet."""
    head = node.chain.head
    _check_bounds("block number", head.header.number, wanted.least_number, wanted.most_number)
    _check_bounds("timestamp", head.header.timestamp, wanted.least_time, wanted.most_time)
    for of, root in wanted.roots.items():
        if (await node.chain.proof(of, (), head.hash)).storage_root != root:
            raise ConditionNotMet(f"transaction rejected: the storage of {data_json(of)} is another one")
    for of, slots in wanted.slots.items():
        for slot, value in slots.items():
            if await node.chain.state.slot(head.version, of, slot) != value:
                raise ConditionNotMet(f"transaction rejected: slot {slot:#x} of {data_json(of)} has another value")


def _check_bounds(name: str, value: int, least: int | None, most: int | None) -> None:
    if least is not None and value < least:
        raise ConditionNotMet(f"transaction rejected: {name} {value} is below {least}")
    if most is not None and value > most:
        raise ConditionNotMet(f"transaction rejected: {name} {value} is above {most}")


@method("eth_resend", transaction_arguments, optional(quantity), optional(uint64))
async def resend(node: Node, wanted: TransactionArguments, price: int | None, gas: int | None) -> str:
    """Put a transaction that waits in the pool into it again, with another price or gas limit.

    As geth, this finds it by all that it says; it is given as it was sent.
    """
    if wanted.nonce is None:
        raise ServerError("missing transaction nonce in transaction spec")
    sender = sender_of(node, wanted)
    wanted.check_no_blobs()
    asked = replace(await filled(node, wanted._replace(sender=sender)), nonce=wanted.nonce)
    if not any(_is_same(asked, pooled, sender) for pooled in tuple(node.admission.pool)):
        raise ServerError(f"transaction {data_json(unsigned(asked).hash)} not found")
    if price:
        wanted = wanted._replace(gas_price=Wei(price), max_fee=None, max_priority_fee=None)
    return await send_transaction(node, wanted._replace(sender=sender, gas=Gas(gas) if gas else asked.gas))


def _is_same(asked: Transaction, pooled: PooledTransaction, sender: Address) -> bool:
    """Whether what waits says the same, signatures aside."""
    if pooled.sender != sender or pooled.nonce != asked.nonce:
        return False
    return decode_transaction(pooled.raw).signing_hash() == asked.signing_hash()
