"""The nodes that people would use instead, at the versions that the tests use, installed from npm."""

import contextlib
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.benchmarks.node_process import Target
from tests.e2e import hardhat_project
from tests.e2e.npm_packages import NODE_MODULES, install


class NodeIsMissing(Exception):
    """Without Node and npm there is nothing to install them with."""

    def __init__(self, programs: Sequence[str]) -> None:
        super().__init__(
            f"--beside installs nodes from npm, and {' and '.join(programs)} is not on the PATH: "
            "install Node, or name a node that runs already: --compare NAME=URL"
        )


@contextlib.contextmanager
def peers(names: Sequence[str]) -> Iterator[list[Target]]:
    """How to start each of them. Raises `NodeIsMissing`, and `CommandFailed` with what npm said."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if names and missing:
        raise NodeIsMissing(missing)
    with TemporaryDirectory(prefix="tandem-peers-") as folder:
        yield [Target(name, PEERS[name](Path(folder))) for name in names]


def _anvil(_folder: Path) -> str:
    install()
    [program] = NODE_MODULES.glob("@foundry-rs/anvil-*/bin/anvil*")
    return f"{shlex.quote(str(program))} --silent --port {{port}}"


def _hardhat(folder: Path) -> str:
    """In an empty project, with every setting as it comes."""
    node = shutil.which("node", path=hardhat_project.install_hardhat())
    assert node is not None
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "hardhat.config.js").write_text("export default {};\n")
    (folder / "node_modules").symlink_to(hardhat_project.PROJECT / "node_modules")
    program = folder / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
    return shlex.join([node, str(program), "--config", str(folder / "hardhat.config.js"), "node"]) + " --port {port}"


PEERS: dict[str, Callable[[Path], str]] = {"anvil": _anvil, "hardhat": _hardhat}
