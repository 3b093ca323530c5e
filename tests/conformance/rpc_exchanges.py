"""The official exchanges: what a node that has imported their chain must answer, member by member."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.chain_file import ChainFile
from tests.e2e.json_rpc import JsonRpc
from tests.rpc.json_schema import problems

FIXTURE = Path(__file__).parent / "fixtures" / "rpc_spec"
GENESIS, CHAIN = FIXTURE / "genesis.json", FIXTURE / "chain.rlp"
SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "rpc" / "openrpc_results.json").read_text())


@dataclass(frozen=True, slots=True)
class Exchange:
    """A file of requests with their answers. Of `any_of_the_shape` only the shape must be that of the specification."""

    name: str
    pairs: tuple[tuple[str, Any], ...]
    any_of_the_shape: bool

    @property
    def methods(self) -> set[str]:
        return {json.loads(request)["method"] for request, _ in self.pairs}

    @property
    def sends(self) -> bool:
        """Whether it makes blocks: other nodes make none by themselves, so these come last."""
        return "eth_sendRawTransaction" in self.methods


def exchanges() -> list[Exchange]:
    rows = json.loads(gzip.decompress((FIXTURE / "exchanges.json.gz").read_bytes()))
    found = [_exchange(row["name"], row["text"].splitlines()) for row in rows]
    return sorted(found, key=lambda exchange: exchange.sends)


def _exchange(name: str, lines: list[str]) -> Exchange:
    requests = [line[3:] for line in lines if line.startswith(">> ")]
    answers = [json.loads(line[3:]) for line in lines if line.startswith("<< ")]
    loosely = any(line.startswith("// speconly") for line in lines)
    return Exchange(name, tuple(zip(requests, answers, strict=True)), loosely)


def differences(rpc: JsonRpc, exchange: Exchange) -> list[str]:
    """Where the node answers otherwise."""
    found = []
    for request, wanted in exchange.pairs:
        answer = rpc.exchange("POST", request.encode()).json()
        if not exchange.any_of_the_shape:
            found += list(_differ(answer, wanted, ""))
        elif ("error" in answer) != ("error" in wanted):
            found.append(f"{answer.get('error', 'a result')} in place of {wanted.get('error', 'a result')}")
        elif "result" in answer:
            schema = SCHEMAS.get(json.loads(request)["method"], True)
            found += problems(answer["result"], schema)
    return found


def _differ(found: Any, wanted: Any, place: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys()):
            if name not in wanted or name not in found:
                yield f"{place}.{name} is {'there' if name in found else 'missing'}"
            else:
                yield from _differ(found[name], wanted[name], f"{place}.{name}")
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, pair in enumerate(zip(found, wanted, strict=True)):
            yield from _differ(*pair, f"{place}[{index}]")
    elif found != wanted:
        yield f"{place} is {str(found)[:100]} in place of {str(wanted)[:100]}"


def chain_blocks() -> list[bytes]:
    """The official chain's blocks, in RLP; the first is block 1."""
    with ChainFile(CHAIN) as file:
        return list(file.blocks())
