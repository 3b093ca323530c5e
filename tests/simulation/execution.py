"""Execution as validators see it: takes committed blocks in order, answers with nonces and balances."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chain.codec import decode_message
from chain.keccak import keccak256
from chain.messages.mempool import BlockResult, LeftOut, PooledTransaction, Production, SenderState
from chain.operations import OrderedOperation
from chain.proposals import ExecutedBlock, Proposal
from chain.types import Address, Gas, Hash32, Height, Wei
from tests.consensus.builders import ETHER, GAS_LIMIT, GWEI
from tests.simulation.oracles import Violation


class Surroundings(Protocol):
    """What execution needs of the world."""

    pooled: dict[Hash32, PooledTransaction]

    def block(self, height: Height) -> Proposal | None: ...

    def after(self, delay_us: int, action: Callable[[], None]) -> None: ...

    def execution_time_us(self) -> int: ...

    def deliver_result(self, result: BlockResult) -> None: ...


@dataclass(slots=True)
class Executor:
    """A ledger of nonces."""

    around: Surroundings
    gas_limit: Gas = GAS_LIMIT
    height: int = 0
    busy: bool = False
    nonces: dict[Address, int] = field(default_factory=dict)
    results: list[BlockResult] = field(default_factory=list)
    included: dict[Hash32, int] = field(default_factory=dict)
    operations: list[Hash32] = field(default_factory=list)

    def run(self) -> None:
        proposal = self.around.block(Height(self.height + 1))
        if proposal is None or self.busy:
            return
        self.busy = True
        self.around.after(self.around.execution_time_us(), lambda: self.finish(proposal))

    def finish(self, proposal: Proposal) -> None:
        self.busy = False
        self.height += 1
        included: list[Hash32] = []
        left_out: list[LeftOut] = []
        touched: set[Address] = set()
        for raw in proposal.transactions:
            tx = self.around.pooled[keccak256(raw)]
            nonce = self.nonces.get(tx.sender, 0)
            if tx.nonce != nonce:
                left_out.append(LeftOut(tx.hash, f"nonce {tx.nonce} at {nonce}", retry=tx.nonce > nonce))
                continue
            if tx.hash in self.included:
                raise Violation("a transaction was included twice")
            self.nonces[tx.sender] = nonce + 1
            self.included[tx.hash] = self.height
            included.append(tx.hash)
            touched.add(tx.sender)
        self._operate(proposal)
        self.results.append(self._result(proposal, included, left_out, sorted(touched)))
        self.around.deliver_result(self.results[-1])
        self.run()

    def _operate(self, proposal: Proposal) -> None:
        """Takes an operation whose turn it is; another took the turn of any other."""
        if proposal.operation is None:
            return
        operation = decode_message(proposal.operation)
        assert isinstance(operation, OrderedOperation)
        if operation.sequence == len(self.operations):
            self.operations.append(operation.hash())

    def state(self, sender: Address) -> SenderState:
        return SenderState(sender, self.nonces.get(sender, 0), Wei(1000 * ETHER))

    def executed(self, height: Height) -> ExecutedBlock | None:
        """The truth about a block, if it is known yet."""
        if height > len(self.results):
            return None
        return ExecutedBlock(height, self.results[height - 1].header_hash)

    def _result(
        self,
        proposal: Proposal,
        included: Sequence[Hash32],
        left_out: Sequence[LeftOut],
        touched: Sequence[Address],
    ) -> BlockResult:
        return BlockResult(
            height=Height(self.height),
            proposal=proposal.id,
            header_hash=keccak256(b"header" + proposal.id),
            gas_limit=self.gas_limit,
            next_base_fee=Wei(GWEI),
            included=tuple(included),
            left_out=tuple(left_out),
            senders=tuple(self.state(sender) for sender in touched),
            production=Production(operations=len(self.operations)),
        )
