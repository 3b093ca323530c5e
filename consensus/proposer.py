"""Makes a leader's proposal."""

from chain.proposals import BlockInputs, Proposal, TimeoutCertificate
from chain.types import Height, Round, ValidatorIndex
from consensus.chain_state import ChainState
from consensus.payload import Packed, Payload
from consensus.production import Work
from consensus.proposal_checks import ChainRules, randomness
from consensus.tree import Node


class Proposer:
    def __init__(self, me: ValidatorIndex, rules: ChainRules, payload: Payload) -> None:
        self._me = me
        self._rules = rules
        self._payload = payload

    def make(
        self, work: Work, round: Round, state: ChainState, timeouts: TimeoutCertificate | None, now_ms: int
    ) -> Proposal:
        """The proposal of `round` on the tip, with a block if that is the work."""
        tip = state.tip
        assert tip is not None
        assert work is not Work.NOTHING
        takes_height = work.makes_block
        packed = self._payload.pack() if takes_height else Packed((), None)
        return Proposal(
            parent=tip.id,
            round=round,
            proposer=self._me,
            certificate=state.safety.highest,
            timeout_certificate=timeouts,
            height=Height(tip.height + 1) if takes_height else tip.height,
            inputs=self._inputs(tip, round, now_ms) if takes_height else None,
            executed=state.executed_to_carry(tip),
            transactions=packed.transactions,
            operation=packed.operation,
        )

    def _inputs(self, tip: Node, round: Round, now_ms: int) -> BlockInputs:
        return BlockInputs(
            timestamp_ms=max(now_ms, tip.timestamp_ms),
            beneficiary=self._rules.validators.beneficiary(self._me),
            prev_randao=randomness(tip.id, round, self._me),
            gas_limit=self._rules.gas_limit,
        )
