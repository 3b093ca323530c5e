"""A developer's day with web3.py: deploy, mint, transfer, swap, look back, and be refused."""

import pytest
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError, ContractLogicError
from web3.logs import DISCARD
from web3.types import TxParams, Wei

from tests.contracts import artifact
from tests.e2e.accounts import ETHER, Purse
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import contract_at, deploy, mined, sign_and_send

FAR_FUTURE = 2**40


@pytest.fixture(scope="module")
def owner(node: Node) -> ChecksumAddress:
    return Web3.to_checksum_address(node.addresses[0])


@pytest.fixture
def token(w3: Web3, owner: ChecksumAddress) -> Contract:
    return deploy(w3, "Token", "Gold", "GLD", sender=owner)


def test_a_deployed_contract_has_the_code_solc_predicted(w3: Web3, owner: ChecksumAddress) -> None:
    counter = deploy(w3, "Counter", sender=owner)
    assert w3.eth.get_code(counter.address) == artifact("Counter").deployed_bytecode


def test_minted_tokens_show_in_balance_supply_and_event(w3: Web3, owner: ChecksumAddress, token: Contract) -> None:
    receipt = mined(w3, token.functions.mint(owner, 1000).transact({"from": owner}))
    assert token.functions.balanceOf(owner).call() == token.functions.totalSupply().call() == 1000
    [event] = token.events.Transfer().process_receipt(receipt)
    assert event["args"] == {"from": "0x" + 40 * "0", "to": owner, "value": 1000}


def test_fifty_accounts_pass_ether_and_tokens_around(
    w3: Web3, owner: ChecksumAddress, token: Contract, purse: Purse
) -> None:
    accounts = purse.accounts(50)
    minted = [token.functions.mint(account.address, 100).transact({"from": owner}) for account in accounts]
    for transaction_hash in minted:
        mined(w3, transaction_hash)
    sent: list[HexBytes] = []
    for index, (giver, taker) in enumerate(zip(accounts, accounts[1:] + accounts[:1], strict=True)):
        sent.append(sign_and_send(w3, giver, to=taker.address, value=index + 1))
        sent.append(sign_and_send(w3, giver, token.functions.transfer(taker.address, index + 1)))
    fees = {account.address: 0 for account in accounts}
    for transaction_hash in sent:
        receipt = mined(w3, transaction_hash)
        fees[receipt["from"]] += receipt["gasUsed"] * receipt["effectiveGasPrice"]
    for index, account in enumerate(accounts):
        received = index if index > 0 else 50
        assert token.functions.balanceOf(account.address).call() == 100 + received - (index + 1)
        expected = ETHER + received - (index + 1) - fees[account.address]
        assert w3.eth.get_balance(account.address) == expected


