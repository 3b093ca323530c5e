"""After the official chain is imported, the official requests get the official answers."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from chain.blocks import Block, decode_block
from chain.transactions import BLOB
from chain.types import ZERO_HASH
from rpc.namespaces import METHODS
from rpc.render import data_json, withdrawal_json
from tests.conformance.rpc_exchanges import CHAIN, GENESIS, Exchange, chain_blocks, differences, exchanges
from tests.e2e.chain_process import chain
from tests.e2e.command_line import tandem
from tests.e2e.json_rpc import JsonRpc

pytestmark = pytest.mark.e2e

EXCHANGES = exchanges()
AFTER_THE_MERGE = [decode_block(encoded) for encoded in chain_blocks()][36:]
WITHOUT_BLOBS = [block for block in AFTER_THE_MERGE if not any(raw[0] == BLOB for raw in block.transactions)]
"""What testing_buildBlockV1 builds."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonRpc]:
    folder = str(tmp_path_factory.mktemp("imported"))
    imported = tandem("import", str(CHAIN), "--genesis", str(GENESIS), "--data-dir", folder)
    assert imported.returncode == 0, imported.stderr
    with chain("--data-dir", folder) as running, contextlib.closing(running.rpc()) as client:
        yield client


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_a_request_is_answered_as_officially(client: JsonRpc, exchange: Exchange) -> None:
    assert differences(client, exchange) == []


def test_the_exchanges_are_all_there() -> None:
    assert len(EXCHANGES) == 232


def test_every_method_is_offered() -> None:
    asked = {method for exchange in EXCHANGES for method in exchange.methods}
    assert asked <= METHODS.keys()


@pytest.mark.parametrize("block", WITHOUT_BLOBS, ids=lambda block: block.header.number)
def test_a_block_built_of_a_blocks_transactions_leads_to_the_same_state(client: JsonRpc, block: Block) -> None:
    header = block.header
    attributes: dict[str, Any] = {
        "timestamp": hex(header.timestamp),
        "prevRandao": data_json(header.prev_randao),
        "suggestedFeeRecipient": data_json(header.beneficiary),
        "withdrawals": [withdrawal_json(withdrawal) for withdrawal in block.withdrawals or ()],
        "parentBeaconBlockRoot": data_json(header.parent_beacon_root or ZERO_HASH),
    }
    raws = [data_json(raw) for raw in block.transactions]
    built = client.call("testing_buildBlockV1", data_json(header.parent_hash), attributes, raws, "0x")
    payload = built["executionPayload"]
    assert payload["stateRoot"] == data_json(header.state_root)
    assert payload["receiptsRoot"] == data_json(header.receipts_root)
    assert payload["logsBloom"] == data_json(header.logs_bloom)
    assert (payload["gasUsed"], payload["blockNumber"]) == (hex(header.gas_used), hex(header.number))
    if header.requests_hash is not None:
        requests = [bytes.fromhex(request[2:]) for request in built["executionRequests"]]
        digests = b"".join(hashlib.sha256(request).digest() for request in requests)
        assert hashlib.sha256(digests).digest() == header.requests_hash


def test_some_of_these_blocks_have_withdrawals() -> None:
    assert any(block.withdrawals for block in WITHOUT_BLOBS)
