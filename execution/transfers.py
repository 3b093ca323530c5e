"""Plain transfers without the EVM: ether from one account to another that has no code.

They are half of what people send and gain nothing from a worker. Only the sure case runs here: any check that fails,
and anything that could run code, is the engine's, so that there is one place that decides and words a refusal.
"""

from chain.forks import Fork
from chain.intrinsic_gas import TX_GAS, max_gas
from chain.keccak import EMPTY_HASH
from chain.messages.execution import BlockEnvironment
from chain.transactions import BLOB, SET_CODE, Transaction
from chain.types import Address, Gas, Wei
from execution.outcome import Outcome, Reads, StateView, Writes

RESERVED_PREFIX = bytes(17)
"""Addresses below 2**24 are left to the engine: precompiled contracts have no code, and yet do something."""
MAX_NONCE = 2**64 - 1

_NO_READS = Reads()


def may_be_plain(transaction: Transaction) -> bool:
    """Whether the transaction itself asks for nothing but a transfer; its recipient may still have code."""
    return (
        not transaction.data
        and transaction.to is not None
        and not transaction.access_list
        and transaction.type not in (BLOB, SET_CODE)
        and not transaction.to.startswith(RESERVED_PREFIX)
    )


def run_transfer(
    transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
) -> Outcome | None:
    """What the engine would give for this transaction; None if it must say so itself.

    It runs on the final prefix, so that it records no reads. Raises Missing.
    """
    to = transaction.to
    if to is None or not may_be_plain(transaction) or environment.fork < Fork.SPURIOUS_DRAGON:
        return None
    account, recipient = view.account(sender), view.account(to)
    price = transaction.effective_gas_price(environment.base_fee)
    if (
        recipient.code_hash != EMPTY_HASH
        or account.code_hash != EMPTY_HASH
        or account.nonce != transaction.nonce
        or transaction.nonce >= MAX_NONCE
        or transaction.gas < TX_GAS
        or transaction.gas > (max_gas(environment.fork) or transaction.gas)
        or transaction.max_fee < environment.base_fee
        or transaction.max_priority_fee > transaction.max_fee
        or account.balance < transaction.value + transaction.gas * transaction.max_fee
    ):
        return None
    return _transfer(transaction, sender, to, price, environment.base_fee)


def reads_of_transfer(transaction: Transaction, sender: Address) -> Reads:
    """What a plain transfer depends on, for who asks after the block. Crediting an account depends on its code only."""
    to = transaction.to
    assert to is not None
    return Reads(
        nonces={sender: transaction.nonce},
        code_hashes={sender: EMPTY_HASH, to: EMPTY_HASH},
        minimums={sender: Wei(transaction.value + transaction.gas * transaction.max_fee)},
    )


def _transfer(transaction: Transaction, sender: Address, to: Address, price: Wei, base_fee: Wei) -> Outcome:
    balances = {sender: -TX_GAS * price}
    if transaction.value:
        balances[sender] -= transaction.value
        balances[to] = balances.get(to, 0) + transaction.value
    return Outcome(
        succeeded=True,
        gas_used=Gas(TX_GAS),
        gas_price=price,
        fee=Wei(TX_GAS * (price - base_fee)),
        logs=(),
        output=b"",
        error="",
        contract=None,
        reads=_NO_READS,
        writes=Writes(nonces={sender: transaction.nonce + 1}, balances=balances),
    )
