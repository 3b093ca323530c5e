"""The URL of a remote chain: what it may be, and how it is shown, for it often carries a key."""

import re
from urllib.parse import urlsplit

from node.errors import BadSetting

HIDDEN = "…"
_LOOKS_SECRET = re.compile(r"[0-9a-zA-Z_-]{20,}")


def checked(url: str) -> str:
    """The URL itself. Raises BadSetting, without showing what may be secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadSetting(f"--fork-url {masked(url)} is not known: give http://HOST:PORT or https://HOST/PATH")
    return url


def masked(url: str) -> str:
    """The URL without user, path and query, where providers of nodes put the key, and without keys in the host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return HIDDEN
    if not parts.scheme or not host:
        return HIDDEN if _LOOKS_SECRET.search(url) or "/" in url or "@" in url else repr(url)
    shown = ".".join(HIDDEN if _LOOKS_SECRET.fullmatch(label) else label for label in host.split("."))
    if ":" in host:
        shown = f"[{host}]"
    hidden = f"/{HIDDEN}" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{hidden}"
