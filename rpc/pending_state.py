"""The state that `pending` names: that of the newest block, and what the pool's transactions make of it.

A reader runs the block that they would fill, once for all requests until it would be another one. What it changes is
laid over the state that storage keeps: for reads here, for calls as state overrides beneath their own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chain.accounts import Account, AccountChange
from chain.forks import Fork
from chain.headers import Header
from chain.messages.calls import AccountOverride
from chain.messages.execution import BlockEnvironment
from chain.messages.mempool import PooledTransaction
from chain.messages.proofs import Proof
from chain.messages.simulation import BlockToSimulate, RunSimulation, Simulated, SimulationFailed, signed_call
from chain.messages.storage import StoredBlock
from chain.transactions import decode_transaction
from chain.types import ZERO_HASH, Address, Gas, Hash32
from rpc.errors import ServerError
from rpc.methods import Node
from rpc.params import BlockReference, BlockTag
from rpc.pending_block import environment_to_come, transactions_to_come

Changes: TypeAlias = dict[Address, AccountChange]
GasOfTransaction: TypeAlias = tuple[PooledTransaction, Gas]
"""A transaction of the pending block with the gas that it used there."""

TIME_LIMIT_MS = 10_000
"""A block of the pool; on a fork it may wait for the remote chain."""
GAS_CAP = Gas(2**63 - 1)
"""A block has its own limit."""
LAST_PRECOMPILE = 0x1FF
"""Precompiles are below: an override of one would take its code away, and of their accounts nobody asks."""


@dataclass(frozen=True, slots=True)
class PendingRun:
    """What became of the pool's transactions. The header has no roots of them."""

    header: Header
    transactions: tuple[GasOfTransaction, ...]
    changes: Changes


@dataclass(slots=True)
class PendingState:
    """The block that was run last, by what it follows from."""

    _key: tuple[Hash32, int, BlockEnvironment, tuple[Hash32, ...]] | None = None
    _run: "asyncio.Task[PendingRun] | None" = field(default=None)

    async def changes(self, node: Node) -> Changes:
        """What the pool's transactions change. Raises ServerError."""
        environment = environment_to_come(node)
        pooled = transactions_to_come(node, environment)
        return (await self._of(node, environment, pooled)).changes if pooled else {}

    async def block(self, node: Node) -> PendingRun:
        """The block that the pool would fill, or an empty one. Raises ServerError."""
        environment = environment_to_come(node)
        pooled = transactions_to_come(node, environment)
        if not pooled:
            return PendingRun(_empty_header(node.chain.head.header, environment), (), {})
        return await self._of(node, environment, pooled)

    async def _of(self, node: Node, environment: BlockEnvironment, pooled: Sequence[PooledTransaction]) -> PendingRun:
        head = node.chain.head
        key = (head.hash, head.version, environment, tuple(transaction.hash for transaction in pooled))
        if self._run is None or key != self._key or (self._run.done() and self._run.exception() is not None):
            self._key, self._run = key, asyncio.create_task(_made(node, head, environment, pooled))
        return await asyncio.shield(self._run)


def _empty_header(head: Header, environment: BlockEnvironment) -> Header:
    """That of a block without transactions."""
    after_cancun = environment.fork >= Fork.CANCUN
    return replace(
        head,
        number=environment.number,
        timestamp=environment.timestamp,
        gas_limit=environment.gas_limit,
        gas_used=Gas(0),
        base_fee=environment.base_fee if environment.fork >= Fork.LONDON else None,
        blob_gas_used=Gas(0) if after_cancun else None,
        excess_blob_gas=environment.excess_blob_gas if after_cancun else None,
    )


async def _made(
    node: Node, head: StoredBlock, environment: BlockEnvironment, pooled: Sequence[PooledTransaction]
) -> PendingRun:
    block = _with(environment, pooled)
    request = RunSimulation(
        call_id=0,
        version=head.version,
        base=head.header,
        blocks=(block,),
        traces_transfers=False,
        validates=True,
        gas_cap=GAS_CAP,
        time_limit_ms=TIME_LIMIT_MS,
        tells_changes=True,
    )
    try:
        answer = await node.callers.simulate(request)
    except TimeoutError:
        raise ServerError(f"the pending block could not be run within {TIME_LIMIT_MS // 1000} s") from None
    if isinstance(answer, SimulationFailed):
        raise ServerError(f"the pending block could not be run: {answer.reason}")
    assert isinstance(answer, Simulated)
    [made] = answer.blocks
    placed = [each for place, each in enumerate(pooled) if place not in made.left_out]
    used = tuple([(each, call.gas_used) for each, call in zip(placed, made.calls, strict=True)])
    return PendingRun(made.header, used, {change.address: change for change in answer.changes})


