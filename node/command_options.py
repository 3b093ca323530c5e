"""Options that several commands share: how one is declared, and how a command is told which running chain it is for."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from node.settings import Settings, stake_from
from node.settings_file import read_settings_file

DEFAULTS = Settings()
F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path, readable=False)
"""Unchecked: who reads it says what is wrong, and what to do."""


class CommandGroup(click.Group):
    """A group that says where options belong when one of a command's stands before the command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        place = next((place for place, word in enumerate(args) if word in self.commands), 0)
        misplaced = place and args[0].startswith("--") and args[0].partition("=")[0] not in own
        if misplaced and not ctx.resilient_parsing:
            typed = " ".join([ctx.command_path, *args[place:], *args[:place]])
            raise click.UsageError(f"options stand after the command: {typed}", ctx)
        return super().parse_args(ctx, args)


class Stake(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between; in the settings file also a list of them."""

    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        return stake_from(str(value))


def option(name: str, **attributes: Any) -> Callable[[F], F]:
    """An option that TANDEM_NAME and tandem.toml can set too."""
    environment = "TANDEM_" + name.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(name, envvar=environment, show_default=attributes.pop("show_default", True), **attributes)


def config_option(command: F) -> F:
    return click.option(
        "--config",
        type=PATH,
        is_eager=True,
        expose_value=False,
        callback=lambda context, _, value: _use_settings_file(context, value),
        help="Settings file.  [default: tandem.toml, if it is there]",
    )(command)


def for_running_chain(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --port, --host and --url, and as its first argument the RPC address that they say."""

    @wraps(command)
    def addressed(port: int, host: str, url: str | None, **others: Any) -> Any:
        from node.output import reachable

        return command(url or f"http://{reachable(host)}:{port}", **others)

    for declare in (
        option("--url", help="RPC address of the chain, in place of host and port."),
        option("--host", default=DEFAULTS.host, help="Host of the chain."),
        option("--port", type=int, default=DEFAULTS.port, help="Port of the chain."),
        config_option,
    ):
        addressed = declare(addressed)
    return addressed


def _use_settings_file(context: click.Context, path: Path | None) -> None:
    """Takes the command's defaults from the settings file, before the command line is read. Raises BadSetting."""
    root = context.find_root().command
    assert isinstance(root, click.Group)
    options = {parameter.name: parameter for parameter in root.commands["up"].params if parameter.name}
    settings: dict[str, str | list[str]] = dict(read_settings_file(path, options.keys()))
    for name, value in settings.items():
        if isinstance(value, str) and getattr(options[name], "multiple", False):
            settings[name] = value.split(",")
    wanted = {parameter.name for parameter in context.command.params}
    context.default_map = {name: value for name, value in settings.items() if name in wanted}
