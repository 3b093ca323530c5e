"""Numbers of blocks and heights, and places in blocks, as keys that are in their order."""

NUMBER_BYTES = 8
INDEX_BYTES = 4


def number_key(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big")


def place_key(number: int, index: int) -> bytes:
    """Of a transaction or a log in a block."""
    return number.to_bytes(NUMBER_BYTES, "big") + index.to_bytes(INDEX_BYTES, "big")