def pending_block(node: Node) -> BlockToSimulate:
    """The block that the pool would fill."""
    environment = environment_to_come(node)
    return _with(environment, transactions_to_come(node, environment))


def _with(environment: BlockEnvironment, pooled: Sequence[PooledTransaction]) -> BlockToSimulate:
    calls = tuple(signed_call(decode_transaction(each.raw), each.sender) for each in pooled)
    return BlockToSimulate(
        environment, environment.base_fee, ZERO_HASH, withdrawals=(), overrides=(), calls=calls, leaves_out=True
    )


async def account_at(node: Node, address: Address, reference: BlockReference) -> Account:
    """Raises HeaderNotFound."""
    if reference == BlockTag.PENDING:
        change = (await node.pending.changes(node)).get(address)
        if change is not None:
            return change.account
    return await node.chain.account(address, reference)


async def proof_at(node: Node, address: Address, slots: tuple[int, ...], reference: BlockReference) -> Proof:
    """Raises HeaderNotFound. Of pending state the root is that of nobody's header."""
    changes = await node.pending.changes(node) if reference == BlockTag.PENDING else {}
    return await node.chain.proof(address, slots, reference, tuple(changes.values()))


async def code_at(node: Node, address: Address, reference: BlockReference) -> bytes:
    """Raises HeaderNotFound."""
    if reference == BlockTag.PENDING:
        change = (await node.pending.changes(node)).get(address)
        if change is not None and (change.code is not None or change.account.is_empty):
            return change.code or b""
    return await node.chain.state.code(await node.chain.version(reference), address)


async def slot_at(node: Node, address: Address, number: int, reference: BlockReference) -> int:
    """Raises HeaderNotFound."""
    if reference == BlockTag.PENDING:
        change = (await node.pending.changes(node)).get(address)
        if change is not None and (number in change.slots or change.clears_storage):
            return change.slots.get(number, 0)
    return await node.chain.state.slot(await node.chain.version(reference), address, number)


async def overrides_at(
    node: Node, reference: BlockReference, given: tuple[AccountOverride, ...]
) -> tuple[AccountOverride, ...]:
    """What a call at that block is to pretend, so that it sees pending state too."""
    if reference != BlockTag.PENDING:
        return given
    return laid_over(await node.pending.changes(node), given)


def laid_over(changes: Changes, given: Sequence[AccountOverride]) -> tuple[AccountOverride, ...]:
    """The changes as overrides, with those that are given on top."""
    targets = {override.precompile_moves_to for override in given}
    merged = {
        address: _override(change)
        for address, change in changes.items()
        if int.from_bytes(address, "big") > LAST_PRECOMPILE and address not in targets
    }
    for override in given:
        beneath = merged.get(override.address)
        merged[override.address] = override if beneath is None else _merged(beneath, override)
    return tuple(merged.values())


def _override(change: AccountChange) -> AccountOverride:
    account = change.account
    return AccountOverride(
        address=change.address,
        nonce=account.nonce,
        balance=account.balance,
        code=b"" if account.is_empty and change.code is None else change.code,
        slots=change.slots,
        replaces_storage=change.clears_storage,
    )


def _merged(beneath: AccountOverride, above: AccountOverride) -> AccountOverride:
    return AccountOverride(
        address=above.address,
        nonce=beneath.nonce if above.nonce is None else above.nonce,
        balance=beneath.balance if above.balance is None else above.balance,
        code=beneath.code if above.code is None else above.code,
        slots=above.slots if above.replaces_storage else beneath.slots | above.slots,
        replaces_storage=above.replaces_storage or beneath.replaces_storage,
        precompile_moves_to=above.precompile_moves_to,
    )
