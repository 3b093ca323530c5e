"""The contracts the tests deploy: what solc made of `src/`, committed so that a test needs no compiler.

`npm ci && node build.mjs` in this folder makes the artefacts again; it needs the packages of tests/e2e/hardhat too.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARTIFACTS = Path(__file__).parent / "artifacts"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What one contract compiled to.

    `bytecode` is the init code, `deployed_bytecode` what it leaves on the chain (with immutables still zero);
    `storage_layout` is solc's: `storage` lists the variables with their slots, `types` explains their types.
    """

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    storage_layout: Mapping[str, Any]


@functools.cache
def artifact(name: str) -> Artifact:
    """The artefact of the contract `name`; `FileNotFoundError` names the file when there is none."""
    fields = json.loads((ARTIFACTS / f"{name}.json").read_text())
    return Artifact(
        name=fields["contractName"],
        abi=fields["abi"],
        bytecode=bytes.fromhex(fields["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(fields["deployedBytecode"][2:]),
        storage_layout=fields["storageLayout"],
    )
