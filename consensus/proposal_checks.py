"""What must be true of a proposal before it is voted for, besides signatures and the rule set's vote rule."""

from dataclasses import dataclass

from chain.keccak import keccak256
from chain.proposals import BlockInputs, Proposal
from chain.types import Gas, Hash32, Height, Round, ValidatorIndex
from consensus.errors import (
    ExecutedWentBack,
    LagTooLong,
    WrongHeight,
    WrongInputs,
    WrongParent,
    WrongTimestamp,
)
from consensus.tree import Node
from consensus.validators import ValidatorSet

MAX_CLOCK_DIFFERENCE_MS = 2_000


@dataclass(frozen=True, slots=True)
class ChainRules:
    """What genesis fixes of every proposal."""

    gas_limit: Gas
    max_lag: int
    validators: ValidatorSet


def randomness(parent: Hash32, round: Round, proposer: ValidatorIndex) -> Hash32:
    """The block's prevRandao. A proposer can choose it only by choosing whether to propose."""
    return keccak256(b"tandem randao" + parent + round.to_bytes(8, "big") + proposer.to_bytes(4, "big"))


def check_extends(proposal: Proposal, parent: Node, rules: ChainRules, latest_ms: int | None) -> None:
    """Whether `proposal` may follow `parent`. Raises a `Rejected` subclass.

    `latest_ms` bounds its timestamp; None for a proposal that is certified, whose voters checked that.
    """
    if proposal.parent != parent.id or proposal.round <= parent.round:
        raise WrongParent(f"round {proposal.round} on {proposal.parent.hex()}, a proposal of round {parent.round}")
    _check_executed(proposal, parent)
    if proposal.inputs is None:
        if proposal.height != parent.height:
            raise WrongHeight(proposal.height, parent.height)
        if proposal.transactions or proposal.operation is not None:
            raise WrongInputs("transactions or an operation in a proposal that makes no block")
        return
    expected = Height(parent.height + 1)
    if proposal.height != expected:
        raise WrongHeight(proposal.height, expected)
    if proposal.height - proposal.executed.height > rules.max_lag:
        raise LagTooLong(proposal.height, proposal.executed.height, rules.max_lag)
    _check_inputs(proposal, proposal.inputs, parent, rules, latest_ms)


def _check_executed(proposal: Proposal, parent: Node) -> None:
    executed, before = proposal.executed, parent.executed
    if executed.height < before.height or (executed.height == before.height and executed != before):
        raise ExecutedWentBack(f"result of block {executed.height} after that of block {before.height}")
    if executed.height > parent.height:
        raise ExecutedWentBack(f"result of block {executed.height}, which is no ancestor of block {parent.height}")


def _check_inputs(
    proposal: Proposal, inputs: BlockInputs, parent: Node, rules: ChainRules, latest_ms: int | None
) -> None:
    if latest_ms is not None:  # a quorum vouched for the parent's time, though our clock may have gone back since
        latest_ms = max(latest_ms, parent.timestamp_ms)
    if inputs.timestamp_ms < parent.timestamp_ms or (latest_ms is not None and inputs.timestamp_ms > latest_ms):
        raise WrongTimestamp(inputs.timestamp_ms, parent.timestamp_ms, latest_ms or 0)
    if inputs.beneficiary != rules.validators.beneficiary(proposal.proposer):
        raise WrongInputs(f"beneficiary 0x{inputs.beneficiary.hex()} is not validator {proposal.proposer}'s")
    if inputs.gas_limit != rules.gas_limit:
        raise WrongInputs(f"gas limit {inputs.gas_limit} where {rules.gas_limit} belongs")
    if inputs.prev_randao != randomness(proposal.parent, proposal.round, proposal.proposer):
        raise WrongInputs("prevRandao is not the one of this parent, round and proposer")
