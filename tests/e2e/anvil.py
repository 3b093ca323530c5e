"""Foundry's node, as a chain that is not ours."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import NODE_MODULES
from tests.e2e.running_node import free_port


@contextlib.contextmanager
def running_anvil(*options: str, printed: list[str] | None = None) -> Iterator[str]:
    """Its URL, once it answers. `printed` gets the lines that it prints from then on."""
    [program] = NODE_MODULES.glob("@foundry-rs/anvil-*/bin/anvil*")
    port = free_port()
    command = [str(program), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    reader = None
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Listening"):
                break
        reader = threading.Thread(target=_read, args=(process.stdout, printed), daemon=True)
        reader.start()
        url = f"http://127.0.0.1:{port}"
        with contextlib.closing(JsonRpc(url)) as rpc:
            rpc.call("eth_chainId")
        yield url
    finally:
        process.kill()
        process.wait()
        if reader is not None:
            reader.join()


def _read(lines: IO[str], printed: list[str] | None) -> None:
    """To the end, so that a full pipe never blocks it."""
    with lines:
        for line in lines:
            if printed is not None:
                printed.append(line)
