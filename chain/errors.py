"""The base classes of what can go wrong with a value that crosses a border."""


class ChainError(Exception):
    """Something in the shared vocabulary is not what it should be. Subclasses name the cause and carry the facts."""


class DecodeError(ChainError):
    """Bytes that do not decode to the value they should hold."""
