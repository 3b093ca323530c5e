"""How the processes' logs look on standard error: a line for people, or with --json one JSON object a line."""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLine(logging.Formatter):
    """One object a record, whatever is in its message; a traceback, which only debug has, is one of its members."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "process": self._process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts)


def begin_log(process: str, level: str, json_lines: bool) -> None:
    """Send what this process logs, from `level` on, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if json_lines:
        handler.setFormatter(JsonLine(process))
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s {process} %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
