"""Accounts nobody else uses, from a seed, with ether from the ten unlocked accounts."""

import itertools
import time
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import DEADLINE_S, Node

ETHER = 10**18
GWEI = 10**9


class Purse:
    """Makes fresh accounts and pays them from the node's unlocked accounts, which nothing else in the tests drains."""

    def __init__(self, node: Node, rpc: JsonRpc, seed: str) -> None:
        self._node = node
        self._rpc = rpc
        self._seed = seed
        self._numbers = itertools.count()

    def empty_account(self) -> LocalAccount:
        account: LocalAccount = Account.from_key(keccak(text=f"{self._seed}/{next(self._numbers)}"))
        return account

    def account(self, balance: int = ETHER) -> LocalAccount:
        return self.accounts(1, balance)[0]

    def accounts(self, count: int, balance: int = ETHER) -> list[LocalAccount]:
        """`count` accounts with `balance` wei each, paid by all the unlocked accounts alike."""
        fresh = [self.empty_account() for _ in range(count)]
        payers = self._node.addresses
        hashes: list[str] = []
        for start in range(0, count, len(payers)):
            # Each batch holds one payment of each payer: a node may work on the calls of a batch in any order.
            paid = fresh[start : start + len(payers)]
            payments = [
                [{"from": payer, "to": account.address, "value": hex(balance), "gas": hex(21000)}]
                for payer, account in zip(payers, paid, strict=False)
            ]
            hashes += self._rpc.batch("eth_sendTransaction", payments)
        for receipt in receipts_of(self._rpc, hashes):
            assert receipt["status"] == "0x1", receipt
        return fresh


def receipts_of(rpc: JsonRpc, hashes: list[str]) -> list[dict[str, Any]]:
    """The receipt of each transaction, asked for again until all are there or the deadline has passed."""
    found: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + DEADLINE_S
    while missing := [name for name in hashes if name not in found]:
        for start in range(0, len(missing), 500):
            chunk = missing[start : start + 500]
            answers = rpc.batch("eth_getTransactionReceipt", [[name] for name in chunk])
            found.update({name: receipt for name, receipt in zip(chunk, answers, strict=True) if receipt is not None})
        assert time.monotonic() < deadline, f"no receipt within {DEADLINE_S} s for {missing}"
    return [found[name] for name in hashes]
