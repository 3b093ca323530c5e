"""Devices lie among files, and some never end: what wants a file refuses them."""

from pathlib import Path


def is_device(path: Path) -> bool:
    return path.is_char_device() or path.is_block_device()
