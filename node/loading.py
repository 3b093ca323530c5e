"""What the terminal shows while a chain takes in the state that it begins with."""

from collections.abc import Callable

from node.folder import DataFolder
from node.output import Output
from storage.loading import Loading

ACCOUNTS_A_LINE = 100_000


def loading_of(folder: DataFolder, output: Output) -> Loading | None:
    """How a new storage of this chain gets its first state; None if the genesis has all of it."""
    file = folder.loaded_state
    return None if file is None else Loading(file, _every(ACCOUNTS_A_LINE, output))


def _every(step: int, output: Output) -> Callable[[int], None]:
    said = 0

    def report(accounts: int) -> None:
        nonlocal said
        if accounts >= said + step:
            said = accounts
            output.event("loading", f"loading the state: {accounts:,} accounts so far", {"accounts": accounts})

    return report


def tell_what_is_left(folder: DataFolder, output: Output) -> None:
    """What a new chain did not take of the state file that it was made from."""
    if folder.not_loaded:
        number = folder.genesis.header.number
        text = f"not taken from the state file: {folder.not_loaded}; the chain goes on from the state of block {number}"
        output.event("not loaded", text, {"notLoaded": folder.not_loaded, "number": number})
