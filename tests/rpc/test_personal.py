"""personal_*: accounts with passwords; what they sign is held against eth_account."""

import asyncio

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from chain.types import Gas
from rpc import sending, wallet
from rpc.process import RpcProcess
from rpc.render import data_json
from rpc.wallet import AccountLocked, Wallet
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, KEYS
from tests.rpc.small_chain import turns

KEY = "0x" + "11" * 32
WHO = Account.from_key(KEY).address.lower()
MESSAGE = b"hello"
LOCKED = (-32000, "authentication needed: password or unlock")


async def test_an_imported_account_signs_while_it_is_unlocked(client: Client) -> None:
    assert await client.result("personal_importRawKey", KEY, "secret") == WHO
    assert (await client.result("personal_listAccounts"))[-1] == WHO
    signing = "eth_sign", WHO, data_json(MESSAGE)
    assert await client.error(*signing) == LOCKED
    wrong = await client.error("personal_unlockAccount", WHO, "guess")
    assert wrong == (-32000, "could not decrypt key with given password")
    assert await client.error(*signing) == LOCKED
    assert await client.result("personal_unlockAccount", WHO, "secret") is True
    signed = Account.sign_message(encode_defunct(MESSAGE), KEY).signature
    assert await client.result(*signing) == data_json(signed)
    assert await client.result("personal_ecRecover", data_json(MESSAGE), data_json(signed)) == WHO
    assert await client.result("personal_lockAccount", WHO) is True
    personally = "personal_sign", data_json(MESSAGE), WHO
    assert await client.error(*personally) == LOCKED
    assert await client.error(*personally, "guess") == wrong
    assert await client.result(*personally, "secret") == data_json(signed)
    assert await client.error(*signing) == LOCKED
    assert await client.error("personal_importRawKey", KEY, "other") == (-32000, "account already exists")


async def test_accounts_are_made_and_each_is_another(client: Client) -> None:
    made = {await client.result("personal_newAccount", "secret") for _ in range(3)}
    assert len(made) == 3
    assert set((await client.result("eth_accounts"))[len(KEYS) :]) == made


async def test_a_transaction_with_the_password_is_signed_by_an_account_that_stays_locked(client: Client) -> None:
    await client.result("personal_importRawKey", KEY[2:], "secret")
    fields = {"from": WHO, "to": data_json(ALICE), "gas": "0x5208", "gasPrice": "0x77359400", "nonce": "0x0"}
    answer = await client.result("personal_signTransaction", fields, "secret")
    assert Account.recover_transaction(answer["raw"]).lower() == WHO
    assert await client.error("eth_signTransaction", fields) == LOCKED
    assert (await client.error("personal_sendTransaction", fields, "guess"))[0] == -32000
    words = await client.error("personal_sendTransaction", fields, "secret")
    assert words[1].startswith("insufficient funds"), "it is signed, and nobody gave it anything"
    assert await client.error("eth_signTransaction", fields) == LOCKED


async def test_the_chain_s_own_accounts_have_no_password_and_stay_unlocked(client: Client) -> None:
    alice = data_json(ALICE)
    assert await client.result("personal_lockAccount", alice) is False
    assert await client.result("personal_unlockAccount", alice, "any", 1) is True
    await client.result("eth_sign", alice, "0x00")
    nobody = "0x" + "99" * 20
    assert await client.error("personal_unlockAccount", nobody, "") == (-32000, "unknown account")
    assert await client.error("personal_lockAccount", nobody) == (-32000, "unknown account")


@pytest.mark.parametrize("key", ["0x11", "0x" + "00" * 32, "0x" + "ff" * 32, "zz" * 32])
async def test_what_is_no_private_key_is_refused(client: Client, key: str) -> None:
    code, words = await client.error("personal_importRawKey", key, "secret")
    assert code == -32602
    assert "private key" in words
    assert key not in words


@pytest.mark.parametrize(
    ("signed", "code", "words"),
    [
        ("0x" + "11" * 64 + "01", -32000, "invalid Ethereum signature (V is not 27 or 28)"),
        ("0x" + "00" * 64 + "1b", -32602, ""),
        ("0x1b", -32602, ""),
    ],
)
async def test_what_is_no_signature_has_no_signer(client: Client, signed: str, code: int, words: str) -> None:
    told = await client.error("personal_ecRecover", "0x00", signed)
    assert told[0] == code
    assert words in told[1]


async def test_an_account_locks_itself_again() -> None:
    now = 1_000.0
    accounts = Wallet((), clock=lambda: now)
    account = accounts.add(bytes.fromhex(KEY[2:]), "secret")
    accounts.unlock(account, "secret", 300)
    accounts.sign_text(account, MESSAGE)
    now += 300
    with pytest.raises(AccountLocked):
        accounts.sign_text(account, MESSAGE)


async def test_accounts_are_bounded(process: RpcProcess, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallet, "MAX_ACCOUNTS", len(KEYS) + 1)
    await client.result("personal_newAccount", "")
    words = (await client.error("personal_newAccount", ""))[1]
    assert words == "there are 4 accounts: no more are kept here"


async def test_a_transaction_with_the_password_opens_the_account_for_nobody_else(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimated = asyncio.Event()

    async def estimate(*_: object, **named: object) -> Gas:
        await estimated.wait()
        return Gas(21_000)

    monkeypatch.setattr(sending, "estimate_gas", estimate)
    await client.result("personal_importRawKey", KEY, "secret")
    fields = {"from": WHO, "to": data_json(ALICE)}
    sent = [asyncio.ensure_future(client.ask("personal_sendTransaction", fields, "secret")) for _ in range(2)]
    await turns()
    assert not any(one.done() for one in sent), "their gas is being estimated"
    assert await client.error("eth_sign", WHO, "0x00") == LOCKED
    assert await client.result("personal_lockAccount", WHO) is True
    estimated.set()
    for answer in await asyncio.gather(*sent):
        assert answer["error"]["message"].startswith("insufficient funds")
    assert await client.error("eth_sign", WHO, "0x00") == LOCKED


async def test_a_password_has_a_limited_length(client: Client) -> None:
    assert (await client.result("personal_newAccount", "x" * 1_024)).startswith("0x")
    for method, *before in (("personal_newAccount",), ("personal_importRawKey", KEY)):
        code, words = await client.error(method, *before, "x" * 1_025)
        assert (code, words.split(": ", 1)[1]) == (
            -32602,
            "a password has at most 1024 characters: this one has 1025",
        )
