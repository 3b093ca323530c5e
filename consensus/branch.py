"""Which transactions are already in the branch that the next proposal extends, block by block.

Of one that the mempool does not hold only hash and gas are of interest: its sender would have to be recovered, which
takes longer than all else, and what the sender has waiting here comes after the block's result anyway.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chain.errors import DecodeError
from chain.keccak import keccak256
from chain.messages.mempool import PooledTransaction
from chain.proposals import Proposal
from chain.transactions import envelope_gas
from chain.types import Gas, Hash32, Height

MAX_RESOLVED_PROPOSALS = 16
"""A few more than can be unexecuted at once."""


@dataclass(slots=True)
class ProposedTransaction:
    """A transaction of a proposal; `pooled` if the mempool has ever held it."""

    hash: Hash32
    gas: Gas
    pooled: PooledTransaction | None


class Resolver:
    """Finds out what a proposal's raw transactions are: from the mempool by hash, else by their envelopes."""

    def __init__(self, known: Callable[[Hash32], PooledTransaction | None]) -> None:
        self._known = known
        self._resolved: OrderedDict[Hash32, tuple[ProposedTransaction, ...]] = OrderedDict()

    def resolve(self, proposal: Proposal) -> tuple[ProposedTransaction, ...]:
        """Bytes that are no transaction are skipped: execution leaves them out of every block."""
        found = self._resolved.get(proposal.id)
        if found is None:
            resolved = (self._resolve_one(raw) for raw in proposal.transactions)
            found = tuple([transaction for transaction in resolved if transaction is not None])
            self._resolved[proposal.id] = found
            if len(self._resolved) > MAX_RESOLVED_PROPOSALS:
                self._resolved.popitem(last=False)
        return found

    def look_again(self, transactions: Sequence[ProposedTransaction]) -> None:
        """Notes which of them the mempool has come to hold since they were resolved."""
        for transaction in transactions:
            if transaction.pooled is None:
                transaction.pooled = self._known(transaction.hash)

    def _resolve_one(self, raw: bytes) -> ProposedTransaction | None:
        hash = keccak256(raw)
        known = self._known(hash)
        if known is not None:
            return ProposedTransaction(hash, known.gas, known)
        try:
            return ProposedTransaction(hash, envelope_gas(raw), None)
        except DecodeError:
            return None


@dataclass(slots=True)
class BranchBlock:
    """`counted` says that the senders' queues know what of theirs is in it, as far as it was held here then."""

    id: Hash32
    height: Height
    transactions: tuple[ProposedTransaction, ...]
    operates: bool
    counted: bool = False

    @property
    def pooled(self) -> Iterator[PooledTransaction]:
        return (one.pooled for one in self.transactions if one.pooled is not None)


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

    def uncounted(self) -> list[BranchBlock]:
        """The blocks to count, with what the mempool holds of them by now."""
        blocks = [block for block in self._blocks if not block.counted]
        for block in blocks:
            self._resolver.look_again(block.transactions)
        return blocks

    def count_again(self) -> None:
        """The mempool came to hold more of what is in these blocks."""
        for block in self._blocks:
            block.counted = False

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
