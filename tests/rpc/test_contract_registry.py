"""Deployed code is known again, whatever its deployment filled in, from what Foundry and Hardhat wrote."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from chain.accounts import Account
from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.types import Address, Gas, Wei
from execution.engine import Engine
from node.contracts_file import ContractsFile, artifact_folders
from node.errors import BadDataFolder, BadSetting
from rpc.dispatch import Dispatcher
from rpc.naming.artifacts import contracts_in
from rpc.naming.bytecode import pattern_from
from rpc.naming.code_index import CodeIndex
from rpc.naming.contract import BadContract, contract_from
from rpc.naming.interface import function_called, interface_from, selector_of
from rpc.naming.names import Naming
from rpc.naming.namespaces import BEACON_SLOT, IMPLEMENTATION_SLOT
from rpc.naming.registry import Registry
from tests.contracts import ARTIFACTS, artifact
from tests.execution.engine.small_world import ALICE, environment, state, transaction
from tests.rpc.client import Client
from tests.rpc.conftest import open_process
from tests.rpc.fake_chain import FIRST_VERSION, TOKEN, FakeChain, State

HERE, THERE, BEACON = (Address(bytes([n]) * 20) for n in (0x71, 0x72, 0x73))
HOLDER = Address(b"\xaa" * 20)
METADATA = bytes.fromhex("a264697066735822 1220" + "5a" * 32 + "64736f6c6343" + "000825" + "0033")
OTHER_METADATA = METADATA.replace(b"\x5a" * 32, b"\xa5" * 32)


def fields_of(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text())
    return fields


def deployed(init_code: bytes) -> bytes:
    """The code that a deployment leaves."""
    world = state()
    sent = transaction(None, data=init_code, gas=Gas(8_000_000))
    outcome = Engine(environment().fork).execute(sent, ALICE, environment(), world)
    assert outcome.succeeded
    assert outcome.contract is not None
    return outcome.writes.codes[outcome.contract]


def linked(code: str, library: Address) -> bytes:
    placeholder = code[code.index("__$") :][:40]
    return bytes.fromhex(code.replace(placeholder, library.hex()).removeprefix("0x"))


def named(code: bytes, *names: str) -> str | None:
    index = CodeIndex(contract for name in names for contract in contracts_in(ARTIFACTS / f"{name}.json"))
    found = index.find(code)
    return found.name if found else None


def test_immutables_and_libraries_do_not_hide_a_contract() -> None:
    vault = linked(fields_of("Vault")["bytecode"], HERE)
    codes = {deployed(vault + encode(["uint256"], [rate])) for rate in (7, 2**255 + 1)}
    assert len(codes) == 2
    for code in codes:
        assert named(code, "Token", "Vault", "Pair") == "Vault"
        assert named(code[:-1] + bytes([code[-1] ^ 1]), "Vault") is None
    assert named(deployed(artifact("Rates").bytecode), "Rates", "Vault") == "Rates"


def test_metadata_does_not_hide_a_contract_but_decides_between_equals() -> None:
    code = artifact("Counter").deployed_bytecode
    ours = contract_from("Ours", [], None, "0x" + (code + METADATA).hex())
    theirs = contract_from("Theirs", [], None, "0x" + (code + OTHER_METADATA).hex())
    index = CodeIndex([ours, theirs])
    assert [index.find(code + tail) for tail in (METADATA, OTHER_METADATA)] == [ours, theirs]
    assert index.find(code) is ours
    assert index.find(code + b"\x00" + METADATA) is None


def test_the_metadata_of_a_contract_inside_a_factory_does_not_hide_the_factory() -> None:
    inside = b"\x60\x80" + METADATA + b"\x60\x40"
    factory = contract_from("Factory", [], None, "0x" + (inside + METADATA).hex())
    assert CodeIndex([factory]).find(inside.replace(METADATA, OTHER_METADATA) + OTHER_METADATA) is factory


def foundry_output(folder: Path, name: str, **changes: Any) -> Path:
    """As `forge build` writes it."""
    fields = fields_of(name)
    path = folder / f"{name}.sol" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "abi": fields["abi"],
        "bytecode": {"object": fields["bytecode"], "linkReferences": {}},
        "deployedBytecode": {
            "object": fields["deployedBytecode"],
            "immutableReferences": fields.get("immutableReferences", {}),
        },
        "storageLayout": fields["storageLayout"],
        "id": 1,
    }
    path.write_text(json.dumps(written | changes))
    return path


def hardhat_output(folder: Path, name: str, build_info: str) -> None:
    """As Hardhat writes it: an artifact without a layout, and solc's answer with it."""
    fields = fields_of(name)
    source = folder / "contracts" / f"{name}.sol"
    source.mkdir(parents=True)
    plain = {key: fields[key] for key in ("contractName", "abi", "bytecode", "deployedBytecode")}
    (source / f"{name}.json").write_text(json.dumps(plain))
    evm = {"deployedBytecode": {"object": fields["deployedBytecode"].removeprefix("0x"), "immutableReferences": {}}}
    contract = {"abi": fields["abi"], "evm": evm, "storageLayout": fields["storageLayout"]}
    (folder / "build-info").mkdir()
    (folder / "build-info" / "input.json").write_text('{"_format": "hh3-sol-build-info-1", "input": {}}')
    output = {"id": "solc-1", "output": {"contracts": {f"{name}.sol": {name: contract}}}}
    (folder / "build-info" / build_info).write_text(json.dumps(output))


