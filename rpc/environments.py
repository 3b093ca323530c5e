"""What a call sees of the block it is run in."""

from chain.fees import next_base_fee, next_excess_blob_gas
from chain.genesis import Genesis
from chain.headers import Header
from chain.messages.execution import BlockEnvironment
from chain.types import BlockNumber


def environment_of(header: Header, genesis: Genesis) -> BlockEnvironment:
    """The environment that the transactions of this block had."""
    return BlockEnvironment(
        chain_id=genesis.chain_id,
        fork=genesis.fork,
        number=header.number,
        timestamp=header.timestamp,
        beneficiary=header.beneficiary,
        prev_randao=header.prev_randao,
        gas_limit=header.gas_limit,
        base_fee=header.base_fee,
        excess_blob_gas=header.excess_blob_gas,
    )


def pending_environment(head: Header, genesis: Genesis, now: int) -> BlockEnvironment:
    """The environment that the block after `head` would have at `now`, in seconds. Its leader and randomness are not
    known yet; those of the head stand in."""
    return BlockEnvironment(
        chain_id=genesis.chain_id,
        fork=genesis.fork,
        number=BlockNumber(head.number + 1),
        timestamp=max(now, head.timestamp),
        beneficiary=head.beneficiary,
        prev_randao=head.prev_randao,
        gas_limit=head.gas_limit,
        base_fee=next_base_fee(head),
        excess_blob_gas=next_excess_blob_gas(head, genesis.fork),
    )
