"""eth_getProof as geth answers it: shapes, the echo of keys, and refusals. That the proofs hold is shown end to end."""

from chain.keccak import keccak256
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, ETHER, TOKEN, TOKEN_CODE

TOKEN_JSON, NOBODY_JSON = data_json(TOKEN), "0x" + "99" * 20
ZEROS = "0x" + "00" * 32


async def test_an_account_is_given_with_the_nodes_that_prove_it(client: Client) -> None:
    assert await client.result("eth_getProof", data_json(ALICE), []) == {
        "address": data_json(ALICE),
        "accountProof": ["0xc0", "0xc1"],
        "balance": hex(10_000 * ETHER),
        "codeHash": data_json(keccak256(b"")),
        "nonce": "0x0",
        "storageHash": data_json(keccak256(b"storage")),
        "storageProof": [],
    }


async def test_a_key_of_32_bytes_comes_back_so_and_any_other_as_a_quantity(client: Client) -> None:
    full = "0x" + "00" * 31 + "01"
    answer = await client.result("eth_getProof", TOKEN_JSON, ["0x00", full, full[:2] + full[3:], "", "0X0a"], "latest")
    assert [slot["key"] for slot in answer["storageProof"]] == ["0x0", full, full, "0x0", "0xa"]
    assert [slot["value"] for slot in answer["storageProof"]] == ["0x2a", "0x0", "0x0", "0x2a", "0x0"]
    assert answer["storageProof"][0]["proof"] == ["0xc2"]
    assert answer["codeHash"] == data_json(keccak256(TOKEN_CODE))


async def test_an_account_that_is_not_there_has_zero_hashes(client: Client) -> None:
    answer = await client.result("eth_getProof", NOBODY_JSON, None, "earliest")
    assert (answer["codeHash"], answer["storageHash"], answer["nonce"], answer["balance"]) == (
        ZEROS,
        ZEROS,
        "0x0",
        "0x0",
    )


async def test_bad_keys_and_blocks_are_refused_in_geths_words(client: Client) -> None:
    async def refusal(*params: object) -> tuple[int, str]:
        return await client.error("eth_getProof", TOKEN_JSON, *params)

    many = ["0x0"] * 1025
    assert await refusal() == (-32602, "missing value for required argument 1")
    assert await refusal(many) == (-32602, "too many storage keys requested (max 1024, got 1025)")
    assert len((await client.result("eth_getProof", TOKEN_JSON, many[1:]))["storageProof"]) == 1024
    assert await refusal(["0x0", "0xgg"]) == (-32602, 'invalid hex in storage key: "0xgg"')
    long = "0x" + "0" * 65
    assert await refusal([long]) == (-32602, f'storage key too long (want at most 32 bytes): "{long}"')
    words = "invalid argument 1: json: cannot unmarshal number into Go value of type string"
    assert await refusal([1]) == (-32602, words)
    assert await refusal([], "0x5") == (-32000, "header not found")
    assert await refusal([], ZEROS) == (-32000, "header for hash not found")
