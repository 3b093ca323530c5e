"""What importing the engine must not load, and that everything is there all the same."""

import subprocess
import sys

import eth_utils

HEAVY = ("pydantic", "py_ecc", "ckzg", "eth.chains", "eth.vm.base", "web3", "eth_account", "trie", "requests")


def test_importing_the_engine_loads_nothing_heavy() -> None:
    program = f"""
import sys
import execution.engine
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_whoever_imports_py_evm_afterwards_gets_the_same_classes() -> None:
    program = """
import execution.engine
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague import PragueVM
from eth.chains.base import Chain
assert PragueVM._state_class.computation_class is PragueComputation
assert issubclass(execution.engine.Computation, PragueComputation)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_name_that_stayed_deferred_can_be_subclassed_and_asked_for_instances() -> None:
    model = type("Model", (eth_utils.CamelModel,), {}) if isinstance(eth_utils.CamelModel, type) else None
    if model is None:

        class Deferred(eth_utils.CamelModel):  # type: ignore[misc]
            pass

        model = Deferred
    assert isinstance(model(), eth_utils.CamelModel)
    assert not isinstance(1, eth_utils.CamelModel)
