"""Descriptions of contracts that no compiler made: they are refused in words, or cost no more than others."""

import json
from pathlib import Path
from typing import Any

import pytest

from rpc.naming.bytecode import pattern_from
from rpc.naming.registry import Registry
from tests.contracts import artifact
from tests.rpc.client import Client
from tests.rpc.test_contract_registry import BEACON, HERE, THERE, deployed, foundry_output, registration

STRANGE_CONTENTS: list[Any] = [
    {"output": {"contracts": {"a.sol": {"A": {"evm": [1]}}}}},
    {"output": {"sources": {"a.sol": {"ast": {"nodes": None}}}}},
    {"output": {"sources": {"a.sol": {"ast": {"nodes": [{"id": [], "nodeType": "X"}]}}}}},
]


@pytest.mark.parametrize("content", STRANGE_CONTENTS)
async def test_what_only_looks_like_a_compiler_s_output_hides_no_other_contract(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: Any
) -> None:
    foundry_output(tmp_path, "Counter")
    (tmp_path / "strange.json").write_text(json.dumps(content))
    registry = Registry([tmp_path])
    await registry.open()
    counter = deployed(artifact("Counter").bytecode)
    assert (await registry.find({HERE: counter}))[HERE].name == "Counter"
    assert "strange.json: it looks like a compiler's output" in caplog.text


def test_places_of_immutables_that_overlap_are_looked_at_once() -> None:
    pattern = pattern_from(
        "0x" + "60" * 100, {"1": [{"start": 10, "length": 50}] * 1000 + [{"start": 60, "length": 5}]}
    )
    assert pattern is not None
    assert pattern.holes == ((10, 65),)
    assert pattern.matches(bytes([0x60]) * 100)


def layout_of(label: str) -> dict[str, Any]:
    type = {"label": "uint256", "encoding": "inplace", "numberOfBytes": "32"}
    return {"storage": [{"label": label, "slot": "0", "offset": 0, "type": "t"}], "types": {"t": type}}


def hole(start: int, length: int) -> dict[str, Any]:
    return {"1": [{"start": start, "length": length}]}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({}, "the name of a contract is a text"),
        (registration("Token", "deployedBytecode"), "Token: give its address, or its deployedBytecode to know it by"),
        (registration("Token", deployedBytecode="0xzz"), "Token: '0xzz' is no bytecode: give 0x and hex digits"),
        (registration("Token", abi=[{"type": "function"}]), "Token: a function or error of the ABI has no name"),
        (registration("Token", storageLayout=[]), "Token: a storage layout is an object with the list"),
        (
            registration("Token", storageLayout=layout_of("\x1b[2J")),
            "Token: `label` is a text of at most 2000 printable",
        ),
        (
            registration("Token", storageLayout=layout_of("x" * 10**5)),
            "Token: `label` is a text of at most 2000 printable",
        ),
        (registration("Token", abi=[{"name": "\x9b2J"}]), "Token: a signature has at most 10000 printable characters"),
        (
            registration("Token", abi=[{"name": "f" * 10**5}]),
            "Token: a signature has at most 10000 printable characters",
        ),
        (registration("Token", immutableReferences={"1": 2}), "Token: immutableReferences are not as solc writes them"),
        (
            registration("Token", immutableReferences=hole(-(10**9), 10**9)),
            "Token: immutableReferences are not as solc",
        ),
        (registration("Token", immutableReferences=hole(0, 10**9)), "Token: immutableReferences are not as solc"),
    ],
)
async def test_what_is_no_contract_is_refused_in_words(client: Client, described: Any, words: str) -> None:
    code, message = await client.error("tandem_registerContract", None, described)
    assert code == -32602
    assert message.startswith(f"invalid argument 1: {words}")


async def test_the_oldest_registered_contracts_make_room_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = len(json.dumps(registration("Token", "deployedBytecode") | {"name": "A"}))
    monkeypatch.setattr("rpc.naming.registry.MAX_REGISTERED_BYTES", 2 * one)
    registry = Registry()
    for place, name in ((HERE, "A"), (THERE, "B"), (BEACON, "C")):
        registry.register(place, registration("Token", "deployedBytecode") | {"name": name})
    found = await registry.find(dict.fromkeys((HERE, THERE, BEACON), b"\x00"))
    assert {contract.name for contract in found.values()} == {"B", "C"}
    assert "the registered contract A is forgotten" in caplog.text
