"""eth_getProof at every block of a chain, verified by the `trie` package against the headers' state roots."""

from typing import Any

import rlp
from trie import HexaryTrie
from web3 import Web3

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy, mined

HOLDERS = range(1, 40)
BALANCES_SLOT = 0
"""Of the token's variables, the mapping from holders to balances."""
ZEROS = "0x" + "00" * 32
NOBODY = "0x" + "99" * 20


def balance_key(holder: int) -> str:
    return f"0x{Web3.keccak(holder.to_bytes(32, 'big') + BALANCES_SLOT.to_bytes(32, 'big')).hex()}"


def data(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def proven(root: bytes, key: bytes, nodes: list[str]) -> bytes:
    """What the nodes prove to stand at the key; nothing if they prove that it is absent."""
    value: bytes = HexaryTrie.get_from_proof(root, Web3.keccak(key), [rlp.decode(data(node)) for node in nodes])
    return value


def verify(root: bytes, proof: dict[str, Any]) -> None:
    """Everything that the answer says is what its nodes prove under this root."""
    storage_root, code_hash = data(proof["storageHash"]), data(proof["codeHash"])
    is_there = proof["codeHash"] != ZEROS
    account = [int(proof["nonce"], 16), int(proof["balance"], 16), storage_root, code_hash]
    assert proven(root, data(proof["address"]), proof["accountProof"]) == (rlp.encode(account) if is_there else b"")
    for slot in proof["storageProof"]:
        value = int(slot["value"], 16)
        if is_there and storage_root != HexaryTrie({}).root_hash:
            in_trie = rlp.encode(value) if value else b""
            assert proven(storage_root, int(slot["key"], 16).to_bytes(32, "big"), slot["proof"]) == in_trie
        else:
            assert (value, slot["proof"]) == (0, [])


def test_proofs_of_accounts_and_slots_hold_at_every_block(w3: Web3, rpc: JsonRpc, node: Node) -> None:
    owner = Web3.to_checksum_address(node.addresses[0])
    token = deploy(w3, "Token", "Gold", "GLD", sender=owner)
    for holder in HOLDERS:
        to = Web3.to_checksum_address(f"0x{holder:040x}")
        mined(w3, token.functions.mint(to, 1000 + holder).transact({"from": owner}))
    keys = [balance_key(holder) for holder in (*HOLDERS, 10**6)]
    newest = w3.eth.block_number
    for number in range(newest + 1):
        root = bytes(w3.eth.get_block(number)["stateRoot"])
        proofs = [rpc.call("eth_getProof", at, keys, hex(number)) for at in (token.address.lower(), owner, NOBODY)]
        for proof in proofs:
            verify(root, proof)
        of_token, of_owner, of_nobody = proofs
        minted = [int(slot["value"], 16) for slot in of_token["storageProof"] if slot["value"] != "0x0"]
        assert minted == [1000 + holder for holder in HOLDERS][: max(number - (newest - len(HOLDERS)), 0)]
        assert int(of_owner["balance"], 16) == w3.eth.get_balance(owner, number)
        assert of_nobody["codeHash"] == of_nobody["storageHash"] == ZEROS
