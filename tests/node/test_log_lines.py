"""What a process's log looks like on standard error."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime

import pytest

from node.log_lines import begin_log


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_with_json_every_record_is_one_object_a_line_whatever_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    begin_log("storage", "info", json_lines=True)
    log = logging.getLogger("tandem.storage")
    log.info('two\nlines and "quotes" %d', 7)
    log.debug("below the level")
    try:
        raise ValueError("a cause")
    except ValueError:
        log.exception("it failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first == {
        "process": "storage",
        "level": "info",
        "logger": "tandem.storage",
        "message": 'two\nlines and "quotes" 7',
    }
    assert second["level"] == "error"
    assert second["traceback"].endswith("ValueError: a cause")


def test_for_people_a_line_has_time_process_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    begin_log("rpc", "warning", json_lines=False)
    logging.getLogger("tandem.rpc").warning("too slow")
    assert re.fullmatch(r"\d\d:\d\d:\d\d rpc WARNING too slow\n", capsys.readouterr().err)
