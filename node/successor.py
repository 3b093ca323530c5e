"""The chain that takes a running one's place, when that is to be another fork.

A fork is a chain of its own: another genesis, other validators' keys, another storage. So nothing of the running chain
changes: rpc makes the fork's data folder while it still serves, and if that succeeds `tandem up` ends this chain and
starts that one on the same port. In the same way a chain that is no fork takes the place of one that is.
"""

import contextlib
import shutil
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from node import folder as data
from node.errors import BadSetting
from node.plan import Plan
from node.remote.address import checked
from node.settings import Settings

DATA = "data"
DEFAULT_PORTS = {"http": 80, "https": 443}


class KeptChain(BadSetting):
    """What is kept in a data folder is not given up for a fork that nobody keeps."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the chain in {path} stays what it is: start another one with tandem up --fork-url URL --fork-block N"
        )


class NothingToFork(BadSetting):
    def __init__(self) -> None:
        super().__init__("this chain is no fork, so say what to fork: jsonRpcUrl")


class StateIsDumped(BadSetting):
    """What would be written at the end is gone with this chain."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"the state of this chain is to be in {file} at its end: start another one with tandem up --fork-url URL"
        )


class ForkOfItself(BadSetting):
    """It would end the chain that it is to read."""

    def __init__(self) -> None:
        super().__init__("jsonRpcUrl is this chain's own: evm_snapshot and evm_revert take it back")


class Successors:
    """Makes the chains that may take a running one's place (implements node.chain_processes.Successors)."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.are_possible = plan.successor is not None and plan.settings.dump_state is None

    def make_fork(self, url: str | None, block: int | None) -> None:
        """Make the folder of a fork of that block, or of the newest one; without `url` of the chain that this one was
        forked from. Blocks while the remote is asked. Raises NodeError, and leaves nothing then."""
        plan, forked = self._plan, self._plan.folder.fork
        self._check_place()
        if url is None and forked is None:
            raise NothingToFork
        if url is not None and _is_own(plan, url):
            raise ForkOfItself
        self._make(fork_settings(plan.settings, url or (forked.url if forked is not None else None), block))

    def make_unforked(self) -> None:
        """Make the folder of the chain that was asked for at the start, without its fork. Raises NodeError."""
        self._check_place()
        assert self._plan.successor is not None
        self._make(self._plan.successor.unforked)

    def _check_place(self) -> None:
        plan = self._plan
        if plan.successor is None:
            raise KeptChain(plan.folder.path)
        if plan.settings.dump_state is not None:
            raise StateIsDumped(plan.settings.dump_state)

    def _make(self, settings: Settings) -> None:
        assert self._plan.successor is not None
        path = self._plan.successor.path
        shutil.rmtree(path, ignore_errors=True)  # of one that was not started
        try:
            data.temporary(path / DATA, settings.checked())
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise


def fork_settings(settings: Settings, url: str | None, block: int | None) -> Settings:
    """What was asked for at the start, without how a chain that is no fork begins."""
    return replace(settings, fork_url=url, fork_block=block, genesis=None, load_state=None, base_fee=None)


def unforked_settings(settings: Settings) -> Settings:
    """What was asked for at the start; of a fork without the state above the remote's that it began with."""
    if settings.fork_url is None:
        return settings
    return replace(settings, fork_url=None, fork_block=None, load_state=None)


def _is_own(plan: Plan, url: str) -> bool:
    """Whether it leads to where this chain listens, by whatever name. Raises BadSetting."""
    assert plan.listening is not None
    parts = urlsplit(checked(url))
    host, port = plan.listening.getsockname()[:2]
    if (parts.port or DEFAULT_PORTS[parts.scheme]) != port:
        return False
    own = ip_address(host)
    reached = _addresses(parts.hostname or "")
    return own in reached or any(
        address.is_unspecified or (own.is_unspecified and _is_of_this_machine(address)) for address in reached
    )


def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    with contextlib.suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(address[0])) for *_, address in found]
        return [getattr(address, "ipv4_mapped", None) or address for address in addresses]
    return []


def _is_of_this_machine(address: IPv4Address | IPv6Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family) as tried, contextlib.suppress(OSError):
        tried.bind((str(address), 0))
        return True
    return False
