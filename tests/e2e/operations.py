"""What tests of operations ask of a chain again and again."""

from typing import Any

from tests.e2e.chain_process import wait_until
from tests.e2e.json_rpc import JsonRpc

NOBODY, OTHER = "0x" + "77" * 20, "0x" + "78" * 20
ETHER = 10**18


def number(rpc: JsonRpc) -> int:
    return int(rpc.call("eth_blockNumber"), 16)


def latest(rpc: JsonRpc) -> Any:
    return rpc.call("eth_getBlockByNumber", "latest", False)


def timestamp(rpc: JsonRpc) -> int:
    return int(latest(rpc)["timestamp"], 16)


def send(rpc: JsonRpc, sender: str, **fields: object) -> str:
    return str(rpc.call("eth_sendTransaction", {"from": sender, "to": OTHER, "value": "0x1", **fields}))


def mined(rpc: JsonRpc, sender: str, **fields: object) -> Any:
    sent = send(rpc, sender, **fields)
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent) is not None, "a receipt")
    return rpc.call("eth_getTransactionReceipt", sent)


def agreed(rpc: JsonRpc) -> bool:
    """Whether all validators have verified all that is committed, and have the same."""
    validators = rpc.call("tandem_status")["validators"]
    if not all("heights" in v for v in validators):  # one has not been heard of yet
        return False
    return len({v["ledger"]["proposal"] for v in validators}) == 1 and all(
        v["heights"]["verified"] == v["heights"]["committed"] for v in validators
    )
