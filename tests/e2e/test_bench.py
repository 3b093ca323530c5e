"""The benchmark itself, with little load: that it measures everything and says so."""

import itertools
import json
import subprocess

import pytest

from tests.e2e.npm_packages import NpmPackages
from tests.e2e.running_node import LONG_DEADLINE_S, PROJECT, Node

LITTLE_LOAD = ["--rounds", "1", "--transactions", "40", "--senders", "4", "--samples", "10", "--seconds", "0.1"]
LITTLE_LOAD += ["--connections", "1", "--connections", "3"]


def _bench(*arguments: str, kind: str = "rpc") -> str:
    command = [str(PROJECT / "scripts" / "bench"), kind, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONG_DEADLINE_S).stdout


def test_the_benchmark_measures_every_figure(node: Node) -> None:
    [measured] = json.loads(_bench("--url", node.http_url, "--json", *LITTLE_LOAD))["measured"]
    figures = {figure["name"]: figure["value"] for figure in measured["figures"]}
    where = ("1 connection", "3 connections")
    sent = [[f"raw transactions, {count}", f"plain transfers mined, {count}"] for count in where]
    calls = ("ERC-20 transfers", "one hot counter", "100-round keccak loop")
    balances, calls_ = ("eth_getBalance", "eth_getBalance, new"), ("eth_call", "eth_call, new")
    reads = ("eth_blockNumber", *balances, *calls_, "eth_getLogs of 10", "eth_getLogs of 10, new")
    assert list(figures) == [
        *(f"send → receipt, p{rank}, {count}" for count in where for rank in (50, 99)),
        *itertools.chain.from_iterable(sent),
        *(f"raw, batches of 10, {count}" for count in where),
        *(f"{call} mined, 3 connections" for call in calls),
        "client, CPU of a request that sends",
        *(f"{read}, {count}" for read in reads for count in where),
        "client, CPU of a read",
    ]
    assert all(value > 0 for value in figures.values())
    assert not any("failed" in figure["note"] for figure in measured["figures"])


def test_a_comparison_takes_turns_and_shows_both_nodes_with_a_ratio(node: Node) -> None:
    twice = ["--only", "reads", *LITTLE_LOAD, "--rounds", "2"]
    table = _bench("--url", node.http_url, "--compare", f"same={node.http_url}", *twice)
    [line] = [line for line in table.splitlines() if line.startswith("eth_call, 1 connection ")]
    assert line.count("/s, ") == 2
    assert line.endswith("x)")


def test_anvil_is_installed_and_measured_beside_the_chain(node: Node, npm_packages: NpmPackages) -> None:
    table = _bench("--url", node.http_url, "--beside", "anvil", "--only", "start", *LITTLE_LOAD)
    assert "anvil: anvil/v" in table


@pytest.mark.parametrize("arguments", [["--url", "http://127.0.0.1:1"], ["--start", "false {port}"]])
def test_a_node_that_does_not_answer_is_one_clear_line(arguments: list[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _bench(*arguments)
    assert caught.value.stderr.startswith("Error: ")
    assert "Traceback" not in caught.value.stderr


@pytest.mark.parametrize("validators", [1, 4])
def test_the_benchmark_of_consensus_orders_everything_and_ends_at_rest(validators: int) -> None:
    load = ["--transactions", "2000", "--samples", "10", "--idle-seconds", "1"]
    output = _bench("--validators", str(validators), "--json", *load, kind="consensus")
    [measured] = json.loads(output)["measured"]
    figures = {figure["name"]: figure["value"] for figure in measured["figures"]}
    assert list(figures) == [
        "commit latency one after the other, p50",
        "commit latency one after the other, p99",
        "CPU of all validators, one commit",
        "commit latency from silence, p50",
        "commit latency from silence, p99",
        "ordered transactions",
        "proposals",
        "sent between validators, each transaction",
        "sent by validators to execution and rpc, each",
        "CPU of a validator, 1,000 transactions",
        "CPU of all validators, 1,000 transactions",
        "CPU of the stand-ins, 1,000 transactions",
        "machine idle meanwhile",
        "CPU at rest, all validators",
    ]
    assert figures["ordered transactions"] > 0
    assert figures["CPU at rest, all validators"] <= 10  # a tick of the clock


def test_the_benchmark_of_faults_measures_each_of_them() -> None:
    command = [str(PROJECT / "scripts" / "bench"), "faults", "--consensus", "hotstuff-2", "--seconds", "1", "--json"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONG_DEADLINE_S).stdout
    costs = json.loads(output)["hotstuff-2"]
    assert len(costs) == 10
    assert all(cost["transfers"] > 0 and cost["longest"] >= cost["p50"] > 0 for cost in costs)


def test_the_benchmark_of_the_evm_runs_the_same_work_three_ways() -> None:
    measured = json.loads(_bench("--transactions", "10", "--json", kind="evm"))["measured"]
    assert [subject["name"] for subject in measured] == ["compiled", "interpreter", "py-evm"]
    works = [[figure["name"] for figure in subject["figures"]] for subject in measured]
    assert works[0] == works[1] == works[2]
    assert len(works[0]) == 5


def test_the_executor_is_measured_against_serial_execution_with_where_the_time_goes() -> None:
    little = [
        "--only",
        "one hot counter",
        "--evm",
        "compiled",
        "--strategy",
        "optimistic",
        "--rounds",
        "1",
        "--blocks",
        "1",
    ]
    [measured] = json.loads(_bench(*little, "--json", kind="execution"))["measured"]
    assert measured["workload"] == "one hot counter"
    assert all(value > 0 for value in measured["usPerTransaction"].values())
    assert len(measured["ratios"]["optimistic"]) == 1
    assert measured["cpuUsPerTransaction"]["serial"]["run"] > 0
    assert measured["cpuUsPerTransaction"]["serial"]["merge"] > 0


def test_the_curve_over_more_workers_has_every_point() -> None:
    [curve] = json.loads(
        _bench("--only", "swaps", "--evm", "compiled", "--rounds", "1", "--blocks", "1", "--json", kind="scaling")
    )
    assert list(curve["measured"]) == ["1", "2"]
    assert list(curve["virtual"]) == ["1", "2", "4", "8", "16"]
    assert all(ratio > 0 for ratio in (*curve["measured"].values(), *curve["virtual"].values()))


def test_a_node_that_npm_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _bench("--beside", "anvil,geth")
    assert "'geth' is none of anvil, hardhat; other nodes by --compare" in caught.value.stderr