async def layout_labels(registry: Registry, name: str) -> list[str] | None:
    found = await registry.find({HERE: artifact(name).deployed_bytecode})
    layout = found[HERE].layout if HERE in found else None
    return [variable.label for variable in layout.variables] if layout else None


async def test_foundry_s_output_names_a_contract_its_functions_and_its_variables(tmp_path: Path) -> None:
    foundry_output(tmp_path, "Token")
    registry = Registry([tmp_path])
    token = (await registry.find({HERE: artifact("Token").deployed_bytecode}))[HERE]
    assert token.name == "Token"
    assert token.interface.functions[bytes.fromhex("a9059cbb")] == "transfer(address,uint256)"
    assert await layout_labels(registry, "Token") == ["_balances", "_allowances", "_totalSupply", "_name", "_symbol"]


def counter_s_tree() -> dict[str, Any]:
    """Of Counter.sol, where Counter is a Base of another file and has a namespace of its own, as solc writes it."""
    total = {
        "nodeType": "VariableDeclaration",
        "id": 7,
        "name": "total",
        "typeName": {
            "nodeType": "ElementaryTypeName",
            "name": "uint128",
            "typeDescriptions": {"typeString": "uint128"},
        },
    }
    struct = {
        "nodeType": "StructDefinition",
        "id": 8,
        "name": "Totals",
        "members": [total],
        "documentation": {"text": "@custom:storage-location erc7201:shop.totals"},
    }
    contract = {
        "nodeType": "ContractDefinition",
        "id": 10,
        "name": "Counter",
        "linearizedBaseContracts": [10, 99],
        "nodes": [struct],
    }
    return {"nodeType": "SourceUnit", "id": 11, "absolutePath": "src/Counter.sol", "nodes": [contract]}


async def test_foundry_s_syntax_tree_tells_the_namespaces_that_are_declared_in_its_file(tmp_path: Path) -> None:
    foundry_output(tmp_path, "Counter", ast=counter_s_tree())
    assert (await layout_labels(Registry([tmp_path]), "Counter") or [])[-1] == "shop.totals"
    foundry_output(tmp_path, "Counter", ast=counter_s_tree(), storageLayout=None)  # the variables of 99 are unknown
    assert await layout_labels(Registry([tmp_path]), "Counter") is None


@pytest.mark.parametrize("build_info", ["1.json", "solc-1.output.json"], ids=["Hardhat 2", "Hardhat 3"])
async def test_hardhat_s_build_info_has_the_layout_that_its_artifacts_lack(tmp_path: Path, build_info: str) -> None:
    hardhat_output(tmp_path, "Token", build_info)
    assert await layout_labels(Registry([tmp_path]), "Token") == [
        "_balances", "_allowances", "_totalSupply", "_name", "_symbol",
    ]  # fmt: skip


async def test_foundry_s_name_of_a_contract_compiled_by_several_compilers(tmp_path: Path) -> None:
    path = foundry_output(tmp_path, "Counter")
    path.rename(path.with_name("Counter.0.8.37.json"))
    [contract] = contracts_in(path.with_name("Counter.0.8.37.json"))
    assert contract.name == "Counter"
    path = foundry_output(
        tmp_path, "Counter", metadata={"settings": {"compilationTarget": {"src/Counter.sol": "Other"}}}
    )
    assert [contract.name for contract in contracts_in(path)] == ["Other"]


async def test_folders_are_read_again_when_a_contract_is_unknown_and_something_changed(tmp_path: Path) -> None:
    registry = Registry([tmp_path])
    await registry.open()
    counter, token = artifact("Counter").deployed_bytecode, artifact("Token").deployed_bytecode
    assert await registry.find({HERE: counter}) == {}
    path = foundry_output(tmp_path, "Counter")
    assert (await registry.find({HERE: counter}))[HERE].name == "Counter"

    path.write_text(path.read_text().replace(counter.hex(), token.hex()))
    os.utime(path, ns=(1, 1))
    assert (await registry.find({HERE: token}))[HERE].name == "Counter"
    assert await registry.find({HERE: counter}) == {}
    path.unlink()
    assert await registry.find({HERE: counter}) == {}
    assert await registry.find({HERE: token}) == {}


