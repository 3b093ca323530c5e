"""eth_capabilities: from which block on this node answers what."""

from chain.messages.storage import ReadStorageStatus, StorageStatus
from rpc.methods import Node, method
from rpc.render import JsonObject, data_json
from rpc.state_reader import READ_TIMEOUT_S

RESOURCES = ("state", "tx", "logs", "receipts", "blocks", "stateproofs")
OF_STATES = ("state", "stateproofs")
"""What --history prunes."""


@method("eth_coinbase")
async def coinbase(node: Node) -> str:
    """Who was set to be paid by all blocks; else whom the newest block paid, for leaders take turns."""
    return data_json(node.chain.settings.beneficiary or node.chain.head.header.beneficiary)


@method("eth_capabilities")
async def capabilities(node: Node) -> JsonObject:
    status = await node.storage.request(ReadStorageStatus(), READ_TIMEOUT_S)
    assert isinstance(status, StorageStatus)
    head = node.chain.head
    oldest = {name: hex(status.oldest_state if name in OF_STATES else status.oldest) for name in RESOURCES}
    return {
        "head": {"number": hex(head.header.number), "hash": data_json(head.hash)},
        **{name: {"disabled": False, "oldestBlock": oldest[name]} for name in RESOURCES},
    }
