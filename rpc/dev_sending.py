"""Developer methods that send for anybody."""

from chain.operations import Impersonate
from rpc.dev_method import dev_method
from rpc.methods import Node
from rpc.sending import send_transaction, sender_of
from rpc.transaction_arguments import TransactionArguments, transaction_arguments


@dev_method("eth_sendUnsignedTransaction", takes=(transaction_arguments,))
async def send_unsigned_transaction(node: Node, wanted: TransactionArguments) -> str:
    """As eth_sendTransaction, for a sender who need not be impersonated: it is for this transaction alone."""
    sender = sender_of(node, wanted)
    if sender in node.wallet.accounts or node.chain.settings.impersonates(sender):
        return await send_transaction(node, wanted)
    await node.operator.execute(Impersonate(sender, allowed=True))
    try:
        return await send_transaction(node, wanted)
    finally:
        await node.operator.execute(Impersonate(sender, allowed=False))
