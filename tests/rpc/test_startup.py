"""What the rpc process loads before its first answer: the whole chain waits for it."""

import subprocess
import sys

HEAVY = ("eth", "eth_account", "eth_abi", "web3", "pydantic", "fastapi", "rlp")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = f"import sys, rpc.process; print(*[name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
