"""What can go wrong when a chain is set up, in words for the person at the terminal, who sees no traceback."""


class NodeError(Exception):
    """Ends the command with one line: what was wrong, the value, and what to do."""

    exit_code = 1


class BadSetting(NodeError):
    exit_code = 2


class PortInUse(NodeError):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is in use by another program: stop it, or choose another with --port")


class BadDataFolder(NodeError):
    """The data folder cannot be used: unreadable, in use, of another chain, newer or damaged."""


class BadStateFile(NodeError):
    """A state that cannot be read or written."""


class BadTemporaryFolder(NodeError):
    """No folder for sockets and temporary data can be made where such folders are made."""