def test_a_pair_is_created_filled_swapped_and_emptied(w3: Web3, owner: ChecksumAddress) -> None:
    as_owner: TxParams = {"from": owner}
    factory = deploy(w3, "Factory", sender=owner)
    router = deploy(w3, "Router", factory.address, sender=owner)
    gold, iron = (deploy(w3, "Token", name, name, sender=owner) for name in ("Gold", "Iron"))
    for token in (gold, iron):
        mined(w3, token.functions.mint(owner, 10**9).transact(as_owner))
        mined(w3, token.functions.approve(router.address, 2**256 - 1).transact(as_owner))

    filled = router.functions.addLiquidity(gold.address, iron.address, 10**6, 4 * 10**6, owner, FAR_FUTURE)
    receipt = mined(w3, filled.transact(as_owner))
    [created] = factory.events.PairCreated().process_receipt(receipt, errors=DISCARD)
    pair = contract_at(w3, "Pair", created["args"]["pair"])
    assert pair.address == _create2_address(factory.address, gold.address, iron.address)
    assert pair.functions.balanceOf(owner).call() == 2 * 10**6 - 1000

    path = [gold.address, iron.address]
    bought = router.functions.getAmountsOut(10_000, path).call()[1]
    assert bought == 10_000 * 997 * 4 * 10**6 // (10**6 * 1000 + 10_000 * 997)
    swap = router.functions.swapExactTokensForTokens(10_000, bought, path, owner, FAR_FUTURE)
    receipt = mined(w3, swap.transact(as_owner))
    reserves = {gold.address: 10**6 + 10_000, iron.address: 4 * 10**6 - bought}
    in_order = [reserves[address] for address in (pair.functions.token0().call(), pair.functions.token1().call())]
    [sync] = pair.events.Sync().process_receipt(receipt, errors=DISCARD)
    assert list(sync["args"].values()) == pair.functions.getReserves().call()[:2] == in_order
    assert len(pair.events.Swap().process_receipt(receipt, errors=DISCARD)) == 1

    shares = pair.functions.balanceOf(owner).call()
    mined(w3, pair.functions.transfer(pair.address, shares).transact(as_owner))
    mined(w3, pair.functions.burn(owner).transact(as_owner))
    assert pair.functions.totalSupply().call() == 1000
    left = [token.functions.balanceOf(pair.address).call() for token in (gold, iron)]
    assert left == [-(-reserves[token.address] * 1000 // (2 * 10**6)) for token in (gold, iron)]


def test_a_swap_that_gives_too_little_is_refused_with_the_amounts(w3: Web3, owner: ChecksumAddress) -> None:
    factory = deploy(w3, "Factory", sender=owner)
    router = deploy(w3, "Router", factory.address, sender=owner)
    with pytest.raises(ContractCustomError) as caught:
        router.functions.getAmountsOut(1, [owner, router.address]).call()
    assert caught.value.data == _error_data(w3, "NoPair(address,address)", [owner, router.address])


def test_a_revert_reason_reaches_the_caller(w3: Web3, owner: ChecksumAddress, token: Contract) -> None:
    refuse = token.functions.refuse("not on a Sunday")
    for attempt in (refuse.call, refuse.estimate_gas, refuse.transact):
        with pytest.raises(ContractLogicError, match="execution reverted: not on a Sunday") as caught:
            attempt({"from": owner})
        assert caught.value.data == _error_data(w3, "Error(string)", ["not on a Sunday"])


def test_a_custom_error_reaches_the_caller(w3: Web3, owner: ChecksumAddress, token: Contract) -> None:
    expected = _error_data(w3, "ERC20InsufficientBalance(address,uint256,uint256)", [owner, 0, 7])
    overdraw = token.functions.transfer(token.address, 7)
    for attempt in (overdraw.call, overdraw.estimate_gas, overdraw.transact):
        with pytest.raises(ContractCustomError) as caught:
            attempt({"from": owner})
        assert caught.value.data == expected


def test_a_reverted_transaction_is_mined_with_status_0(w3: Web3, owner: ChecksumAddress, token: Contract) -> None:
    before = w3.eth.get_balance(owner)
    sent = token.functions.transfer(token.address, 7).transact({"from": owner, "gas": 100_000})
    receipt = mined(w3, sent, status=0)
    assert receipt["logs"] == []
    assert w3.eth.get_balance(owner) == before - receipt["gasUsed"] * receipt["effectiveGasPrice"]


def test_balances_code_and_storage_of_an_old_block_can_still_be_read(
    w3: Web3, owner: ChecksumAddress, purse: Purse
) -> None:
    account = purse.empty_account()
    blocks = [w3.eth.block_number]
    for _ in range(3):
        receipt = mined(w3, w3.eth.send_transaction({"from": owner, "to": account.address, "value": Wei(5)}))
        blocks.append(receipt["blockNumber"])
    assert [w3.eth.get_balance(account.address, block) for block in blocks] == [0, 5, 10, 15]

    counter = deploy(w3, "Counter", sender=owner)
    deployed_at = w3.eth.block_number
    receipts = [mined(w3, counter.functions.increment().transact({"from": owner})) for _ in range(2)]
    blocks = [deployed_at, *(receipt["blockNumber"] for receipt in receipts)]
    assert [counter.functions.value().call(block_identifier=block) for block in blocks] == [0, 1, 2]
    assert [int.from_bytes(w3.eth.get_storage_at(counter.address, 0, block)) for block in blocks] == [0, 1, 2]
    assert w3.eth.get_code(counter.address, deployed_at - 1) == b""


def test_the_opcode_that_osaka_added_runs(w3: Web3, owner: ChecksumAddress) -> None:
    clz = deploy(w3, "Clz", sender=owner)
    words = [0, 1, 0xFFFF, 1 << 255]
    assert [clz.functions.leadingZeros(word).call() for word in words] == [256, 255, 240, 0]
    mined(w3, clz.functions.store(1 << 200).transact({"from": owner}))
    assert clz.functions.last().call() == 55


def test_a_call_can_pretend_another_sender_value_and_state(w3: Web3, owner: ChecksumAddress, token: Contract) -> None:
    mined(w3, token.functions.mint(owner, 9).transact({"from": owner}))
    transfer = token.functions.transfer(token.address, 9)
    assert transfer.call({"from": owner}) is True
    with pytest.raises(ContractCustomError):
        transfer.call({"from": token.address})
    assert token.functions.balanceOf(owner).call() == 9


def _error_data(w3: Web3, signature: str, values: list[object]) -> str:
    types = [kind for kind in signature.rstrip(")").split("(")[1].split(",") if kind]
    return Web3.to_hex(Web3.keccak(text=signature)[:4] + w3.codec.encode(types, values))


def _create2_address(factory: str, *tokens: str) -> str:
    low, high = sorted(bytes.fromhex(token[2:]) for token in tokens)
    salt = Web3.keccak(low + high)
    digest = Web3.keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + Web3.keccak(artifact("Pair").bytecode))
    return Web3.to_checksum_address(digest[12:])