async def test_files_that_cannot_be_read_are_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foundry_output(tmp_path, "Token")
    for number in range(5):
        (tmp_path / f"bad{number}.json").write_text("{")
    foundry_output(tmp_path, "Counter", storageLayout={"storage": 1})
    (tmp_path / "package.json").write_text("[1]")
    with caplog.at_level(logging.WARNING):
        await Registry([tmp_path]).open()
    [line] = caplog.messages
    assert line.startswith(f"artifacts left out: {tmp_path}/bad0.json: it is no JSON")
    assert line.endswith("and 3 more")
    assert "\n" not in line


async def test_output_without_layouts_is_told_how_to_get_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    foundry_output(tmp_path, "Token", storageLayout=None)
    with caplog.at_level(logging.WARNING):
        await Registry([tmp_path]).open()
    [line] = caplog.messages
    assert 'extra_output = ["storageLayout"]' in line
    assert "build-info" in line


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert artifact_folders((tmp_path,)) == (tmp_path.resolve(),)
    with pytest.raises(BadSetting, match=r"--artifacts .*/out: there is no such folder; build the contracts first"):
        artifact_folders((tmp_path, tmp_path / "out"))


def registration(name: str, *without: str, **changes: Any) -> dict[str, Any]:
    fields = fields_of(name)
    described = {"name": name} | {key: fields[key] for key in ("abi", "storageLayout", "deployedBytecode")} | changes
    return {key: value for key, value in described.items() if key not in without}


def world(chain: FakeChain, codes: Mapping[Address, bytes], slots: Mapping[tuple[Address, int], int]) -> None:
    """Puts contracts on the chain."""
    accounts = {address: Account(1, Wei(0), keccak256(code)) for address, code in codes.items()}
    chain.states[FIRST_VERSION] = State(accounts, dict(slots), {keccak256(code): code for code in codes.values()})


async def name_of_slot(naming: Naming, address: Address, slot: int) -> str | None:
    return (await naming.names(FIRST_VERSION, [address])).variable(address, slot)


async def test_a_registered_contract_has_names(chain: FakeChain) -> None:
    world(chain, {TOKEN: artifact("Token").deployed_bytecode}, {})
    async with open_process(chain) as process:
        naming, client = process.node.naming, Client(Dispatcher(process.node))
        assert await name_of_slot(naming, TOKEN, 2) == "slot 2"
        described = await client.result("tandem_registerContract", None, registration("Token"))
        assert described == {"name": "Token", "address": None, "functions": 11, "variables": 5}
        names = await naming.names(FIRST_VERSION, [TOKEN, HERE])
        assert names.variable(TOKEN, 2) == "Token._totalSupply"
        assert names.contract(TOKEN) == "Token"
        assert names.contract(HERE) is None
        assert names.function(TOKEN, selector_of("mint(address,uint256)") + bytes(64)) == "mint(address,uint256)"
        preimage = HOLDER.rjust(32, b"\0") + bytes(32)
        naming.learn({keccak256(preimage): preimage})
        balance = int.from_bytes(keccak256(preimage), "big")
        assert names.variable(TOKEN, balance) == f"Token._balances[{checksummed(HOLDER)}]"
        assert names.variable(HERE, balance) == f"mapping at slot 0, key {checksummed(HOLDER)}"
        assert names.variable(TOKEN, 99) == "Token: slot 99"
        told = await client.result("tandem_getContract", "0x" + TOKEN.hex())
        assert told["name"] == "Token"
        assert "mint(address,uint256)" in told["functions"]
        assert "ERC20InsufficientBalance(address,uint256,uint256)" in told["errors"]
        assert await client.result("tandem_getContract", "0x" + HERE.hex()) is None


async def test_an_address_can_be_told_what_it_is_without_its_code(chain: FakeChain) -> None:
    world(chain, {TOKEN: b"\x00"}, {})
    async with open_process(chain) as process:
        client = Client(Dispatcher(process.node))
        where = "0x" + TOKEN.hex()
        await client.result("tandem_registerContract", where, registration("Token", "deployedBytecode"))
        assert await name_of_slot(process.node.naming, TOKEN, 2) == "Token._totalSupply"
        await client.result("tandem_registerContract", where, registration("Counter", "deployedBytecode"))
        assert (await process.node.naming.names(FIRST_VERSION, [TOKEN])).contract(TOKEN) == "Counter"


