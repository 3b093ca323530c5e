"""The deployment proxy, against the transaction from which its address follows."""

from chain import rlp
from chain.keccak import keccak256
from chain.transactions import decode_transaction
from node.deployment_proxy import DEPLOYMENT_PROXY, PROXY_CODE
from node.genesis import new_genesis
from node.settings import Settings

CONSTRUCTOR = "604580600e600039806000f350fe"
PRESIGNED = bytes.fromhex(
    "f8a58085174876e800830186a08080b853" + CONSTRUCTOR + PROXY_CODE.hex() + "1ba0" + "22" * 32 + "a0" + "22" * 32
)


def test_the_presigned_transaction_of_this_bytecode_leads_to_this_address() -> None:
    deployment = decode_transaction(PRESIGNED)
    assert deployment.chain_id is None
    created = keccak256(rlp.encode([deployment.sender(), b""]))[12:]
    assert created == DEPLOYMENT_PROXY.address


def test_a_chain_of_its_own_begins_with_it() -> None:
    genesis = new_genesis(Settings(), (), [bytes(32)] * 4)
    assert DEPLOYMENT_PROXY in genesis.accounts
