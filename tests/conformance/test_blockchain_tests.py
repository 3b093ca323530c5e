"""Blockchain tests: chains that py-evm made under every fork come out alike, and what breaks a rule is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import rlp

from chain.forks import Fork
from execution.engine import EVMS
from node.conformance.blockchain_case import BlockchainCase
from node.conformance.outcomes import Failed, Unsupported
from tests.conformance.py_evm_chain import NETWORKS, blockchain_test

SEEDS = (1, 2)
STATE_ROOT, RECEIPTS_ROOT, BLOOM, DIFFICULTY, NUMBER, GAS_LIMIT, GAS_USED, TIME, EXTRA, BASE_FEE = (
    3, 5, 6, 7, 8, 9, 10, 11, 12, 15
)  # fmt: skip


@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("fork", NETWORKS, ids=lambda fork: fork.label)
def test_a_chain_that_py_evm_made_comes_out_alike(fork: Fork, evm: str) -> None:
    for seed in SEEDS:
        print(f"seed {seed}")
        BlockchainCase(f"{fork.label} {seed}", blockchain_test(fork, seed)).check(evm)


@dataclass(frozen=True)
class Tampering:
    """A field of the last block's header, and what is put there."""

    field: int
    change: Callable[[bytes], bytes]


def more(value: bytes) -> bytes:
    number = int.from_bytes(value, "big") + 1
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def other(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


TAMPERINGS = {
    "another state root": Tampering(STATE_ROOT, other),
    "another receipts root": Tampering(RECEIPTS_ROOT, other),
    "another bloom": Tampering(BLOOM, other),
    "another difficulty": Tampering(DIFFICULTY, more),
    "another number": Tampering(NUMBER, more),
    "a gas limit out of reach": Tampering(GAS_LIMIT, lambda _: b"\x7f\xff\xff\xff"),
    "another gas used": Tampering(GAS_USED, more),
    "a time before the parent's": Tampering(TIME, lambda _: b"\x01"),
    "too much extra data": Tampering(EXTRA, lambda _: bytes(33)),
    "another base fee": Tampering(BASE_FEE, more),
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return blockchain_test(Fork.LONDON, 3)


def tampered(test: dict[str, Any], tampering: Tampering) -> dict[str, Any]:
    header, *rest = rlp.decode(bytes.fromhex(test["blocks"][-1]["rlp"][2:]))
    header = list(header)
    header[tampering.field] = tampering.change(header[tampering.field])
    block = {"rlp": "0x" + rlp.encode([header, *rest]).hex(), "blockHeader": {}}
    parent = rlp.decode(bytes.fromhex(test["blocks"][-1]["rlp"][2:]))[0][0]
    return test | {"blocks": [*test["blocks"][:-1], block], "lastblockhash": "0x" + parent.hex()}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_block_that_breaks_a_rule_is_refused(name: str, made: dict[str, Any]) -> None:
    test = tampered(made, TAMPERINGS[name])
    with pytest.raises(Failed, match="block 1 was refused"):
        BlockchainCase(name, test).check("interpreter")
    test["blocks"][-1]["expectException"] = "BlockException"
    BlockchainCase(name, test).check("interpreter")


def test_in_older_tests_a_block_of_which_only_the_rlp_is_given_must_be_refused(made: dict[str, Any]) -> None:
    test = tampered(made, TAMPERINGS["another gas used"])
    del test["blocks"][-1]["blockHeader"]
    BlockchainCase("bad", test).check("interpreter")
    good = [*made["blocks"][:-1], {"rlp": made["blocks"][-1]["rlp"]}]
    with pytest.raises(Failed, match="block 1 was accepted, expected a refusal"):
        BlockchainCase("good", made | {"blocks": good}).check("interpreter")


def test_a_good_block_where_a_refusal_is_expected_fails(made: dict[str, Any]) -> None:
    blocks = [*made["blocks"][:-1], made["blocks"][-1] | {"expectException": "BlockException.ANY"}]
    with pytest.raises(Failed, match=r"block 1 was accepted, expected BlockException.ANY"):
        BlockchainCase("good", made | {"blocks": blocks}).check("interpreter")


def test_another_head_at_the_end_fails(made: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="the last block is"):
        BlockchainCase("head", made | {"lastblockhash": "0x" + "00" * 32}).check("interpreter")


def test_a_genesis_that_is_not_the_pre_state_fails(made: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="the state root of genesis"):
        BlockchainCase("genesis", made | {"pre": {}}).check("interpreter")


@pytest.mark.parametrize("network", ["Verkle", "HomesteadToDaoAt5", "BPO9", ""])
def test_a_network_that_is_not_ours_is_not_run(network: str, made: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        BlockchainCase("other", made | {"network": network}).check("interpreter")


def test_a_network_may_change_its_rules_on_the_way() -> None:
    """A chain of Homestead alone is one of Frontier that turns into Homestead before its first block."""
    test = blockchain_test(Fork.HOMESTEAD, 1)
    BlockchainCase("turns", test | {"network": "FrontierToHomesteadAt1"}).check("interpreter")
    with pytest.raises(Failed, match="block 1 was refused"):
        BlockchainCase("turns too late", test | {"network": "HomesteadToLondonAt2"}).check("interpreter")
