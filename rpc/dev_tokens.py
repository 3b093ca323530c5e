"""Developer methods that give out tokens: the slot that an ERC-20 answers from is found by asking it."""

from collections.abc import Iterator

from chain.keccak import keccak256
from chain.messages.calls import AccountOverride
from chain.operations import SetAccount
from chain.types import Address
from rpc.access_lists import create_access_list
from rpc.calls import run_call
from rpc.dev_method import dev_method, number
from rpc.errors import ServerError
from rpc.methods import Node
from rpc.overrides import NO_BLOCK_OVERRIDES
from rpc.params import BlockTag, address
from rpc.render import JsonObject, data_json
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

MAX_CANDIDATES = 64
"""Slots that are tried: a token reads a few for one answer."""


class NoSuchSlot(ServerError):
    def __init__(self, token: Address, function: str) -> None:
        super().__init__(f"no slot of {data_json(token)} is what {function} answers with")


@dev_method(
    "anvil_dealERC20",
    "hardhat_dealERC20",
    "anvil_setERC20Balance",
    "hardhat_setERC20Balance",
    takes=(address, address, number),
)
async def deal_erc20(node: Node, account: Address, token: Address, balance: int) -> None:
    """Give the account so many of the token's units."""
    await _set_answer(node, token, "balanceOf(address)", (account,), balance)


@dev_method("anvil_setERC20Allowance", "hardhat_setERC20Allowance", takes=(address, address, address, number))
async def set_erc20_allowance(node: Node, owner: Address, spender: Address, token: Address, amount: int) -> None:
    await _set_answer(node, token, "allowance(address,address)", (owner, spender), amount)


async def _set_answer(node: Node, token: Address, function: str, arguments: tuple[Address, ...], value: int) -> None:
    """Write the slot with which the function answers the value. Raises NoSuchSlot."""
    payload = keccak256(function.encode())[:4] + b"".join(argument.rjust(32, b"\0") for argument in arguments)
    asked = transaction_arguments({"to": data_json(token), "data": data_json(payload)})
    touched = await create_access_list(node, asked, BlockTag.LATEST, ())
    for tried, (holder, slot) in enumerate(_slots(touched)):
        if tried == MAX_CANDIDATES:
            break
        if await _answers(node, asked, holder, slot, value) and await _answers(node, asked, holder, slot, value ^ 1):
            await node.operator.execute(SetAccount(holder, slots=((slot, value),)))
            return
    raise NoSuchSlot(token, function)


def _slots(access_list: JsonObject) -> Iterator[tuple[Address, int]]:
    for entry in access_list["accessList"]:
        for key in entry["storageKeys"]:
            yield Address(bytes.fromhex(entry["address"][2:])), int(key, 16)


async def _answers(node: Node, asked: TransactionArguments, holder: Address, slot: int, value: int) -> bool:
    """Whether the call gives the value that the slot is pretended to hold."""
    pretended = AccountOverride(holder, slots={slot: value})
    try:
        _, outcome = await run_call(node, asked, BlockTag.LATEST, (pretended,), NO_BLOCK_OVERRIDES)
    except ServerError:
        return False
    return not outcome.error and outcome.output == value.to_bytes(32, "big")
