"""eth_config (EIP-7910): the rules in force, those that come next, and the last ones known."""

import zlib
from dataclasses import replace

from chain.fees import blob_schedule
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.genesis import Genesis
from chain.messages.storage import StoredBlock
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY_STORAGE,
    WITHDRAWAL_REQUESTS,
)
from chain.types import BlockNumber, Hash32
from rpc.methods import Node, method
from rpc.render import JsonObject, address_json

PRECOMPILES = (
    (0x01, "ECREC", Fork.FRONTIER),
    (0x02, "SHA256", Fork.FRONTIER),
    (0x03, "RIPEMD160", Fork.FRONTIER),
    (0x04, "ID", Fork.FRONTIER),
    (0x05, "MODEXP", Fork.BYZANTIUM),
    (0x06, "BN254_ADD", Fork.BYZANTIUM),
    (0x07, "BN254_MUL", Fork.BYZANTIUM),
    (0x08, "BN254_PAIRING", Fork.BYZANTIUM),
    (0x09, "BLAKE2F", Fork.ISTANBUL),
    (0x0A, "KZG_POINT_EVALUATION", Fork.CANCUN),
    (0x0B, "BLS12_G1ADD", Fork.PRAGUE),
    (0x0C, "BLS12_G1MSM", Fork.PRAGUE),
    (0x0D, "BLS12_G2ADD", Fork.PRAGUE),
    (0x0E, "BLS12_G2MSM", Fork.PRAGUE),
    (0x0F, "BLS12_PAIRING_CHECK", Fork.PRAGUE),
    (0x10, "BLS12_MAP_FP_TO_G1", Fork.PRAGUE),
    (0x11, "BLS12_MAP_FP2_TO_G2", Fork.PRAGUE),
    (0x100, "P256VERIFY", Fork.OSAKA),
)
SYSTEM_CONTRACTS = (
    ("BEACON_ROOTS_ADDRESS", BEACON_ROOTS.address, Fork.CANCUN),
    ("CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", CONSOLIDATION_REQUESTS.address, Fork.PRAGUE),
    ("HISTORY_STORAGE_ADDRESS", HISTORY_STORAGE.address, Fork.PRAGUE),
    ("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", WITHDRAWAL_REQUESTS.address, Fork.PRAGUE),
)


NEWEST = BlockNumber(2**63 - 1)
"""Later than any fork that has a block number."""


@method("eth_config")
async def config(node: Node) -> JsonObject:
    genesis, now = node.genesis, node.chain.head.header.timestamp
    first = await node.chain.existing_block(BlockNumber(0))
    times = sorted({since for since, _ in genesis.forks.by_time})
    coming = [since for since in times if since > now]
    passed = [since for since in times if since <= now]
    named = replace(genesis, chain_id=node.chain.chain_id)
    return {
        "current": _config(named, first, passed[-1] if passed else 0),
        "next": _config(named, first, coming[0]) if coming else None,
        "last": _config(named, first, coming[-1]) if coming else None,
    }


def _config(genesis: Genesis, first: StoredBlock, since: int) -> JsonObject:
    """The rules from that time on."""
    began = first.header.timestamp
    fork = genesis.forks.at(NEWEST, max(since, began))
    schedule = blob_schedule(fork)
    every = (*SYSTEM_CONTRACTS, ("DEPOSIT_CONTRACT_ADDRESS", genesis.forks.deposit_contract, Fork.PRAGUE))
    contracts = {name: address_json(address) for name, address, since_fork in every if fork >= since_fork}
    return {
        "activationTime": 0 if since <= began else since,
        "blobSchedule": {
            "target": schedule.target,
            "max": schedule.most,
            "baseFeeUpdateFraction": schedule.update_fraction,
        },
        "chainId": hex(genesis.chain_id),
        "forkId": f"0x{fork_id(genesis.forks, first.hash, began, since):08x}",
        "precompiles": {name: f"0x{number:040x}" for number, name, since_fork in PRECOMPILES if fork >= since_fork},
        "systemContracts": contracts,
    }


def fork_id(schedule: ForkSchedule, first: Hash32, began: int, time: int) -> int:
    """The checksum of block 0's hash and of every change of rules until then, each of 8 bytes (EIP-2124, EIP-6122)."""
    blocks = {since for since, _ in (*schedule.by_number, *schedule.glaciers) if since > 0}
    times = {since for since, _ in schedule.by_time if began < since <= time}
    checksum = zlib.crc32(first)
    for since in (*sorted(blocks), *sorted(times)):
        checksum = zlib.crc32(since.to_bytes(8, "big"), checksum)
    return checksum
