"""eth_getProof: an account and some of its slots after a block, with the trie nodes that prove them (EIP-1186)."""

from typing import Any

from chain.messages.proofs import Proof, SlotProof
from chain.types import ZERO_HASH, Address
from rpc.errors import InvalidParams
from rpc.methods import Node, method, optional
from rpc.params import (
    BlockReference,
    BlockTag,
    InvalidValue,
    StorageKey,
    address,
    block_reference,
    storage_key,
    texts,
)
from rpc.pending_state import proof_at
from rpc.render import address_json, data_json, word_json

MAX_KEYS = 1_024
"""As geth has it."""


@method("eth_getProof", address, texts, optional(block_reference, BlockTag.LATEST))
async def get_proof(node: Node, account: Address, keys: list[str], block: BlockReference) -> dict[str, Any]:
    slots = _storage_keys(keys)
    proof = await proof_at(node, account, tuple([slot.number for slot in slots]), block)
    return proof_json(account, slots, proof)


def _storage_keys(keys: list[str]) -> list[StorageKey]:
    """Raises InvalidParams."""
    if len(keys) > MAX_KEYS:
        raise InvalidParams(f"too many storage keys requested (max {MAX_KEYS}, got {len(keys)})")
    try:
        return [storage_key(key) for key in keys]
    except InvalidValue as problem:
        raise InvalidParams(problem.text) from None


def proof_json(address: Address, keys: list[StorageKey], proof: Proof) -> dict[str, Any]:
    """An account that does not exist has zeros for its hashes, as geth answers, not the hashes of nothing."""
    is_there = not proof.account.is_empty
    return {
        "address": address_json(address),
        "accountProof": [data_json(node) for node in proof.nodes],
        "balance": hex(proof.account.balance),
        "codeHash": data_json(proof.account.code_hash if is_there else ZERO_HASH),
        "nonce": hex(proof.account.nonce),
        "storageHash": data_json(proof.storage_root if is_there else ZERO_HASH),
        "storageProof": [_slot_json(key, slot) for key, slot in zip(keys, proof.slots, strict=True)],
    }


def _slot_json(key: StorageKey, slot: SlotProof) -> dict[str, Any]:
    """A key that was given as 32 bytes comes back as such, any other as a quantity."""
    return {
        "key": word_json(key.number) if key.is_full else hex(key.number),
        "value": hex(slot.value),
        "proof": [data_json(node) for node in slot.nodes],
    }
