"""docs/rpc.md tells of every method, and of no other."""

import re
from pathlib import Path

import rpc.namespaces
from rpc.methods import METHODS, OWN_PREFIX

TEXT = (Path(__file__).parents[2] / "docs" / "rpc.md").read_text()
NAMESPACES = "eth|testing|debug|net|web3|txpool|rpc|personal|hardhat|anvil|evm|tenderly|ganache|trace|ots|erigon|miner"
NAMED = re.compile(rf"`((?:{NAMESPACES})_\w+)`")
NOT_THERE = TEXT[TEXT.index("What is not there") :]


def test_every_method_is_in_the_documentation_and_every_documented_one_is_there() -> None:
    assert rpc.namespaces.__all__
    named = set(NAMED.findall(TEXT)) - set(NAMED.findall(NOT_THERE))
    offered = {name for name in METHODS if not name.startswith(OWN_PREFIX)}
    assert named == offered
