"""docs/rpc.md tells of every method, and of no other; and of those that other nodes have, why they are not here."""

import json
import re
from pathlib import Path

from rpc.methods import OWN_PREFIX
from rpc.namespaces import METHODS

TEXT = (Path(__file__).parents[2] / "docs" / "rpc.md").read_text()
NAMESPACES = (
    "admin|anvil|bzz|db|debug|erigon|eth|evm|ganache|hardhat|miner|net|ots|personal|rpc|shh|tenderly|testing|trace|txpool"
    "|web3"
)
NAMED = re.compile(rf"`((?:{NAMESPACES})_\w+)`")
THERE, NOT_THERE = TEXT.split("## What is not there")
REFUSED = set(NAMED.findall(" ".join(re.findall(r"^\| (.*?) \|", NOT_THERE, re.MULTILINE))))
"""The first column."""


def test_every_method_is_in_the_documentation_and_every_documented_one_is_there() -> None:
    named = set(NAMED.findall(THERE))
    offered = {name for name in METHODS if not name.startswith(OWN_PREFIX)}
    assert named == offered


def test_every_method_of_other_nodes_is_here_or_in_the_list_of_what_is_not() -> None:
    named = json.loads((Path(__file__).parent / "known_methods.json").read_text())
    known = {name for listed in named.values() for name in listed.split()}
    assert known - METHODS.keys() - REFUSED == set()
    assert not REFUSED & METHODS.keys()
