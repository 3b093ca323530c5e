"""Loads py-evm's rules without the modules that running transactions does not need.

Importing `eth` takes half a second of CPU, most of it for things that this project never uses (chain classes, header
databases, block and transaction classes of every fork, which the packages' `__init__` files import) or that hardly
any transaction uses (the BLS12-381 and BN128 pairings of py_ecc, the KZG library, pydantic by way of eth_utils).
So, while py-evm's computation classes are imported, `sys.modules` holds two kinds of stand-ins:

- for a package whose `__init__` is to be skipped, an empty module with the package's path, so that the modules in it
  are found as usual;
- for a module to be loaded on first use, one that gives a `DeferredName` for each name imported from it.

Afterwards the stand-ins are taken out again: whoever else imports those packages and modules gets the real ones, with
the same classes inside. Nothing is lost: a contract that calls the pairing precompile pays for its import, once.
"""

import importlib
import importlib.util
import os
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

ON_FIRST_USE = (
    "ckzg",
    "eth.precompiles.bls12_381",
    "eth.precompiles.ecadd",
    "eth.precompiles.ecmul",
    "eth.precompiles.ecpairing",
    "eth_utils.pydantic",
)

CALL_DEPTH_LIMIT = 1024
PYTHON_FRAMES_PER_CALL = 12


class DeferredName:
    """A name of a module that is imported when the name is first called, looked into, subclassed or compared with."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _resolve(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # py-evm's precompiles are curried: given gas costs alone, they wait for the computation.
        if not args:
            return partial(self, **kwargs)
        return self._resolve()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolve(), name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._resolve())

    def __ror__(self, other: Any) -> Any:
        return Any  # an annotation `X | Name`, evaluated while the stand-in is in place

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._resolve(),)


class DeferredModule(ModuleType):
    """Stands in for a module while others import names from it."""

    def __getattr__(self, name: str) -> DeferredName:
        if name.startswith("__"):
            raise AttributeError(name)
        return DeferredName(self.__name__, name)


def py_evm_file(*parts: str) -> Path:
    """A file of the installed py-evm, found without importing it."""
    spec = importlib.util.find_spec("eth")
    assert spec is not None
    assert spec.submodule_search_locations, "py-evm is not installed as a package"
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


def _bare_packages() -> dict[str, ModuleType]:
    """`eth`, `eth.vm`, `eth.vm.forks` and the package of each fork, as packages without contents of their own.

    `eth.vm`, which has an empty `__init__`, is among them so that a later import of anything below it begins with the
    real `eth`, as py-evm's circular imports need it.
    """
    root = py_evm_file()
    forks = root / "vm" / "forks"
    paths = {"eth": root, "eth.vm": root / "vm", "eth.vm.forks": forks}
    paths |= {f"eth.vm.forks.{entry.name}": entry for entry in forks.iterdir() if (entry / "__init__.py").exists()}
    packages = {name: ModuleType(name) for name in paths}
    for name, package in packages.items():
        package.__path__ = [str(paths[name])]
    return packages


def import_py_evm() -> None:
    """Imports py-evm's Prague computation, and with it the rules of every fork before. Does nothing the second time."""
    # The documented switch of eth-hash: pysha3 is five times as fast as pycryptodome, and imports nothing else.
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
    # As `eth` does for itself: a transaction may nest calls 1024 deep.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), CALL_DEPTH_LIMIT * PYTHON_FRAMES_PER_CALL))
    stand_ins: dict[str, ModuleType] = {name: DeferredModule(name) for name in ON_FIRST_USE}
    stand_ins |= _bare_packages()
    stand_ins = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module("eth.vm.forks.prague.computation")
    finally:
        for name in stand_ins:
            del sys.modules[name]
