"""Who answers, and on which network: web3_*, net_*, and what Hardhat asks to know a development chain."""

import platform
import sys
from typing import Any

from chain.keccak import keccak256
from rpc.methods import METHODS, Node, method
from rpc.params import data
from rpc.render import data_json

VERSION = "0.1.0"


def client_version() -> str:
    """As clients name themselves: name/version/system/runtime."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return f"Tandem/v{VERSION}/{sys.platform}-{platform.machine()}/{python}"


@method("web3_clientVersion")
async def web3_client_version(node: Node) -> str:
    """Hardhat's network helpers refuse a chain whose name begins with neither hardhat, zksync nor anvil."""
    return f"anvil-{client_version()}" if node.genesis.dev_api else client_version()


@method("web3_sha3", data)
async def sha3(node: Node, payload: bytes) -> str:
    """keccak-256, whatever the name says."""
    return data_json(keccak256(payload))


@method("net_version")
async def net_version(node: Node) -> str:
    return str(node.chain.chain_id)


@method("eth_networkId")
async def network_id(node: Node) -> str:
    return await net_version(node)


@method("eth_protocolVersion")
async def protocol_version(node: Node) -> str:
    """Of eth/68, which clients spoke last when they still told."""
    return "0x44"


@method("net_listening")
async def net_listening(node: Node) -> bool:
    return True


@method("net_peerCount")
async def net_peer_count(node: Node) -> str:
    """The validators this process is connected to."""
    return hex(sum(link.connected for link in node.validators.values()))


@method("eth_chainId")
async def chain_id(node: Node) -> str:
    return hex(node.chain.chain_id)


@method("eth_syncing")
async def syncing(node: Node) -> bool:
    """Never: what lags here is execution behind consensus, and tandem_status tells of it."""
    return False


@method("eth_mining")
async def mining(node: Node) -> bool:
    """Never: there is no proof of work."""
    return False


@method("eth_hashrate")
async def hashrate(node: Node) -> str:
    return "0x0"


@method("rpc_modules")
async def rpc_modules(node: Node) -> dict[str, str]:
    """The namespaces that there are, each with geth's version number of it."""
    return dict.fromkeys(sorted({method_name.split("_")[0] for method_name in METHODS}), "1.0")


@method("anvil_metadata")
async def anvil_metadata(node: Node) -> dict[str, Any]:
    """What hardhat_metadata tells, what can be gone back to, and where it began if it is a fork.

    No commit is known here.
    """
    return {
        "forkedNetwork": None,
        "snapshots": {hex(id_): [number, data_json(hash_)] for id_, number, hash_ in await node.chain.snapshots()},
        "clientSemver": VERSION,
        "clientCommitSha": None,
        **await hardhat_metadata(node),
    }


@method("hardhat_metadata")
async def hardhat_metadata(node: Node) -> dict[str, Any]:
    """With it Hardhat asks for receipts every 50 ms, not every 500, and Ignition knows a new chain from the last one.

    `instanceId` is the genesis, which differs for every chain made, since the validators' keys do, and how often it
    was begun anew.
    """
    head, genesis = node.chain.head, node.genesis
    resets = node.chain.settings.resets
    forked: dict[str, Any] = {}
    if genesis.forked is not None:
        forked = {
            "forkedNetwork": {
                "chainId": genesis.forked.chain_id,
                "forkBlockNumber": genesis.header.number,
                "forkBlockHash": data_json(genesis.header.hash()),
            }
        }
    return {
        "clientVersion": await web3_client_version(node),
        "chainId": node.chain.chain_id,
        "instanceId": data_json(keccak256(genesis.id() + resets.to_bytes(8, "big"))),
        "latestBlockNumber": node.chain.number,
        "latestBlockHash": data_json(head.hash),
        **forked,
    }
