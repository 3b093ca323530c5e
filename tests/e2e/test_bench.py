"""The benchmark itself, with little load: that it measures everything and says so."""

import json
import subprocess

import pytest

from tests.e2e.running_node import PROJECT, Node

LITTLE_LOAD = ["--transactions", "40", "--senders", "4", "--samples", "10", "--seconds", "0.2"]


def _bench(*arguments: str) -> str:
    command = [str(PROJECT / "scripts" / "bench"), "rpc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_benchmark_measures_every_figure(node: Node) -> None:
    [measured] = json.loads(_bench("--url", node.http_url, "--json", *LITTLE_LOAD))["nodes"]
    figures = {figure["name"]: figure["value"] for figure in measured["figures"]}
    assert list(figures) == [
        "send → receipt, p50",
        "send → receipt, p90",
        "send → receipt, p99",
        "plain transfers",
        "raw transactions accepted",
        "ERC-20 transfers",
        "one hot counter",
        "100-round keccak loop",
        "eth_call",
        "eth_blockNumber",
    ]
    assert all(value > 0 for value in figures.values())
    assert not any("failed" in figure["note"] for figure in measured["figures"])


def test_a_comparison_shows_both_nodes_and_a_ratio(node: Node) -> None:
    table = _bench("--url", node.http_url, "--compare", f"same={node.http_url}", "--only", "queries", *LITTLE_LOAD)
    [line] = [line for line in table.splitlines() if line.startswith("eth_call ")]
    assert line.count("calls/s") == 2
    assert "x)" in line


@pytest.mark.parametrize("arguments", [["--url", "http://127.0.0.1:1"], ["--start", "false {port}"]])
def test_a_node_that_does_not_answer_is_one_clear_line(arguments: list[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _bench(*arguments)
    assert caught.value.stderr.startswith("Error: ")
    assert "Traceback" not in caught.value.stderr
