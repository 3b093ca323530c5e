"""The contracts in a file that Foundry or Hardhat wrote.

Foundry writes `out/Token.sol/Token.json`, with the syntax tree of Token.sol alone if asked for it; Hardhat 2 and 3
write `artifacts/contracts/Token.sol/Token.json`, and to `artifacts/build-info/*.json` (Hardhat 3: `*.output.json`) all
that solc said, where the storage layouts are. A file that is none of these gives no contracts.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from rpc.naming.contract import BadContract, Contract, contract_from
from rpc.naming.syntax_tree import SyntaxTrees


class BadArtifact(Exception):
    """A file that is no JSON, or describes a contract in a way that no compiler does."""


def contracts_in(file: Path) -> list[Contract]:
    """Raises BadArtifact."""
    try:
        content = orjson.loads(file.read_bytes())
    except OSError as error:
        raise BadArtifact(str(error.strerror)) from error
    except orjson.JSONDecodeError as error:
        raise BadArtifact(f"it is no JSON: {error}") from error
    if not isinstance(content, dict):
        return []
    try:
        return list(_contracts(content, file))
    except BadContract as error:
        raise BadArtifact(str(error)) from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadArtifact(
            "it looks like a compiler's output, and its parts are not where compilers put them"
        ) from error


def _contracts(content: Mapping[str, Any], file: Path) -> Iterator[Contract]:
    output = content.get("output")
    if isinstance(output, dict):
        yield from _compiled(output.get("contracts"), SyntaxTrees(output.get("sources")))
    elif isinstance(content.get("abi"), list) and "deployedBytecode" in content:
        name = content.get("contractName") or _foundry_name(content, file)
        path = _path(content.get("ast"))
        yield contract_from(
            name,
            content["abi"],
            _layout(content.get("storageLayout"), SyntaxTrees({path: content}), path, name),
            content["deployedBytecode"],
            content.get("immutableReferences"),
        )


def _compiled(sources: Any, trees: SyntaxTrees) -> Iterator[Contract]:
    """All contracts of solc's standard JSON output."""
    for path, contracts in sources.items() if isinstance(sources, dict) else ():
        for name, contract in contracts.items() if isinstance(contracts, dict) else ():
            if isinstance(contract, dict):
                code = (contract.get("evm") or {}).get("deployedBytecode")
                layout = _layout(contract.get("storageLayout"), trees, path, name)
                yield contract_from(name, contract.get("abi"), layout, code)


def _layout(given: Any, trees: SyntaxTrees, path: str, name: str) -> Any:
    """The layout that solc gave, with the namespaces that it leaves out, or else the one that the trees tell."""
    if not isinstance(given, dict):
        return trees.layout(path, name)
    more = trees.namespaces(path, name)
    if more is None:
        return given
    types = {**more["types"], **(given.get("types") or {})}
    return {"storage": [*(given.get("storage") or ()), *more["storage"]], "types": types}


def _path(tree: Any) -> str:
    """The source that a tree is of."""
    return str(tree.get("absolutePath")) if isinstance(tree, dict) else ""


def _foundry_name(content: Mapping[str, Any], file: Path) -> str:
    """Foundry's files have the name of their contract, with the compiler's version behind it if there are several."""
    metadata = content.get("metadata")
    settings = metadata.get("settings") if isinstance(metadata, dict) else None
    target = settings.get("compilationTarget") if isinstance(settings, dict) else None
    if isinstance(target, dict) and len(target) == 1:
        return str(next(iter(target.values())))
    return file.name.split(".")[0]
