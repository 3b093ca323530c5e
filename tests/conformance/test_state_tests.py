"""The committed sample always; with the marker `full` the archives in the folder that TANDEM_STATE_TESTS names."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.forks import CHAIN_FORKS, Fork
from chain.keccak import keccak256
from execution.engine import EVMS
from node.conformance.files import find_test_files
from node.conformance.outcomes import Failed
from node.conformance.running import run_files
from node.conformance.state_case import StateCase, state_of
from tests.conformance import sample

SAMPLE = sample.load()
LIMIT_S = 900
"""Of processor time. The longest, loopMul, has 170 million instructions."""


@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_an_official_state_test_comes_out_as_it_must(case: StateCase, evm: str) -> None:
    case.check(evm)


def test_the_sample_covers_every_fork_and_refusals() -> None:
    assert {case.fork for case in SAMPLE} == set(CHAIN_FORKS)
    assert any("expectException" in case.post for case in SAMPLE)
    assert len({row["group"] for row in sample.rows()}) > 100


def test_in_older_tests_only_the_state_root_tells_that_a_transaction_was_refused() -> None:
    transaction = {"nonce": "0x00", "gasPrice": "0x01", "gasLimit": ["0x5208"], "to": "0x" + "11" * 20}
    transaction |= {"value": ["0x01"], "data": ["0x"], "secretKey": "0x" + "22" * 32}
    env = {"currentNumber": "0x01", "currentTimestamp": "0x03e8", "currentGasLimit": "0xffffff"}
    env |= {"currentDifficulty": "0x20000", "currentCoinbase": "0x" + "33" * 20}
    pre = {"0x" + "44" * 20: {"balance": "0x07"}}
    root = state_of(pre, Fork.BYZANTIUM).root()
    post = {"hash": "0x" + root.hex(), "logs": "0x" + keccak256(b"\xc0").hex()}
    older = {**post, "indexes": {"data": 0, "gas": 0, "value": 0}}
    case = StateCase("older", "Byzantium", {"env": env, "pre": pre, "transaction": transaction}, older)
    case.check("interpreter")
    with pytest.raises(Failed, match="state root is"):
        replace(case, post=older | {"hash": "0x" + "00" * 32}).check("interpreter")
    with pytest.raises(Failed, match="expected that it runs"):
        replace(case, post=older | {"txbytes": "0x" + case.raw.hex()}).check("interpreter")


@pytest.mark.parametrize(("network", "coinbase_is_there"), [("Homestead", True), ("EIP158", False)])
def test_a_refused_transaction_left_an_empty_coinbase_before_empty_accounts_were_cleared(
    network: str, coinbase_is_there: bool
) -> None:
    """As in ethereum/legacytests, Cancun/GeneralStateTests/stExample/eip1559.json, whose roots go's client made."""
    transaction: dict[str, Any] = {
        "nonce": "0x00",
        "maxFeePerGas": "0x01",
        "maxPriorityFeePerGas": "0x00",
        "gasLimit": ["0x5208"],
    }
    transaction |= {"to": "0x" + "11" * 20, "value": ["0x01"], "data": ["0x"], "secretKey": "0x" + "22" * 32}
    coinbase = "0x" + "33" * 20
    env = {"currentNumber": "0x01", "currentTimestamp": "0x03e8", "currentGasLimit": "0xffffff"}
    env |= {"currentDifficulty": "0x20000", "currentCoinbase": coinbase}
    pre = {"0x" + "44" * 20: {"balance": "0x07"}}
    after = pre | ({coinbase: {}} if coinbase_is_there else {})
    root = state_of(after, Fork.HOMESTEAD).root()
    post: dict[str, Any] = {"hash": "0x" + root.hex(), "logs": "0x" + keccak256(b"\xc0").hex()}
    post |= {"indexes": {"data": 0, "gas": 0, "value": 0}, "expectException": "TypeNotSupported"}
    StateCase("refused", network, {"env": env, "pre": pre, "transaction": transaction}, post).check("interpreter")


def is_endless(name: str) -> bool:
    """Four billion rounds of BLAKE2, which take Python days; no block has the gas for them."""
    return "Blake2f_MaxRounds" in name


@pytest.mark.full
@pytest.mark.skipif("TANDEM_STATE_TESTS" not in os.environ, reason="TANDEM_STATE_TESTS names no folder")
@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("archive", sample.ARCHIVES)
def test_every_official_state_test_comes_out_as_it_must(archive: str, evm: str, tmp_path: Path) -> None:
    found = find_test_files(Path(os.environ["TANDEM_STATE_TESTS"]) / archive, tmp_path)
    files = [file for file in found if not is_endless(file.name)]
    outcomes = list(run_files(files, evm, jobs=2, limit_s=LIMIT_S))
    assert len(outcomes) > 1_000
    assert [outcome for outcome in outcomes if outcome.failure] == []
