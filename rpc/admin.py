"""admin_*, as far as it tells of this node and changes nothing: there is no network of strangers to manage."""

from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.keccak import keccak256
from chain.types import BlockNumber
from rpc.methods import Node, method
from rpc.network import client_version
from rpc.render import JsonObject, data_json

PROTOCOL = "tandem"
SINCE_BLOCK = {
    Fork.HOMESTEAD: ("homesteadBlock",),
    Fork.TANGERINE_WHISTLE: ("eip150Block",),
    Fork.SPURIOUS_DRAGON: ("eip155Block", "eip158Block"),
    Fork.BYZANTIUM: ("byzantiumBlock",),
    Fork.CONSTANTINOPLE: ("constantinopleBlock",),
    Fork.PETERSBURG: ("petersburgBlock",),
    Fork.ISTANBUL: ("istanbulBlock",),
    Fork.BERLIN: ("berlinBlock",),
    Fork.LONDON: ("londonBlock",),
}
SINCE_TIME = {
    Fork.SHANGHAI: "shanghaiTime",
    Fork.CANCUN: "cancunTime",
    Fork.PRAGUE: "pragueTime",
    Fork.OSAKA: "osakaTime",
    Fork.BPO1: "bpo1Time",
    Fork.BPO2: "bpo2Time",
}
"""geth's params.ChainConfig."""


@method("admin_nodeInfo")
async def node_info(node: Node) -> JsonObject:
    """In geth's form. Nobody can connect to this node as a peer, so it has no address and no ports for that."""
    genesis, head = node.genesis, node.chain.head
    first = await node.chain.existing_block(BlockNumber(0))
    return {
        "id": genesis.id().hex(),
        "name": client_version(),
        "enode": "",
        "enr": "",
        "ip": "127.0.0.1",
        "ports": {"discovery": 0, "listener": 0},
        "listenAddr": "",
        "protocols": {
            "eth": {
                "network": node.chain.chain_id,
                "genesis": data_json(first.hash),
                "head": data_json(head.hash),
                "config": {"chainId": node.chain.chain_id, **forks_json(genesis.forks)},
            }
        },
    }


def forks_json(schedule: ForkSchedule) -> dict[str, int]:
    """From when each fork is in force, as geth's configuration of a chain has it."""
    numbers, times = schedule.by_number, schedule.by_time
    found: dict[str, int] = {}
    for fork, names in SINCE_BLOCK.items():
        since = min((first for first, each in numbers if each >= fork), default=None)
        found |= {} if since is None else dict.fromkeys(names, since)
    for fork, name in SINCE_TIME.items():
        from_start = any(each >= fork for _, each in numbers)
        since = 0 if from_start else min((first for first, each in times if each >= fork), default=None)
        found |= {} if since is None else {name: since}
    return found


@method("admin_peers")
async def peers(node: Node) -> list[JsonObject]:
    """The validators that this process is connected to, by their keys."""
    connected = [(index, link) for index, link in node.validators.items() if link.connected]
    return [
        {
            "id": keccak256(key := node.genesis.validators[index].public_key).hex(),
            "name": f"validator {index}",
            "caps": [f"{PROTOCOL}/1"],
            "network": {
                "localAddress": "",
                "remoteAddress": "",
                "inbound": False,
                "trusted": True,
                "static": True,
            },
            "protocols": {PROTOCOL: {"publicKey": data_json(key)}},
        }
        for index, link in connected
    ]
