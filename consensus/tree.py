"""The proposals above the last committed one, as a tree whose root is that one."""

from dataclasses import dataclass

from chain.proposals import ExecutedBlock, Proposal
from chain.types import ZERO_HASH, Hash32, Height, Round
from consensus.errors import ConflictingCommit

MAX_PROPOSALS = 512
"""A bound on memory. Reached only if hundreds of rounds in a row fail to commit; then side branches go first."""

GENESIS_EXECUTED = ExecutedBlock(Height(0), ZERO_HASH)
"""What the genesis proposal carries: validators know no hash for block 0."""


@dataclass(frozen=True, slots=True)
class Node:
    """A proposal in its place. `depth` counts proposals from genesis; `timestamp_ms` is of its newest block, and so are
    `transactions`, how many it holds (0 where that is not known any more).
    """

    id: Hash32
    parent: Hash32
    round: Round
    depth: int
    height: Height
    timestamp_ms: int
    executed: ExecutedBlock
    proposal: Proposal | None
    """None for genesis only."""
    transactions: int = 0
    transactions_before: int = 0
    """Of the block before that one."""


def genesis_node(genesis_id: Hash32, timestamp_s: int) -> Node:
    return Node(genesis_id, ZERO_HASH, Round(0), 0, Height(0), timestamp_s * 1000, GENESIS_EXECUTED, None)


def child_node(proposal: Proposal, parent: Node) -> Node:
    return Node(
        id=proposal.id,
        parent=parent.id,
        round=proposal.round,
        depth=parent.depth + 1,
        height=proposal.height,
        timestamp_ms=parent.timestamp_ms if proposal.inputs is None else proposal.inputs.timestamp_ms,
        executed=proposal.executed,
        proposal=proposal,
        transactions=parent.transactions if proposal.inputs is None else len(proposal.transactions),
        transactions_before=parent.transactions_before if proposal.inputs is None else parent.transactions,
    )


class ProposalTree:
    def __init__(self, root: Node) -> None:
        self.root = root
        self._nodes: dict[Hash32, Node] = {root.id: root}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, id: Hash32) -> bool:
        return id in self._nodes

    def get(self, id: Hash32) -> Node | None:
        return self._nodes.get(id)

    def proposal(self, id: Hash32) -> Proposal | None:
        node = self._nodes.get(id)
        return None if node is None else node.proposal

    def insert(self, proposal: Proposal) -> Node:
        """Adds a proposal whose parent is here."""
        node = child_node(proposal, self._nodes[proposal.parent])
        self._nodes[node.id] = node
        return node

    def proposed_in(self, round: Round) -> Node | None:
        """A proposal of that round, if one is known."""
        return next((node for node in self._nodes.values() if node.round == round), None)

    def children(self, id: Hash32) -> list[Node]:
        return [node for node in self._nodes.values() if node.parent == id]

    def path_to(self, id: Hash32) -> list[Node]:
        """The nodes after the root down to `id`, oldest first. Raises ConflictingCommit if the root is no ancestor."""
        path = []
        node = self._nodes[id]
        while node.id != self.root.id:
            path.append(node)
            parent = self._nodes.get(node.parent)
            if parent is None or parent.depth < self.root.depth:
                raise ConflictingCommit(self.root.id, id)
            node = parent
        return path[::-1]

    def commit(self, id: Hash32) -> tuple[list[Node], list[Node]]:
        """Makes `id` the root. Returns the newly committed nodes, oldest first, and the abandoned ones."""
        path = self.path_to(id)
        kept = self._descendants_of(path[-1])
        committed = {node.id for node in path}
        abandoned = [n for n in self._nodes.values() if n.id not in kept and n.id not in committed and n != self.root]
        self.root = path[-1]
        self._nodes = kept
        return path, abandoned

    def prune(self, tip: Node) -> list[Node]:
        """When there are too many: drops and returns all that is neither on the way to `tip` nor newer than it."""
        if len(self._nodes) < MAX_PROPOSALS:
            return []
        path = {self.root.id, *(node.id for node in self.path_to(tip.id))}
        dropped = [n for n in self._nodes.values() if n.id not in path and n.round <= tip.round]
        for node in dropped:
            del self._nodes[node.id]
        return dropped

    def _descendants_of(self, root: Node) -> dict[Hash32, Node]:
        kept = {root.id: root}
        for node in sorted(self._nodes.values(), key=lambda n: n.depth):
            if node.parent in kept:
                kept[node.id] = node
        return kept
