"""Developer methods that change accounts: balance, nonce, code and storage."""

from typing import Any

from chain.operations import SetAccount
from chain.types import Address, Wei
from rpc.dev_method import dev_method, number, small_number, word
from rpc.errors import InvalidParams
from rpc.methods import Node
from rpc.params import UINT64_LIMIT, address, data

MAX_CODE_BYTES = 384 * 1024
"""Far above what a contract may have, within what one operation holds."""


class CodeTooLarge(InvalidParams):
    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes of code: at most {MAX_CODE_BYTES} can be set")


def addresses(value: Any) -> tuple[Address, ...]:
    """One address, or several."""
    return tuple(map(address, value)) if isinstance(value, list) else (address(value),)


@dev_method(
    "anvil_setBalance", "hardhat_setBalance", "evm_setAccountBalance", "ganache_setBalance", takes=(address, number)
)
async def set_balance(node: Node, account: Address, balance: int) -> bool:
    await node.operator.execute(SetAccount(account, balance=Wei(balance)))
    return True


@dev_method("tenderly_setBalance", takes=(addresses, number))
async def set_balances(node: Node, accounts: tuple[Address, ...], balance: int) -> bool:
    for account in accounts:
        await node.operator.execute(SetAccount(account, balance=Wei(balance)))
    return True


@dev_method("anvil_addBalance", "hardhat_addBalance", "tenderly_addBalance", takes=(addresses, number))
async def add_balance(node: Node, accounts: tuple[Address, ...], amount: int) -> bool:
    for account in accounts:
        await node.operator.execute(SetAccount(account, added_balance=Wei(amount)))
    return True


@dev_method("anvil_setNonce", "hardhat_setNonce", "evm_setAccountNonce", takes=(address, small_number))
async def set_nonce(node: Node, account: Address, nonce: int) -> bool:
    if nonce == UINT64_LIMIT - 1:
        raise InvalidParams("the nonce has no successor (EIP-2681)")
    await node.operator.execute(SetAccount(account, nonce=nonce))
    return True


@dev_method("anvil_setCode", "hardhat_setCode", "evm_setAccountCode", takes=(address, data))
async def set_code(node: Node, account: Address, code: bytes) -> bool:
    if len(code) > MAX_CODE_BYTES:
        raise CodeTooLarge(len(code))
    await node.operator.execute(SetAccount(account, code=code))
    return True


@dev_method("anvil_setStorageAt", "hardhat_setStorageAt", takes=(address, number, word))
async def set_storage_at(node: Node, account: Address, slot: int, value: int) -> bool:
    await node.operator.execute(SetAccount(account, slots=((slot, value),)))
    return True


@dev_method("evm_setAccountStorageAt", takes=(address, number, number))
async def set_account_storage_at(node: Node, account: Address, slot: int, value: int) -> bool:
    """As ganache has it: fewer than 32 bytes stand for a number."""
    return await set_storage_at(node, account, slot, value)
