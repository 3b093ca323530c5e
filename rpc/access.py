"""Who may talk to the RPC port: which names it answers to, and to pages of which sites.

DNS rebinding is a page that has its own site's name resolve to this machine: its requests then count as of one origin,
so no cross-origin rule stops them. But they carry the site's name in `Host`. A devnet is reached by an address, or by a
name that no site on the internet can have, so other names are refused, as geth does (--http.vhosts).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from rpc.bounded_cache import BoundedCache

ANY = "*"
PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".test", ".home.arpa")
"""Names that no public resolver answers for (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal)."""
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class AccessRules:
    """`hosts` are names besides the private ones, `origins` those of the pages that are let in; "*" is all, and the
    default, because wallets and dapps of any site use a devnet.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = (ANY,)


class Access:
    """Judges requests by their `Host` and `Origin`."""

    def __init__(self, rules: AccessRules) -> None:
        self._hosts = _lower(rules.hosts)
        self._origins = _lower(origin.rstrip("/") for origin in rules.origins)
        self._known: BoundedCache[tuple[bytes | None, bytes | None], str] = BoundedCache(REMEMBERED)

    def refusal(self, host: bytes | None, origin: bytes | None) -> str:
        """Why a request with these headers is refused; empty if it is not."""
        asked = host, origin
        known = self._known.get(asked)
        if known is None:
            known = self._judge(*asked)
            self._known.put(asked, known)
        return known

    def _judge(self, host: bytes | None, origin: bytes | None) -> str:
        asked = "" if host is None else host.decode("latin-1").lower()
        name = host_name(asked)
        if asked and ANY not in self._hosts and not is_private(name) and name not in self._hosts:
            return f"invalid host {name[:100]!r}: if this node has that name, start it with --allow-host {name[:100]}"
        if origin is None or ANY in self._origins:
            return ""
        page = origin.decode("latin-1").lower()
        if page in self._origins or page.partition("://")[2] == asked:
            return ""
        return f"invalid origin {page[:100]!r}: to let pages of it in, start the node with --allow-origin {page[:100]}"


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def host_name(host: str) -> str:
    """The name or address in a `Host` header, without the port and the final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def is_private(name: str) -> bool:
    """Whether no site on the internet can have this name: an address, one word, or of a private domain."""
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(PRIVATE_SUFFIXES)
    return True
