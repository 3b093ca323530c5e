"""From a proposal and the outcomes of its transactions to the Ethereum block, and what is told of it.

The next block needs only the state and a few of the header's numbers, so that it can run before this one is assembled.
The parent's hash and the state root stay zero: storage alone knows both. See chain.headers.with_state_root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from chain.accounts import AccountChange
from chain.console_log import ConsoleLogs
from chain.headers import Header
from chain.keccak import EMPTY_HASH
from chain.messages.mempool import LeftOut, SenderState
from chain.messages.storage import ApplyBlock
from chain.operations import BlockSettings
from chain.proposals import Proposal
from chain.receipts import Receipt
from chain.records import BlockRecord, encode_record
from chain.types import Address, Gas, Hash32, Height
from execution.block_run import BlockRun
from execution.merged import MergedState
from execution.reader import is_delegation
from execution.record import Execution, record_of
from execution.roots import Pending

Summarize: TypeAlias = Callable[[Sequence[Receipt]], Pending[tuple[Hash32, bytes]]]
"""Begins to compute what the header says of receipts: their root, and the bloom of their logs."""


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block as execution leaves it: what storage applies, and what validators and rpc are told once it did.

    `console` is what transactions that are in it logged, by hash; `position` is that of the change log after the block.
    """

    apply: ApplyBlock
    included: tuple[Hash32, ...]
    left_out: tuple[LeftOut, ...]
    senders: tuple[SenderState, ...]
    record: BlockRecord
    console: tuple[tuple[Hash32, ConsoleLogs], ...]
    position: int

    @property
    def height(self) -> Height:
        return self.apply.height

    @property
    def blocks_to_apply(self) -> tuple[ApplyBlock, ...]:
        return (self.apply,)


class Told(NamedTuple):
    """What others are told of a block besides the block; `states` as `sender_states` gives them."""

    changes: tuple[AccountChange, ...]
    states: tuple[SenderState, ...]
    record: BlockRecord


@dataclass(slots=True)
class RanBlock:
    """A block whose transactions have run: all that the next one needs, and what is left to assemble.

    `header` lacks the roots and the bloom as well; `position` is that of the change log after the block. `settings` are
    those after it, if it used some up. What is `told` is worked out while the next block runs.
    """

    proposal: Proposal
    run: BlockRun
    header: Header
    how: Execution
    transactions_root: Pending[Hash32]
    position: int
    settings: BlockSettings | None = None
    told: Told | None = None


def header_of(run: BlockRun) -> Header:
    """The block's header without what has to be worked out from all of its transactions."""
    empty = run.environment.header()
    return replace(
        empty,
        gas_used=Gas(run.gas_used),
        blob_gas_used=Gas(run.blob_gas_used) if empty.blob_gas_used is not None else None,
        requests_hash=run.requests_hash or empty.requests_hash,
    )


def told_of(ran: RanBlock) -> Told:
    """Raises Missing."""
    changes = ran.run.merged.changes()
    states = sender_states(ran.run, changes)
    return Told(changes, states, record_of(ran.how, ran.run, states))


async def assemble(ran: RanBlock, told: Told, summarize: Summarize) -> ExecutedBlock:
    """The block that the run of the proposal's transactions makes."""
    run = ran.run
    receipts, raws, senders, included = _included(run)
    summary, record = summarize(receipts), encode_record(told.record)
    transactions_root = await ran.transactions_root.get()
    receipts_root, logs_bloom = await summary.get()
    header = replace(
        ran.header, transactions_root=transactions_root, receipts_root=receipts_root, logs_bloom=logs_bloom
    )
    applied = ApplyBlock(
        height=ran.proposal.height,
        proposal=ran.proposal.id,
        header=header,
        transactions=tuple(raws),
        senders=tuple(senders),
        receipts=tuple(receipts),
        changes=told.changes,
        parent_hash_slot=run.parent_hash_slot,
        record=record,
        settings=ran.settings,
    )
    return ExecutedBlock(
        applied, tuple(included), left_out_of(run), told.states, told.record, console_of(run), ran.position
    )


def included_raws(run: BlockRun) -> list[bytes]:
    """The signed envelopes of the transactions that are in the block, once all turns are taken."""
    return [turn.signed.raw for turn in run.turns if turn.outcome is not None]


def left_out_of(run: BlockRun) -> tuple[LeftOut, ...]:
    """The transactions of the proposal that are not in the block, and why."""
    return tuple(
        LeftOut(turn.signed.hash, str(turn.left_out), turn.left_out.retry)
        for turn in run.turns
        if turn.left_out is not None
    )


def console_of(run: BlockRun) -> tuple[tuple[Hash32, ConsoleLogs], ...]:
    """What the transactions that are in the block logged, each by the run that counted."""
    return tuple(
        [
            (turn.signed.hash, turn.outcome.console)
            for turn in run.turns
            if turn.outcome is not None and turn.outcome.console.messages
        ]
    )


def sender_states(run: BlockRun, changes: tuple[AccountChange, ...]) -> tuple[SenderState, ...]:
    """The new state of every changed account that can send, and of those whose transactions were left out,
    or that nobody signed.

    Raises Missing.
    """
    merged = run.merged
    addresses = dict.fromkeys(change.address for change in changes if _can_send(change, merged))
    for turn in run.turns:
        sender, transaction = turn.signed.sender, turn.signed.transaction
        if sender is not None and (turn.left_out is not None or (transaction and transaction.is_impersonated)):
            addresses[sender] = None
    accounts = ((address, merged.account(address)) for address in addresses)
    return tuple(SenderState(address, account.nonce, account.balance) for address, account in accounts)


def _can_send(change: AccountChange, merged: MergedState) -> bool:
    code_hash = change.account.code_hash
    return code_hash == EMPTY_HASH or is_delegation(merged.code(code_hash))


def receipts_of(run: BlockRun) -> list[Receipt]:
    """The receipts of the transactions that are in the block."""
    return _included(run)[0]


def _included(run: BlockRun) -> tuple[list[Receipt], list[bytes], list[Address], list[Hash32]]:
    receipts: list[Receipt] = []
    raws: list[bytes] = []
    senders: list[Address] = []
    hashes: list[Hash32] = []
    gas = 0
    for turn in run.turns:
        outcome, transaction, sender = turn.outcome, turn.signed.transaction, turn.signed.sender
        if outcome is None or transaction is None or sender is None:
            continue
        gas += outcome.gas_used
        receipts.append(outcome.receipt(transaction.type, Gas(gas)))
        raws.append(turn.signed.raw)
        senders.append(sender)
        hashes.append(turn.signed.hash)
    return receipts, raws, senders, hashes
