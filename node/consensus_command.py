"""`tandem consensus`: how the validators agree, once or live in the terminal."""

import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from node.command_options import for_running_chain
from node.consensus_table import lines_of
from node.running_chain import ChainEnded, NoChain, address_in, ask

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
OTHER_SCREEN, FIRST_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
MAX_PICTURE_BYTES = 4 * 1024 * 1024


@click.command(short_help="Show live how the validators agree.")
@for_running_chain
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object a line, whenever something changes.")
@click.option("--once", is_flag=True, help="Print how it stands, and end.")
def consensus(url: str, as_json: bool, once: bool) -> None:
    """Show live how the validators agree: rounds, leaders, certificates and who signed them, timeouts, who is behind,
    who is suspected to be gone, and what was refused.

    In a terminal the picture is rewritten in place until Ctrl-C; elsewhere it is printed once.
    """
    if once or not (as_json or sys.stdout.isatty()):
        picture = ask(url, "tandem_consensus")
        click.echo(json.dumps(picture, indent=2) if as_json else "\n".join(lines_of(picture)))
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        if as_json:
            _show_all(url, lambda picture: click.echo(json.dumps(picture)))
        else:
            with _screen():
                _show_all(url, _draw)


def _show_all(url: str, show: Callable[[Any], None]) -> None:
    for picture in _pictures(url):
        show(picture)


def _pictures(url: str) -> Iterator[Any]:
    """Each picture as it is pushed. Raises NoChain when nobody answers, and ChainEnded after the last one."""
    from websockets.exceptions import ConnectionClosed, WebSocketException
    from websockets.sync.client import connect

    address = address_in(url)._replace(scheme="ws").geturl()
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["tandemConsensus"]}
    try:
        with connect(address, max_size=MAX_PICTURE_BYTES) as socket:
            socket.send(json.dumps(request))
            if "result" not in json.loads(socket.recv()):
                raise NoChain(url, "it is not Tandem")
            for message in socket:
                yield json.loads(message)["params"]["result"]
    except ConnectionClosed as error:
        raise ChainEnded(url) from error
    except (OSError, WebSocketException) as error:
        raise NoChain(url, error) from error
    raise ChainEnded(url)


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    """A screen of its own, as `top` has; what was there before comes back."""
    _write(OTHER_SCREEN + HIDE_CURSOR)
    try:
        yield
    finally:
        _write(SHOW_CURSOR + FIRST_SCREEN)


def _draw(picture: Any) -> None:
    size = shutil.get_terminal_size()
    lines = [line[: size.columns] + CLEAR_LINE for line in lines_of(picture)[: size.lines]]
    _write(HOME + "\n".join(lines) + CLEAR_BELOW)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
