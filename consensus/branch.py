"""Which transactions are already in the branch that the next proposal extends, block by block."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chain.errors import ChainError
from chain.fees import max_blob_cost
from chain.keccak import keccak256
from chain.messages.mempool import PooledTransaction
from chain.proposals import Proposal
from chain.transactions import Transaction, decode_transaction
from chain.types import Gas, Hash32, Height, Wei

MAX_RESOLVED_PROPOSALS = 16
"""A few more than can be unexecuted at once."""


class ProposedTransaction:
    """A transaction of a proposal: one that the mempool holds, or one that was decoded. The sender of the latter is
    recovered when somebody asks: that takes 60 us, and nobody does while nothing waits here.
    """

    def __init__(self, hash: Hash32, gas: Gas, pooled: PooledTransaction | None, decoded: Transaction | None) -> None:
        self.hash = hash
        self.gas = gas
        self._pooled = pooled
        self._decoded = decoded

    @property
    def pooled(self) -> PooledTransaction | None:
        """With its sender; None if no key gives that signature. Execution leaves it out of every block then."""
        if self._pooled is None and self._decoded is not None:
            tx, self._decoded = self._decoded, None
            with contextlib.suppress(ChainError):
                sender, value = tx.sender(), Wei(tx.value + max_blob_cost(tx))
                self._pooled = PooledTransaction(
                    tx.hash, tx.raw, sender, tx.nonce, tx.gas, tx.max_fee, tx.max_priority_fee, value
                )
        return self._pooled


class Resolver:
    """Finds out what a proposal's raw transactions are: from the mempool by hash, else by decoding them."""

    def __init__(self, known: Callable[[Hash32], PooledTransaction | None]) -> None:
        self._known = known
        self._resolved: OrderedDict[Hash32, tuple[ProposedTransaction, ...]] = OrderedDict()

    def resolve(self, proposal: Proposal) -> tuple[ProposedTransaction, ...]:
        """Bytes that are no transaction are skipped: execution leaves them out of every block."""
        found = self._resolved.get(proposal.id)
        if found is None:
            resolved = (self._resolve_one(raw) for raw in proposal.transactions)
            found = tuple(transaction for transaction in resolved if transaction is not None)
            self._resolved[proposal.id] = found
            if len(self._resolved) > MAX_RESOLVED_PROPOSALS:
                self._resolved.popitem(last=False)
        return found

    def _resolve_one(self, raw: bytes) -> ProposedTransaction | None:
        known = self._known(keccak256(raw))
        if known is not None:
            return ProposedTransaction(known.hash, known.gas, known, None)
        try:
            tx = decode_transaction(raw)
        except ChainError:
            return None
        return ProposedTransaction(tx.hash, tx.gas, None, tx)


@dataclass(slots=True)
class BranchBlock:
    """`counted` says that the senders' queues know what of theirs is in it."""

    id: Hash32
    height: Height
    transactions: tuple[ProposedTransaction, ...]
    operates: bool
    counted: bool = False

    @property
    def pooled(self) -> Iterator[PooledTransaction]:
        return (pooled for one in self.transactions if (pooled := one.pooled) is not None)


class Branch:
    """The unexecuted blocks of the branch followed, oldest first."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._blocks: list[BranchBlock] = []
        self._hashes: set[Hash32] = set()

    def __contains__(self, hash: Hash32) -> bool:
        return hash in self._hashes

    @property
    def newest(self) -> Height | None:
        return self._blocks[-1].height if self._blocks else None

    @property
    def operates(self) -> bool:
        """Whether an operation is under way, after which everything may be different."""
        return any(block.operates for block in self._blocks)

    @property
    def blocks(self) -> Sequence[BranchBlock]:
        return self._blocks

    def follow(self, proposals: Sequence[Proposal]) -> list[BranchBlock]:
        """Moves to that branch. Returns the blocks that left it."""
        ids = [proposal.id for proposal in proposals]
        kept = {block.id: block for block in self._blocks if block.id in ids}
        left = [block for block in self._blocks if block.id not in kept]
        blocks = [kept.get(proposal.id) or self._block(proposal) for proposal in proposals]
        joined = [block for block in blocks if block.id not in kept]
        self._blocks = blocks
        for block in left:
            self._hashes.difference_update(tx.hash for tx in block.transactions)
        for block in joined:
            self._hashes.update(tx.hash for tx in block.transactions)
        return left

    def drop_up_to(self, height: Height) -> list[BranchBlock]:
        """Removes the blocks that are executed now, and returns them."""
        left = [block for block in self._blocks if block.height <= height]
        self._blocks = self._blocks[len(left) :]
        for block in left:
            self._hashes.difference_update(tx.hash for tx in block.transactions)
        return left

    def _block(self, proposal: Proposal) -> BranchBlock:
        return BranchBlock(
            proposal.id, proposal.height, self._resolver.resolve(proposal), proposal.operation is not None
        )
