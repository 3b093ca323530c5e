"""Makes `openrpc_results.json` and `recorded_chain.json` from ethereum/execution-apis.

    python tests/rpc/record_execution_apis.py FOLDER

FOLDER holds `openrpc.json` (branch assembled-spec-main) and `tests/` of that repository. Kept are the result schemas of
the methods we have, without their prose, and of the recorded conversations those about blocks of the shape we make
(Cancun and later) and their transactions and receipts.
"""

import json
import sys
from pathlib import Path
from typing import Any

from chain import rlp
from chain.transactions import decode_transaction
from chain.types import Hash32
from rpc.namespaces import METHODS

HERE = Path(__file__).parent
PROSE = ("description", "examples", "summary", "title")
FIRST_CANCUN_BLOCK = 0x2A


def bare(schema: Any) -> Any:
    """A schema without its prose. A property may be called "description" too, so properties are kept by name."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: bare(inner) for name, inner in value.items()} if key == "properties" else bare(value)
        for key, value in schema.items()
        if key not in PROSE
    }


def result_schemas(document: dict[str, Any]) -> dict[str, Any]:
    return {m["name"]: bare(m["result"]["schema"]) for m in document["methods"] if m["name"] in METHODS}


def conversations(folder: Path, method: str) -> list[dict[str, Any]]:
    """The recorded requests for a method, each with its result; those answered with null or an error are left out."""
    found = []
    for file in sorted((folder / "tests" / method).glob("*.io")):
        lines = file.read_text().splitlines()
        requests = [json.loads(line[3:]) for line in lines if line.startswith(">> ")]
        answers = [json.loads(line[3:]) for line in lines if line.startswith("<< ")]
        pairs = zip(requests, answers, strict=True)
        found += [{"params": q["params"], "result": a["result"]} for q, a in pairs if a.get("result")]
    return found


def recorded_blocks(folder: Path) -> list[dict[str, Any]]:
    """The blocks since Cancun: header and transactions as they were encoded."""
    data, blocks = (folder / "tests" / "chain.rlp").read_bytes(), []
    while data:
        size = item_size(data)
        header, transactions, *_ = rlp.decode_list(rlp.decode(data[:size]))
        data = data[size:]
        number = rlp.decode_int(rlp.decode_list(header)[8])
        envelopes = [t if isinstance(t, bytes) else rlp.encode(t) for t in rlp.decode_list(transactions)]
        blocks.append(
            {"number": number, "header": rlp.encode(header).hex(), "transactions": [e.hex() for e in envelopes]}
        )
    return blocks


def item_size(data: bytes) -> int:
    """Bytes of the list at the start of `data`."""
    if data[0] < 0xF8:
        return 1 + data[0] - 0xC0
    length = data[0] - 0xF7
    return 1 + length + int.from_bytes(data[1 : 1 + length], "big")


def main(folder: Path) -> None:
    document = json.loads((folder / "openrpc.json").read_text())
    write("openrpc_results.json", result_schemas(document))
    blocks = recorded_blocks(folder)
    raw = {decode_transaction(bytes.fromhex(t)).hash: t for block in blocks for t in block["transactions"]}
    transactions = conversations(folder, "eth_getTransactionByHash")
    # Receipts before Byzantium carry a state root in place of a status.
    receipts = [c for c in conversations(folder, "eth_getTransactionReceipt") if "status" in c["result"]]
    for conversation in transactions + receipts:
        conversation["raw"] = raw[Hash32(bytes.fromhex(conversation["params"][0][2:]))]
    shown = [c for c in conversations(folder, "eth_getBlockByNumber") if "parentBeaconBlockRoot" in c["result"]]
    headers = {block["number"]: block for block in blocks if block["number"] >= FIRST_CANCUN_BLOCK}
    recorded = {
        "blocks": [c | {"block": headers[int(c["result"]["number"], 16)]} for c in shown],
        "transactions": transactions,
        "receipts": receipts,
        "latestReceipts": next(
            c["result"] for c in conversations(folder, "eth_getBlockReceipts") if c["params"] == ["latest"]
        ),
    }
    write("recorded_chain.json", recorded)


def write(name: str, value: Any) -> None:
    (HERE / name).write_text(json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
