"""anvil_dumpState over pages of storage, and the operations that a loaded state is cut into."""

import gzip
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from chain.accounts import Account, AccountChange
from chain.codec import encode_message
from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.state_pages import AccountPart, ReadStatePage, StatePage
from chain.operations import LoadAccounts
from chain.types import ZERO_HASH, Address, Wei
from consensus.operation_queue import MAX_OPERATION_BYTES
from rpc import dev_dump
from rpc.anvil_content import AnvilContent
from rpc.dev_dump import OPERATION_ACCOUNTS, parts_of
from rpc.dev_state import MAX_CODE_BYTES
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import FakeChain

CODE = b"\x60\x01"
RICH, LARGE = Address(b"\x01" * 20), Address(b"\x02" * 20)
LARGE_ACCOUNT = Account(1, Wei(5), keccak256(CODE))
PAGES = {
    b"": StatePage(
        ZERO_HASH,
        (AccountPart(RICH, Account(0, Wei(2**200)), ()), AccountPart(LARGE, LARGE_ACCOUNT, ((1, 10), (2, 20)))),
        (CODE,),
        b"more",
    ),
    b"more": StatePage(ZERO_HASH, (AccountPart(LARGE, LARGE_ACCOUNT, ((3, 30),)),), (CODE,), b""),
}


@dataclass(slots=True)
class PagedStorage:
    """Storage whose whole state is PAGES."""

    behind: Any

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        if isinstance(message, ReadStatePage):
            return PAGES[message.after]
        answer: Message = await self.behind.request(message, timeout_s)
        return answer


@pytest.fixture
def paged(process: RpcProcess) -> None:
    object.__setattr__(process.node, "storage", PagedStorage(process.node.storage))


async def test_an_account_that_comes_in_parts_is_one_again(paged: None, client: Client, chain: FakeChain) -> None:
    answer = await client.result("anvil_dumpState")
    content = orjson.loads(gzip.decompress(bytes.fromhex(answer[2:])))
    words = {f"0x{slot:064x}": f"0x{10 * slot:064x}" for slot in (1, 2, 3)}
    assert content["accounts"] == {
        "0x" + "01" * 20: {"nonce": 0, "balance": hex(2**200), "code": "0x", "storage": {}},
        "0x" + "02" * 20: {"nonce": 1, "balance": "0x5", "code": "0x6001", "storage": words},
    }
    assert content["best_block_number"] == int(content["block"]["number"], 16) == chain.head.header.number


def test_a_base_fee_beyond_anvils_numbers_is_the_highest_of_them(chain: FakeChain) -> None:
    header = replace(chain.head.header, base_fee=Wei(2**70))
    content = orjson.loads(AnvilContent().json(header, chain.head.hash, None))
    assert content["block"]["basefee"] == 2**64 - 1
    assert int(content["blocks"][0]["header"]["baseFeePerGas"], 16) == 2**70


async def test_a_state_beyond_the_bound_is_not_gathered(
    paged: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_dump, "MAX_STATE_BYTES", 600)
    code, words = await client.error("anvil_dumpState")
    assert code == -32000
    assert "use tandem dump FILE and --load-state" in words


def change(number: int, slots: int = 0, code: int = 0) -> AccountChange:
    account = Account(number, Wei(2**255), keccak256(bytes(code)))
    return AccountChange(
        Address(number.to_bytes(20, "big")), account, {2**255 + n: 2**255 + n for n in range(slots)}, code=bytes(code)
    )


def test_operations_hold_every_value_once_and_none_is_too_large_for_consensus() -> None:
    given = [
        *map(change, range(2 * OPERATION_ACCOUNTS + 1)),
        change(10_001, slots=20_000, code=24_576),
        change(10_002, code=MAX_CODE_BYTES, slots=5),
        *[change(20_000 + n, slots=1_000, code=1_000) for n in range(9)],
    ]
    parts = list(parts_of(given))
    assert all(len(encode_message(LoadAccounts(part))) < MAX_OPERATION_BYTES for part in parts)
    assert all(len({each.address for each in part}) == len(part) <= OPERATION_ACCOUNTS for part in parts)
    codes = {each.address: each.code for part in parts for each in part if each.code is not None}
    slots: dict[Address, dict[int, int]] = {each.address: {} for each in given}
    for part in parts:
        for each in part:
            assert not slots[each.address].keys() & dict(each.slots).keys()
            slots[each.address].update(each.slots)
    assert codes == {each.address: each.code for each in given}
    assert slots == {each.address: each.slots for each in given}
    assert len(parts) < 20


RECORD = {"nonce": 0, "balance": "0x1", "code": "0x", "storage": {}}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"accounts": {"0x12": {}}}, "account 0x12 has no code"),
        ({"accounts": {"0x12": "x"}}, "account 0x12 is not an object"),
        ({"accounts": {"0x12": RECORD}}, '"0x12" is no address of 20 bytes'),
        ({"accounts": {"0x12": {**RECORD, "code": 5}}}, "code of account 0x12: 5 is not bytes in hex"),
        ({"accounts": {"0x12": {**RECORD, "balance": "z"}}}, 'balance of account 0x12: "z" is no number below 2**256'),
        ({"accounts": {"0x12": {**RECORD, "storage": []}}}, "storage of account 0x12: [] is not an object"),
        ({"accounts": {}, "block": 5}, "block is not an object"),
        ({"accounts": {}, "block": {"prevrandao": "zz"}}, 'prevrandao of block: "zz" is no number below 2**256'),
    ],
)
async def test_what_is_wrong_with_a_state_is_named(client: Client, state: dict[str, Any], words: str) -> None:
    refused = await client.error("anvil_loadState", "0x" + orjson.dumps(state).hex())
    assert refused == (-32602, f"Failed to decode state dump: {words}")
