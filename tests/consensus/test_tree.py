"""What a node of the tree says of the blocks up to it."""

from consensus.tree import child_node, genesis_node
from tests.consensus.builders import make_genesis
from tests.consensus.lone_core import LoneCore


def test_a_node_knows_how_many_transactions_the_two_newest_blocks_have() -> None:
    world = LoneCore()
    node = genesis_node(world.genesis_id, make_genesis().base.timestamp)
    counts = []
    for round, transactions in enumerate(((b"1",), (b"2", b"3"), None, (b"4", b"5", b"6"), None), start=1):
        takes_height = transactions is not None
        proposal = world.proposal(round, takes_height=takes_height, transactions=transactions or ())
        node = child_node(proposal, node)
        counts.append((node.transactions_before, node.transactions))
    assert counts == [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3)]
