"""Every message that crosses a border between processes, one file for each pair that talks.

Tags: 0-9 the link itself, 10-29 validators, 30-49 mempool and results, 50-79 storage, 80-99 tasks, 100-119 calls
and traces, 120-139 faults on purpose, 140-179 operations.
"""

from typing import Any, TypeAlias

Message: TypeAlias = Any
"""A dataclass registered with `chain.codec.message`."""
