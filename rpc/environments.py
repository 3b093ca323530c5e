"""What a call sees of the block it is run in."""

import time

from chain.fees import next_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.genesis import Genesis
from chain.headers import Header
from chain.messages.execution import BlockEnvironment
from chain.types import BlockNumber, Gas, Wei


def fork_of(header: Header, genesis: Genesis) -> Fork:
    """The rules of this block."""
    return genesis.forks.at(header.number, header.timestamp)


def pending_fork(head: Header, genesis: Genesis) -> Fork:
    """The rules of the block after `head`, were it made at this moment."""
    return genesis.forks.at(head.number + 1, max(int(time.time()), head.timestamp))


def environment_of(header: Header, genesis: Genesis) -> BlockEnvironment:
    """The environment that the transactions of this block had."""
    return BlockEnvironment.of(header, genesis.chain_id, genesis.forks)


def pending_environment(head: Header, genesis: Genesis, now: int) -> BlockEnvironment:
    """The environment that the block after `head` would have at `now`, in seconds. Its leader and randomness are not
    known yet; those of the head stand in."""
    number, timestamp = BlockNumber(head.number + 1), max(now, head.timestamp)
    fork = genesis.forks.at(number, timestamp)
    return BlockEnvironment(
        chain_id=genesis.chain_id,
        fork=fork,
        number=number,
        timestamp=timestamp,
        beneficiary=head.beneficiary,
        prev_randao=head.prev_randao,
        gas_limit=head.gas_limit,
        base_fee=next_base_fee(head) if fork >= Fork.LONDON else Wei(0),
        excess_blob_gas=next_excess_blob_gas(head, fork) if fork >= Fork.CANCUN else Gas(0),
        deposit_contract=genesis.forks.deposit_contract,
    )