async def test_registered_contracts_outlive_the_process(tmp_path: Path) -> None:
    registry = Registry(store=ContractsFile(tmp_path))
    registry.register(HERE, registration("Token"))
    registry.register(None, registration("Counter"))
    registry.register(HERE, registration("Pair"))
    again = Registry(store=ContractsFile(tmp_path))
    codes = {HERE: b"\x01", THERE: artifact("Counter").deployed_bytecode}
    assert {a: c.name for a, c in (await again.find(codes)).items()} == {HERE: "Pair", THERE: "Counter"}
    assert len(ContractsFile(tmp_path).read()) == 2


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_damaged_file_of_contracts_is_named(tmp_path: Path, content: str) -> None:
    file = ContractsFile(tmp_path)
    file.path.write_text(content)
    with pytest.raises(BadDataFolder, match=r"contracts.json: .*; remove that file to have none"):
        file.read()


def test_a_damaged_contract_in_it_is_told(tmp_path: Path) -> None:
    file = ContractsFile(tmp_path)
    file.write([{"name": "Token"}])
    with pytest.raises(BadContract):
        Registry(store=file)


CLONES = {
    "EIP-1167": "363d3d373d3d3d363d73" + "{}" + "5af43d82803e903d91602b57fd5bf3",
    "with arguments": "363d3d373d3d3d363d73" + "{}" + "5af43d82803e903d91602b57fd5bf3" + "ab" * 40,
    "PUSH0": "365f5f375f5f365f73" + "{}" + "5af43d5f5f3e5f3d91602a57fd5bf3",
    "EIP-7702": "ef0100" + "{}",
}


@pytest.mark.parametrize("code", CLONES.values(), ids=CLONES.keys())
async def test_a_clone_has_the_names_of_what_it_runs(chain: FakeChain, code: str) -> None:
    world(chain, {TOKEN: artifact("Token").deployed_bytecode, HERE: bytes.fromhex(code.format(TOKEN.hex()))}, {})
    async with open_process(chain) as process:
        process.node.naming.registry.register(None, registration("Token"))
        names = await process.node.naming.names(FIRST_VERSION, [HERE])
        assert (names.contract(HERE), names.variable(HERE, 2)) == ("Token", "Token._totalSupply")


async def test_a_proxy_has_the_names_of_its_implementation(chain: FakeChain) -> None:
    codes = {TOKEN: artifact("Token").deployed_bytecode, HERE: b"\x01", THERE: b"\x02", BEACON: b"\x03"}
    token, beacon = int.from_bytes(TOKEN, "big"), int.from_bytes(BEACON, "big")
    pointers = {(HERE, IMPLEMENTATION_SLOT): token, (THERE, BEACON_SLOT): beacon, (BEACON, 1): token}
    world(chain, codes, pointers)
    layout = {
        "storage": [{"label": "_implementation", "slot": "1", "offset": 0, "type": "t_address"}],
        "types": {"t_address": {"encoding": "inplace", "label": "address", "numberOfBytes": "20"}},
    }
    async with open_process(chain) as process:
        naming = process.node.naming
        naming.registry.register(None, registration("Token"))
        naming.registry.register(BEACON, {"name": "Beacon", "storageLayout": layout})
        naming.registry.register(THERE, {"name": "BeaconProxy", "abi": [{"type": "function", "name": "own"}]})
        assert await name_of_slot(naming, HERE, 2) == "Token._totalSupply"
        assert await name_of_slot(naming, HERE, IMPLEMENTATION_SLOT) == "Token: EIP-1967 implementation"
        names = await naming.names(FIRST_VERSION, [THERE])
        assert names.variable(THERE, 2) == "Token._totalSupply"
        assert names.function(THERE, selector_of("own()")) == "own()"
        assert names.function(THERE, selector_of("mint(address,uint256)")) == "mint(address,uint256)"


def test_functions_are_named_as_solidity_writes_their_types() -> None:
    inner = {"name": "p", "type": "tuple[2][]", "components": [{"type": "uint8"}, {"type": "address[]"}]}
    functions = interface_from([{"type": "function", "name": "f", "inputs": [inner, {"type": "bytes"}]}]).functions
    assert list(functions.values()) == ["f((uint8,address[])[2][],bytes)"]
    assert function_called(selector_of("f((uint8,address[])[2][],bytes)") + b"\x01", functions) is not None
    assert function_called(b"", functions) is None
    assert function_called(bytes.fromhex("a9059cbb"), {}) == "transfer(address,uint256)"


def test_an_interface_has_no_code_to_know_it_by() -> None:
    assert pattern_from("0x") is None
