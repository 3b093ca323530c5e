"""tandem.toml: the options of `tandem up`, by their names."""

import difflib
import tomllib
from collections.abc import Set
from pathlib import Path
from typing import Any

from node.errors import BadSetting

DEFAULT_FILE = Path("tandem.toml")


def read_settings_file(path: Path | None, known: Set[str]) -> dict[str, str]:
    """The settings in the file, by option name with underscores, each as one would type it on the command line.

    Without `path`, tandem.toml here if there is one. Raises BadSetting if a named file is missing, is not TOML, or sets
    something unknown.
    """
    file = path or DEFAULT_FILE
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path is None:
            return {}
        raise BadSetting(f"there is no settings file {path}: make it, or name another by --config") from None
    except OSError as error:
        raise BadSetting(f"cannot read {file}: {error.strerror}; mend that, or name another by --config") from error
    except UnicodeDecodeError as error:
        raise BadSetting(f"{file} is not TOML: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{file} is not TOML: {error}") from error
    return {_known_name(name, known, file): _typed(name, value, file) for name, value in settings.items()}


def _known_name(name: str, known: Set[str], file: Path) -> str:
    option = name.replace("-", "_")
    if option in known:
        return option
    close = difflib.get_close_matches(option, known, 1)
    hint = f"; did you mean {close[0].replace('_', '-')}?" if close else ""
    raise BadSetting(f"{file} sets {name!r}, which is no option of tandem up{hint}")


def _typed(name: str, value: Any, file: Path) -> str:
    """So that the command line's own checks see all of a value: 1.5 is no whole number, and true no chain id."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case list():
            return ",".join(_typed(name, item, file) for item in value)
    raise BadSetting(f"{file} sets {name!r} to {value!r}: give a text, a number, true or false")
