"""What a call sees of the block it is run in."""

import time
from dataclasses import replace

from chain.fees import next_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.genesis import Genesis
from chain.headers import MAX_TIMESTAMP, Header
from chain.messages.execution import BlockEnvironment
from chain.messages.storage import StoredBlock
from chain.operations import BlockSettings
from chain.transactions import included_transaction
from chain.types import BlockNumber, Gas, Wei


def fork_of(header: Header, genesis: Genesis) -> Fork:
    """The rules of this block."""
    return genesis.forks.at(header.number, header.timestamp)


def pending_fork(head: Header, genesis: Genesis) -> Fork:
    """The rules of the block after `head`, were it made at this moment."""
    return genesis.forks.at(head.number + 1, max(int(time.time()), head.timestamp))


def environment_of(header: Header, genesis: Genesis, settings: BlockSettings) -> BlockEnvironment:
    """The environment that calls on this block have."""
    chain_id = genesis.chain_id if settings.chain_id is None else settings.chain_id
    return replace(BlockEnvironment.of(header, chain_id, genesis.forks), signatures=settings.signatures)


class NewestEnvironment:
    """The environment that was asked for last, kept because most calls are on one block: making it takes as long as
    all else that is done with a call before it leaves.
    """

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._known: tuple[Header, BlockSettings, BlockEnvironment] | None = None

    def of(self, header: Header, settings: BlockSettings) -> BlockEnvironment:
        known = self._known
        if known is None or known[0] is not header or known[1] is not settings:
            known = self._known = header, settings, environment_of(header, self._genesis, settings)
        return known[2]


def environment_in(block: StoredBlock, genesis: Genesis, settings: BlockSettings) -> BlockEnvironment:
    """The environment that the transactions of this block had. They say for which chain they are: anvil_setChainId may
    have changed its id since. The signatures that ECRECOVER pretends are those of this moment."""
    said = (included_transaction(raw).chain_id for raw in block.transactions)
    chain_id = next((found for found in said if found is not None), genesis.chain_id)
    return replace(environment_of(block.header, genesis, settings), chain_id=chain_id)


def pending_environment(head: Header, genesis: Genesis, settings: BlockSettings, now: int) -> BlockEnvironment:
    """The environment that the block after `head` would have at `now`, in seconds, with what operations have set.

    Its leader and randomness are not known yet; those of the head stand in.
    """
    number, timestamp = BlockNumber(head.number + 1), min(_coming_timestamp(head, settings, now), MAX_TIMESTAMP)
    fork = genesis.forks.at(number, timestamp)
    return BlockEnvironment(
        chain_id=genesis.chain_id if settings.chain_id is None else settings.chain_id,
        fork=fork,
        number=number,
        timestamp=timestamp,
        beneficiary=settings.beneficiary or head.beneficiary,
        prev_randao=settings.next_prev_randao or head.prev_randao,
        gas_limit=settings.gas_limit or head.gas_limit,
        base_fee=_coming_base_fee(head, fork, settings),
        excess_blob_gas=next_excess_blob_gas(head, fork) if fork >= Fork.CANCUN else Gas(0),
        deposit_contract=genesis.forks.deposit_contract,
        signatures=settings.signatures,
    )


def _coming_base_fee(head: Header, fork: Fork, settings: BlockSettings) -> Wei:
    if settings.next_base_fee is not None:
        return settings.next_base_fee
    return next_base_fee(head) if fork >= Fork.LONDON else Wei(0)


def _coming_timestamp(head: Header, settings: BlockSettings, now: int) -> int:
    if settings.next_timestamp is not None:
        return settings.next_timestamp
    if settings.timestamp_interval is not None:
        return head.timestamp + settings.timestamp_interval
    return max(now + settings.time_offset, head.timestamp)
