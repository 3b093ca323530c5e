"""Foundry's node, as a chain that is not ours."""

import contextlib
import subprocess
from collections.abc import Iterator

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import NODE_MODULES
from tests.e2e.running_node import free_port


@contextlib.contextmanager
def running_anvil(*options: str) -> Iterator[str]:
    """Its URL, once it answers."""
    [program] = NODE_MODULES.glob("@foundry-rs/anvil-*/bin/anvil*")
    port = free_port()
    command = [str(program), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Listening"):
                break
        url = f"http://127.0.0.1:{port}"
        with contextlib.closing(JsonRpc(url)) as rpc:
            rpc.call("eth_chainId")
        yield url
    finally:
        process.kill()
        process.communicate()
