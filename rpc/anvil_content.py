"""A state in anvil's form: what anvil_dumpState answers, and what is written of a fork."""

from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from chain.accounts import WITHOUT_CODE
from chain.anvil_state import account_record
from chain.genesis import Genesis
from chain.headers import Header
from chain.keccak import keccak256
from chain.messages.state_pages import StatePage
from chain.types import BlockNumber, Hash32
from rpc.params import UINT64_LIMIT
from rpc.render import JsonObject, data_json, header_json

ForkedAt: TypeAlias = tuple[BlockNumber, Hash32]
JSON_ACCOUNT_BYTES, JSON_SLOT_BYTES = 160, 140


def forked_at(genesis: Genesis) -> ForkedAt | None:
    """The block of the remote after which a fork goes on."""
    header = genesis.header
    return None if genesis.forked is None else (header.number, header.hash())


@dataclass(slots=True)
class AnvilContent:
    """The accounts so far, and about how many bytes of JSON they take."""

    accounts: dict[str, JsonObject] = field(default_factory=dict)
    size: int = 0
    codes: set[Hash32] = field(default_factory=set)
    slots: int = 0

    def add(self, page: StatePage) -> None:
        codes = {keccak256(code): code for code in page.codes}
        self.codes |= codes.keys()
        for part in page.accounts:
            code = b"" if part.account.code_hash in WITHOUT_CODE else codes[part.account.code_hash]
            record = account_record(part.account, code, dict(part.slots))
            known = self.accounts.setdefault(data_json(part.address), record)
            if known is not record:
                known["storage"].update(record["storage"])
            self.slots += len(part.slots)
            self.size += JSON_ACCOUNT_BYTES + 2 * len(code) + JSON_SLOT_BYTES * len(part.slots)

    def json(self, header: Header, block_hash: Hash32, forked: ForkedAt | None) -> bytes:
        """With the block that it is the state of, and the block of the remote that a fork went on from, which anvil
        does not write. A base fee beyond the 64 bits that anvil has for it is the highest there is.
        """
        content = {
            "block": {
                "number": hex(header.number),
                "beneficiary": data_json(header.beneficiary),
                "timestamp": hex(header.timestamp),
                "gas_limit": header.gas_limit,
                "basefee": min(header.base_fee or 0, UINT64_LIMIT - 1),
                "difficulty": hex(header.difficulty),
                "prevrandao": data_json(header.prev_randao),
                "blob_excess_gas_and_price": {"excess_blob_gas": header.excess_blob_gas or 0, "blob_gasprice": 1},
            },
            "accounts": self.accounts,
            "best_block_number": header.number,
            "blocks": [{"header": header_json(header, block_hash), "transactions": [], "ommers": []}],
            "transactions": [],
            "historical_states": None,
        }
        if forked is not None:
            content["fork"] = {"blockNumber": forked[0], "blockHash": data_json(forked[1])}
        return orjson.dumps(content)
