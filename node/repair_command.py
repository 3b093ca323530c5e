"""`tandem repair`: looks into a chain's databases, and mends what is damaged."""

import sys
from pathlib import Path

import click

from node import folder as data
from node.command_options import PATH, config_option, option
from node.errors import BadDataFolder, BadSetting, NodeError
from node.folder import DataFolder
from node.repair import CannotRepair, Finding, findings, forget_copies, mend

NAME_WIDTH = 13


@click.command(short_help="Look into a stopped chain's databases, and mend them.")
@config_option
@option("--data-dir", type=PATH, help="Folder of the chain, which must not be running.")
@click.option("--check", is_flag=True, help="Only look: the exit status is 1 if anything is damaged.")
@click.option("--yes", is_flag=True, help="Do not ask before something is changed.")
def repair(data_dir: Path | None, check: bool, yes: bool) -> None:
    """Look into a stopped chain's databases, and mend them.

    Every byte is compared with its checksum, every block with its header, and every state that is kept with its
    state root. A damaged database is put aside, never deleted, and what is right of it takes its place.
    What it lacks then comes from the validators when the chain runs again.
    """
    if data_dir is None:
        raise BadSetting("give the folder of the chain with --data-dir")
    if _is_no_chain(data_dir):
        raise BadDataFolder(f"{data_dir} holds no chain: give the folder of one as --data-dir")
    with data.lock(data_dir):
        folder = data.open_folder(data_dir)
        try:
            found = _look(folder)
            damaged = [finding for finding in found if finding.damage]
            if damaged and not check:
                _mend(folder, found, damaged, yes)
        finally:
            forget_copies(folder)
    if not damaged:
        click.echo("nothing is damaged")
    elif check:
        click.echo(f"tandem repair --data-dir {data_dir} mends it")
        sys.exit(1)


def _is_no_chain(path: Path) -> bool:
    """False also where it cannot be seen: whoever opens the folder says why."""
    try:
        return not (path / "chain.json").exists()
    except OSError:
        return False


def _look(folder: DataFolder) -> list[Finding]:
    found = []
    for finding in findings(folder):
        found.append(finding)
        _say(finding.name, "damaged" if finding.damage else f"right: {finding.saved}")
        for damage in finding.damage:
            _say("", f"{damage.what}: {damage.reason}")
    return found


def _mend(folder: DataFolder, found: list[Finding], damaged: list[Finding], yes: bool) -> None:
    """Raises CannotRepair when nothing has the chain any more, and NodeError unless the user agrees."""
    if any(finding.is_imported for finding in damaged):
        raise CannotRepair(
            f"the imported blocks in {folder.path} are damaged: put a backup of the folder in its place, or import "
            "them again into an empty one"
        )
    validators = [finding for finding in found if finding.is_validator]
    if validators and all(finding.saved is None for finding in validators):
        raise CannotRepair(
            f"no validator in {folder.path} has the chain any more: put a backup of the folder in its place, "
            "or begin anew with an empty --data-dir"
        )
    click.echo("what can be done:")
    for finding in damaged:
        _say(finding.name, _plan(finding))
    if not yes and not sys.stdin.isatty():
        raise NodeError("nothing was changed: give --yes to have it done")
    if not yes and not click.confirm("Do it? The damaged databases are kept beside.", default=False):
        raise NodeError("nothing was changed")
    for finding in damaged:
        _say(finding.name, f"mended; what it was is in {mend(finding)}")


def _plan(finding: Finding) -> str:
    source = "the other validators" if finding.is_validator else "the validators, and is executed again"
    if finding.saved is None:
        return f"is put aside, and begins empty: all of it comes from {source}"
    return f"keeps {finding.saved}: what follows comes from {source}"


def _say(name: str, text: str) -> None:
    click.echo(f"{name:<{NAME_WIDTH}}{text}")
