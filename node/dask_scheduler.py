"""Whether a Dask cluster can be used, asked before anything starts."""

import contextlib
import importlib.util
import socket

from node.errors import BadSetting, NodeError
from node.settings import Settings

ANSWER_S = 5.0


class NoScheduler(NodeError):
    def __init__(self, pool: str, reason: str) -> None:
        super().__init__(
            f"no Dask scheduler answers at {pool} ({reason}): start one (dask scheduler), or leave --pool out"
        )


def check_scheduler(settings: Settings) -> None:
    """Nothing to do for the chain's own workers. Raises BadSetting where Dask is missing, and NoScheduler."""
    scheduler = settings.dask_scheduler
    if scheduler is None:
        return
    if importlib.util.find_spec("distributed") is None:
        raise BadSetting(
            f"--pool {settings.pool} needs the package distributed: .venv/bin/pip install 'distributed>=2026.8'"
        )
    host, _, port = scheduler.removeprefix("tcp://").rpartition(":")
    try:
        with contextlib.closing(socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S)):
            pass
    except (OSError, OverflowError) as error:
        raise NoScheduler(settings.pool, getattr(error, "strerror", None) or str(error)) from error
