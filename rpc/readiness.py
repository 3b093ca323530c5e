"""Whether the chain can take transactions and make blocks of them, and if not, what is missing."""

from collections.abc import Sequence

from chain.types import ValidatorIndex
from rpc.methods import Node


def unreachable(node: Node) -> list[str]:
    """The processes without which nothing can be read."""
    return [name for name, link in (("storage", node.storage), ("execution", node.execution)) if not link.connected]


def missing_validators(node: Node) -> Sequence[ValidatorIndex]:
    """The validators that do not answer, if the others are too few for a quorum."""
    stakes = [identity.stake for identity in node.genesis.validators]
    away = [index for index, link in node.validators.items() if not link.connected]
    present = sum(stakes) - sum(stakes[index] for index in away)
    return [] if 3 * present > 2 * sum(stakes) else away
