"""What the load client itself takes of the processor: it shares the cores with the node that it measures."""

import time
from types import TracebackType


class ClientCost:
    """Adds up the CPU time of this process within `with` blocks, over the requests counted there."""

    def __init__(self) -> None:
        self.requests = 0
        self._seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> "ClientCost":
        self._began = time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds += time.process_time() - self._began

    @property
    def us_per_request(self) -> float:
        return self._seconds / self.requests * 1e6
