"""What the chain answers a report, as small values that a test changes."""

from typing import Any

TOKEN = "0x" + "70" * 20


def run(worker: str, start_us: int, end_us: int, result: str = "accepted", **conflict: Any) -> dict[str, Any]:
    told = {"worker": worker, "startUs": start_us, "endUs": end_us, "threadUs": end_us - start_us, "result": result}
    return {**told, "conflict": conflict or None}


def transaction(position: int, *attempts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "position": position,
        "to": TOKEN,
        "contract": "Token",
        "function": "transfer(address,uint256)",
        "attempts": list(attempts),
        **fields,
    }


def conflict(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "slot",
        "address": TOKEN,
        "contract": "Token",
        "slot": "0x" + "00" * 32,
        "variable": "Token.totalSupply",
        "read": "0x5",
        "found": "0x6",
        "variables": [],
        "writer": {"position": 0, "hash": "0x"},
        "dependency": "real",
        **fields,
    }


def block(*transactions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "number": 7,
        "strategy": "optimistic",
        "workers": 2,
        "executionUs": 1000,
        "criticalPathUs": None,
        "criticalPath": None,
        "serialFrom": None,
        "transactions": list(transactions),
        **fields,
    }


def spot(**fields: Any) -> dict[str, Any]:
    return {
        "address": TOKEN,
        "contract": "Token",
        "kind": "slot",
        "slot": "0x" + "00" * 32,
        "variable": "Token.totalSupply",
        "transactions": 412,
        "needless": 0,
        "conflicts": 300,
        "waits": 112,
        "lostUs": 18_300,
        "functions": [],
        "dependency": "real",
        **fields,
    }


def spots(*hotspots: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "from": 7,
        "to": 7,
        "blocks": 1,
        "busiest": 7,
        "transactions": 500,
        "leftOut": 0,
        "gasUsed": 25_000_000,
        "executionUs": 20_000,
        "threadUs": 40_000,
        "serialUs": 30_000,
        "serialTime": "measured",
        "speedup": 1.5,
        "attempts": 800,
        "conflicts": 300,
        "waits": 112,
        "heldUp": 412,
        "lostUs": 18_300,
        "hotspots": list(hotspots),
        "advice": [],
        **fields,
    }
