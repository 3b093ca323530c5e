"""What a process does before its room's process runs."""

import subprocess
import sys

from tests.e2e.running_node import PROJECT

IMPORTING = """
import time
from types import SimpleNamespace
import node.roles
from node.settings import Settings

def imports_for_long(kind):
    print("importing", flush=True)
    time.sleep(60)

node.roles._runner = imports_for_long
node.roles.run_role(SimpleNamespace(settings=Settings()), "rpc")
"""


def test_a_process_that_still_imports_ends_when_it_is_asked_to() -> None:
    """It ended only when it had imported everything, which on a busy machine took longer than it was given."""
    command = [sys.executable, "-c", IMPORTING]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.terminate()
        assert process.wait(30) == 0
