from collections.abc import Callable
from pathlib import Path

import pytest

from storage.keyvalue import KeyValue
from storage.leveldb import LevelDB
from storage.memory import MemoryKeyValue

SEEDS = (1, 2, 3)


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    print(f"seed {request.param}")
    value: int = request.param
    return value


@pytest.fixture(params=["memory", "leveldb"])
def keyvalue_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyValue]:
    """Opens the same key-value store each time, once the one opened before is closed."""
    memory = MemoryKeyValue()
    return lambda: memory if request.param == "memory" else LevelDB(tmp_path / "chain", durable=False)
