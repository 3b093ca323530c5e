"""debug_accountInfoAt and debug_intermediateRoots: the state within a block, after some of its transactions."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chain.accounts import Account, AccountChange
from chain.messages.simulation import StateRoot, WorkOutRoot
from chain.messages.traces import TransactionTrace
from chain.records import AccessKind
from chain.types import Address, Hash32, Version, Wei
from rpc.call_traces import count
from rpc.debug_traces import existing_block
from rpc.errors import InvalidParams, LimitExceeded, ServerError
from rpc.methods import Node, method, optional
from rpc.params import BlockReference, address, block_reference, hash32
from rpc.render import JsonObject, data_json
from rpc.state_reader import READ_TIMEOUT_S
from rpc.trace_options import DEFAULT_OPTIONS, TraceOptions, trace_options

MAX_ROOTS = 256
"""Of one block: each is worked out with everything before it."""


@dataclass(slots=True)
class Written:
    """What was written to one account, None for what was not."""

    nonce: int | None = None
    balance: int | None = None
    code: Hash32 | None = None
    slots: dict[int, int] = field(default_factory=dict)

    def onto(self, account: Account) -> Account:
        return replace(
            account,
            nonce=account.nonce if self.nonce is None else self.nonce,
            balance=account.balance if self.balance is None else Wei(self.balance),
            code_hash=self.code or account.code_hash,
        )


@method("debug_accountInfoAt", block_reference, count, address)
async def account_info_at(node: Node, reference: BlockReference, position: int, account: Address) -> JsonObject:
    """The account right after one of the block's transactions, as Reth and anvil tell it."""
    block = await existing_block(node, reference)
    many = len(block.transactions)
    if position >= many:
        raise InvalidParams(f"tx_index {position} out of bounds for block with {many} transactions")
    trace = await node.traces.of(block)
    version = await node.chain.version_before(block)
    written: dict[Address, Written] = {}
    for part in (trace.start, *trace.transactions[: position + 1]):
        _add(part, written)
    changed = written.get(account, Written())
    found = changed.onto(await node.chain.state.account(version, account))
    code = trace.codes.get(changed.code) if changed.code else await node.chain.state.code(version, account)
    return {"balance": hex(found.balance), "nonce": found.nonce, "code": data_json(code or b"")}


@method("debug_intermediateRoots", hash32, optional(trace_options, DEFAULT_OPTIONS))
async def intermediate_roots(node: Node, block_hash: Hash32, _: TraceOptions) -> list[str]:
    """The root of the state after each transaction of a block."""
    block = await existing_block(node, block_hash)
    if block.header.number == 0:
        raise ServerError("genesis is not traceable")
    if len(block.transactions) > MAX_ROOTS:
        raise LimitExceeded(f"the block has more than {MAX_ROOTS} transactions")
    trace = await node.traces.of(block)
    version = await node.chain.version_before(block)
    before = await _accounts_before(node, version, (trace.start, *trace.transactions))
    written: dict[Address, Written] = {}
    _add(trace.start, written)
    roots = []
    for part in trace.transactions:
        _add(part, written)
        answer = await node.storage.request(WorkOutRoot(version, _changes(before, written)), READ_TIMEOUT_S)
        assert isinstance(answer, StateRoot)
        roots.append(data_json(answer.root))
    return roots


async def _accounts_before(node: Node, version: Version, parts: Iterable[TransactionTrace]) -> dict[Address, Account]:
    """What was there of all that these wrote to."""
    touched = list(dict.fromkeys(write.address for part in parts for write in part.writes))
    found = await asyncio.gather(*(node.chain.state.account(version, each) for each in touched))
    return dict(zip(touched, found, strict=True))


def _add(part: TransactionTrace, written: dict[Address, Written]) -> None:
    for write in part.writes:
        of = written.setdefault(write.address, Written())
        match write.kind:
            case AccessKind.NONCE:
                of.nonce = write.value
            case AccessKind.BALANCE:
                of.balance = write.value
            case AccessKind.CODE:
                of.code = Hash32(write.value.to_bytes(32, "big"))
            case AccessKind.SLOT:
                of.slots[write.slot] = write.value


def _changes(before: Mapping[Address, Account], written: Mapping[Address, Written]) -> tuple[AccountChange, ...]:
    return tuple(AccountChange(each, of.onto(before[each]), dict(of.slots)) for each, of in written.items())
