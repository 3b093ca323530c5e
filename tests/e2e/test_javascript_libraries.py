"""viem, ethers 6 and 5, and web3.js: programs of many checks each, on one chain."""

import pytest

from tests.contracts import ARTIFACTS
from tests.e2e.accounts import ETHER, Purse
from tests.e2e.npm_packages import HERE, NpmPackages
from tests.e2e.running_node import Node

TOKEN = str(ARTIFACTS / "Token.json")

pytestmark = pytest.mark.usefixtures("tandem_only")


@pytest.mark.parametrize(("program", "checks"), [("viem_actions", 16), ("ethers_errors", 15), ("web3js", 9)])
def test_a_library_s_own_view_of_the_chain_holds(
    npm_packages: NpmPackages, node: Node, purse: Purse, program: str, checks: int
) -> None:
    key = "0x" + purse.account(10 * ETHER).key.hex()
    script = HERE / "javascript" / f"{program}.mjs"
    assert int(npm_packages.run_script(script, node.http_url, node.ws_url, key, TOKEN)) == checks


def test_viem_s_test_client_has_every_action(npm_packages: NpmPackages, node: Node) -> None:
    """As the last one: it resets the chain."""
    assert int(npm_packages.run_script(HERE / "javascript" / "viem_test_client.mjs", node.http_url)) == 18
