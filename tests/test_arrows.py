"""The rooms' imports point one way, and the light processes stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("chain", "consensus", "execution", "storage", "rpc", "node")
MAY_IMPORT = {
    "chain": {"chain"},
    "consensus": {"chain", "consensus"},
    "execution": {"chain", "execution"},
    "storage": {"chain", "storage"},
    "rpc": {"chain", "rpc"},
    "node": set(ROOMS),
}
HEAVY = ("eth", "web3", "eth_account", "pydantic")


def imported_rooms(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_its_arrow_allows(room: str) -> None:
    wrong = {
        f"{file.relative_to(ROOT)} imports {other}"
        for file in (ROOT / room).rglob("*.py")
        for other in imported_rooms(file) - MAY_IMPORT[room]
    }
    assert not wrong


@pytest.mark.parametrize(
    "modules",
    ["consensus.process,node.run_validator,node.roles", "storage.process,storage.leveldb,node.run_storage", "node.up"],
)
def test_light_processes_never_import_the_heavy_packages(modules: str) -> None:
    code = f"import {modules}, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


def test_rpc_starts_without_the_evm_and_without_web3() -> None:
    code = "import node.run_rpc, sys; print([n for n in ('eth', 'web3', 'eth_account') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"
