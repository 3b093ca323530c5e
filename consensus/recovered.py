"""A replica's state as its store gives it back."""

from dataclasses import dataclass

from chain.genesis import Genesis
from chain.proposals import ExecutedBlock, Proposal
from consensus.commands import SafetyRecord
from consensus.tree import Node, genesis_node


@dataclass(frozen=True, slots=True)
class Recovered:
    """`safety` is None for a replica that has never run. `root` is the newest committed proposal, `unexecuted` the
    newest committed ones that make blocks (enough to cover the chain's lag), `uncommitted` other proposals that were
    accepted, by round.
    """

    safety: SafetyRecord | None
    root: Node
    unexecuted: tuple[Node, ...]
    uncommitted: tuple[Proposal, ...]
    results: tuple[ExecutedBlock, ...]


def new_chain(genesis: Genesis) -> Recovered:
    """The state of a replica that has never run."""
    genesis_id = genesis.id()
    root = genesis_node(genesis_id, genesis.timestamp)
    return Recovered(None, root, (), (), ())
