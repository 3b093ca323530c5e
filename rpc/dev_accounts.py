"""Developer methods about senders and what they have sent: impersonation, dropping transactions; and about the node."""

from collections.abc import Sequence
from typing import Any

from chain.operations import DropTransactions, Impersonate, ImpersonateSignature, SetChainId, SetLogs
from chain.types import SIGNATURE_BYTES, Address, Hash32
from rpc.dev_method import dev_method, number, small_number
from rpc.environments import pending_fork
from rpc.errors import InvalidParams, MissingArgument
from rpc.fees import coming_base_fee, suggested_gas_price
from rpc.methods import Node, optional
from rpc.params import InvalidValue, address, boolean, data, hash32, text
from rpc.render import JsonObject, data_json


@dev_method("hardhat_impersonateAccount", "anvil_impersonateAccount", takes=(address,))
async def impersonate_account(node: Node, account: Address) -> bool:
    await node.operator.execute(Impersonate(account, allowed=True))
    return True


@dev_method("hardhat_stopImpersonatingAccount", "anvil_stopImpersonatingAccount", takes=(address,))
async def stop_impersonating_account(node: Node, account: Address) -> bool:
    """Whether it was impersonated."""
    there_was = account in node.chain.settings.impersonated
    await node.operator.execute(Impersonate(account, allowed=False))
    return there_was


def _signature_and_account(value: Any) -> tuple[bytes, Address | None]:
    """A signature, or as anvil takes them both in one list."""
    if not isinstance(value, list):
        return data(value), None
    if len(value) != 2:
        raise InvalidValue("give a signature and an address")
    return data(value[0]), address(value[1])


@dev_method("anvil_impersonateSignature", takes=(_signature_and_account, optional(address)))
async def impersonate_signature(node: Node, given: tuple[bytes, Address | None], second: Address | None) -> None:
    """ECRECOVER takes the signature for this account's from then on, whatever was signed; transactions do not."""
    signature, account = given[0], given[1] or second
    if account is None:
        raise MissingArgument(1)
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidParams(f"a signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}: r, s and 27 or 28")
    await node.operator.execute(ImpersonateSignature(signature, account))


@dev_method("evm_addAccount", takes=(address, optional(text, "")))
async def add_account(node: Node, account: Address, password: str) -> bool:
    """As ganache has it: an account without a key, for which eth_sendTransaction sends. Whether it was none before."""
    if account in node.wallet.accounts or account in node.chain.settings.impersonated:
        return False
    return await impersonate_account(node, account)


@dev_method("evm_removeAccount", takes=(address, optional(text, "")))
async def remove_account(node: Node, account: Address, password: str) -> bool:
    return await stop_impersonating_account(node, account)


@dev_method("anvil_autoImpersonateAccount", "hardhat_autoImpersonateAccount", takes=(boolean,))
async def auto_impersonate_account(node: Node, on: bool) -> None:
    await node.operator.execute(Impersonate(None, allowed=on))


@dev_method("hardhat_dropTransaction", takes=(hash32,))
async def hardhat_drop_transaction(node: Node, transaction: Hash32) -> bool:
    """Whether it waited."""
    return await anvil_drop_transaction(node, transaction) is not None


@dev_method("anvil_dropTransaction", takes=(hash32,))
async def anvil_drop_transaction(node: Node, transaction: Hash32) -> str | None:
    """Its hash if it waited."""
    if transaction not in node.admission.pool:
        return None
    await node.operator.execute(DropTransactions((transaction,)))
    return data_json(transaction)


@dev_method("anvil_dropAllTransactions", "hardhat_dropAllTransactions")
async def drop_all_transactions(node: Node) -> None:
    await drop_transactions(node, [transaction.hash for transaction in node.admission.pool])


@dev_method("anvil_removePoolTransactions", takes=(address,))
async def remove_pool_transactions(node: Node, sender: Address) -> None:
    await drop_transactions(node, [waiting.hash for waiting in node.admission.pool if waiting.sender == sender])


async def drop_transactions(node: Node, waiting: Sequence[Hash32]) -> None:
    if waiting:
        await node.operator.execute(DropTransactions(tuple(waiting)))


@dev_method("anvil_nodeInfo")
async def node_info(node: Node) -> JsonObject:
    """In anvil's form."""
    head = node.chain.head
    return {
        "currentBlockNumber": hex(head.header.number),
        "currentBlockTimestamp": head.header.timestamp,
        "currentBlockHash": data_json(head.hash),
        "hardFork": pending_fork(head.header, node.genesis).label,
        "transactionOrder": "fees",
        "environment": {
            "baseFee": hex(coming_base_fee(node)),
            "chainId": node.chain.chain_id,
            "gasLimit": hex(head.header.gas_limit),
            "gasPrice": hex(suggested_gas_price(node)),
        },
        "forkConfig": {
            "forkUrl": None if node.remote is None else node.remote.url,
            "forkBlockNumber": None if node.remote is None else node.genesis.header.number,
            "forkRetryBackoff": None,
        },
    }


@dev_method("anvil_getGenesisTime")
async def genesis_time(node: Node) -> int:
    return node.genesis.header.timestamp


@dev_method("hardhat_setLoggingEnabled", "anvil_setLoggingEnabled", takes=(boolean,))
async def set_logging_enabled(node: Node, on: bool) -> bool:
    """Whether the terminal is told of blocks and of what contracts log."""
    await node.operator.execute(SetLogs(on))
    return True


@dev_method("hardhat_setMinGasPrice", takes=(number,))
async def hardhat_set_min_gas_price(node: Node, price: int) -> bool:
    raise InvalidParams("hardhat_setMinGasPrice is not supported when EIP-1559 is active")


@dev_method("anvil_setMinGasPrice", takes=(number,))
async def anvil_set_min_gas_price(node: Node, price: int) -> bool:
    raise InvalidParams("anvil_setMinGasPrice is not supported when EIP-1559 is active")


@dev_method("anvil_setChainId", takes=(small_number,))
async def set_chain_id(node: Node, chain_id: int) -> None:
    """For the blocks to come, until anvil_reset.

    What waits is signed for the old id: kept, it would hold up its senders, whose next nonces come behind it.
    """
    if chain_id != node.chain.chain_id:
        await drop_all_transactions(node)
    await node.operator.execute(SetChainId(chain_id))
