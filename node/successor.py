"""The chain that takes a running one's place, when that is to be another fork.

A fork is a chain of its own: another genesis, other validators' keys, another storage. So nothing of the running chain
changes: rpc makes the fork's data folder while it still serves, and if that succeeds `tandem up` ends this chain and
starts that one on the same port.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from node import folder as data
from node.errors import BadSetting
from node.plan import Plan
from node.remote.address import checked
from node.settings import Settings

DATA = "data"
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class KeptChain(BadSetting):
    """What is kept in a data folder is not given up for a fork that nobody keeps."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the chain in {path} stays what it is: start another one with tandem up --fork-url URL --fork-block N"
        )


class NothingToFork(BadSetting):
    def __init__(self) -> None:
        super().__init__("this chain is no fork, so say what to fork: jsonRpcUrl")


class ForkOfItself(BadSetting):
    """It would end the chain that it is to read."""

    def __init__(self) -> None:
        super().__init__("jsonRpcUrl is this chain's own: evm_snapshot and evm_revert take it back")


def make_successor(plan: Plan, url: str | None, block: int | None) -> None:
    """Make the folder of a fork of that block, or of the newest one; without `url` of the chain that this one was
    forked from. Blocks while the remote is asked. Raises NodeError, and leaves nothing then."""
    if plan.successor is None:
        raise KeptChain(plan.folder.path)
    if url is None and plan.folder.fork is None:
        raise NothingToFork
    source = url or (plan.folder.fork.url if plan.folder.fork is not None else None)
    if url is not None and _is_own(plan, url):
        raise ForkOfItself
    shutil.rmtree(plan.successor, ignore_errors=True)  # of one that was not started
    try:
        data.temporary(plan.successor / DATA, fork_settings(plan.settings, source, block).checked())
    except BaseException:
        shutil.rmtree(plan.successor, ignore_errors=True)
        raise


def fork_settings(settings: Settings, url: str | None, block: int | None) -> Settings:
    """What was asked for at the start, without how a chain that is no fork begins."""
    return replace(settings, fork_url=url, fork_block=block, genesis=None, load_state=None, base_fee=None)


def _is_own(plan: Plan, url: str) -> bool:
    """Whether it is where this chain listens, as far as its host's name tells. Raises BadSetting."""
    assert plan.listening is not None
    checked(url)
    parts = urlsplit(url)
    return parts.hostname in {*LOOPBACK, plan.settings.host} and parts.port == plan.listening.getsockname()[1]
