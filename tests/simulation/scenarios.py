"""Schedules of load and faults, drawn from a world's own randomness, and what must be true in the end."""

from chain.messages.mempool import PooledTransaction
from tests.consensus.builders import transfer
from tests.simulation.world import World

SENDERS = 4


def offer_load(world: World, transactions: int, over_ms: int) -> list[PooledTransaction]:
    """Transactions of a few senders at random times, each sender's in nonce order."""
    next_nonce = [0] * SENDERS
    offered = []
    times = sorted(world.random.randrange(over_ms * 1000) for _ in range(transactions))
    for at in times:
        account = world.random.randrange(SENDERS)
        transaction = transfer(account, next_nonce[account])
        next_nonce[account] += 1
        offered.append(transaction)
        world.after(at, lambda tx=transaction: world.admit([tx]))  # type: ignore[misc]
    return offered


def offer_faults(world: World, count: int, over_ms: int) -> None:
    """Crashes (some in the middle of sending, some with a lost tail), partitions and their ends, at random times."""
    for _ in range(count):
        at = world.random.randrange(over_ms * 1000)
        lasting = world.random.randrange(over_ms * 500)
        kind = world.random.choice(("crash", "crash while sending", "power loss", "partition"))
        index = world.random.randrange(len(world.nodes))
        world.after(at, lambda k=kind, i=index: break_something(world, k, i))  # type: ignore[misc]
        if kind == "partition":
            world.after(at + lasting, world.heal)
        else:
            world.after(at + lasting, lambda i=index: world.restart(i))  # type: ignore[misc]


def break_something(world: World, kind: str, index: int) -> None:
    match kind:
        case "crash":
            world.crash(index)
        case "crash while sending":
            world.crash_while_sending(index)
        case "power loss":
            world.crash(index, unsynced_lost=world.random.randrange(20))
        case "partition":
            members = list(range(len(world.nodes)))
            world.random.shuffle(members)
            cut = world.random.randrange(1, len(members))
            world.split([members[:cut], members[cut:]])


def repair(world: World) -> None:
    """Ends all faults and brings everybody back."""
    world.faults = type(world.faults)(delay_us=world.faults.delay_us, execution_us=world.faults.execution_us)
    world.heal()
    for node in world.nodes:
        node.sends_left = None
        world.restart(node.index)


def check_all_included(world: World, offered: list[PooledTransaction]) -> None:
    """Every admitted transaction is in exactly one block (twice is seen when it happens)."""
    missing = [tx.hash.hex()[:8] for tx in offered if tx.hash not in world.executor.included]
    assert not missing, f"never included: {missing}"


def check_quiet_and_agreed(world: World) -> None:
    """No timer runs, and everyone alive holds the same verified chain and an empty mempool."""
    assert world.idle
    alive = [node for node in world.nodes if node.alive]
    statuses = {node.index: node.replica.core.status() for node in alive}
    newest = max(status.committed for status in statuses.values())
    for index, status in statuses.items():
        assert status.committed == status.executed == status.verified == newest, (index, statuses)
        assert len(world.nodes[index].replica.mempool) == 0
