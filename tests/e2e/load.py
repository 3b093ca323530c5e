"""Accounts that send transfers whatever happens to the chain, and what must be true of them afterwards."""

import contextlib
import http.client
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account

from node.folder import open_folder
from tests.e2e.chain_process import ChainProcess, wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.replay import replayed_head
from tests.e2e.running_node import DEADLINE_S

EXPECTED_WORDS = ("already known", "nonce too low")
"""What a sender hears that sends again what was taken just before the process that took it died."""
BATCH = 500
LOOK_BACK = 12
"""A sender asks for the receipt of the transfer this many before its newest."""


@dataclass
class Load:
    """Accounts that send one transfer after the other, each until it is taken, whatever dies meanwhile."""

    url: str
    keys: list[str]
    recipient: str
    sent: list[str] = field(default_factory=list)
    """Also those whose sender heard no answer: they may have been taken."""
    admitted: list[str] = field(default_factory=list)
    receipts: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._threads = [threading.Thread(target=self._run, args=(key,), daemon=True) for key in self.keys]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def _run(self, key: str) -> None:
        account = Account.from_key(key)
        nonce = int(self._call("eth_getTransactionCount", account.address, "pending") or "0x0", 16)
        while not self.stopping.is_set():
            signed = account.sign_transaction(
                {
                    "chainId": 31337,
                    "nonce": nonce,
                    "gas": 21_000,
                    "maxFeePerGas": 10**11,
                    "maxPriorityFeePerGas": 10**9,
                    "to": self.recipient,
                    "value": 1,
                }
            )
            raw, hash = signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()
            self.sent.append(hash)
            if self._call("eth_sendRawTransaction", raw) is None:
                return
            self.admitted.append(hash)
            nonce += 1
            receipt = self._call("eth_getTransactionReceipt", self.admitted[-LOOK_BACK:][0])
            if receipt:
                self.receipts[receipt["transactionHash"]] = receipt["blockHash"]

    def _call(self, method: str, *params: str) -> Any:
        """The result, asking again while nobody answers; None once stopping."""
        while not self.stopping.is_set():
            try:
                with contextlib.closing(JsonRpc(self.url)) as rpc:
                    return rpc.call(method, *params) or ""
            except RpcError as error:
                if any(words in error.message for words in EXPECTED_WORDS):
                    return "taken before"
                self.failures.append(str(error))
                return None
            except (OSError, http.client.HTTPException):
                self.stopping.wait(0.01)
        return None


def check_all_settled(rpc: JsonRpc, load: Load) -> None:
    """Every admitted transfer is included or evicted with a reason, once, and every receipt seen is still there."""
    waiting = list(load.admitted)

    def settled() -> bool:
        waiting[:] = [hash for hash, status in statuses(rpc, waiting).items() if not is_settled(status)]
        return not waiting

    wait_until(settled, f"of {len(load.admitted)} admitted transactions all are included or evicted")
    for hash, block in load.receipts.items():
        receipt = rpc.call("eth_getTransactionReceipt", hash)
        assert receipt is not None, f"the receipt of {hash} was seen and is gone"
        assert receipt["blockHash"] == block
    balance = int(rpc.call("eth_getBalance", load.recipient, "latest"), 16)
    assert balance == sum(status["status"] == "included" for status in statuses(rpc, load.sent).values())


def check_nothing_is_lost(running: ChainProcess, load: Load, folder: Path) -> None:
    """All is settled, and the head is that of a serial replay."""
    with contextlib.closing(running.rpc()) as rpc:
        check_all_settled(rpc, load)
        number, hash = replayed_head(open_folder(folder).genesis, rpc)
        assert rpc.call("eth_getBlockByNumber", hex(number), False)["hash"] == hash


def statuses(rpc: JsonRpc, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(hashes), BATCH):
        batch = hashes[first : first + BATCH]
        answers = rpc.batch("tandem_getTransactionStatus", [[hash] for hash in batch])
        found |= dict(zip(batch, answers, strict=True))
    return found


def is_settled(status: dict[str, Any]) -> bool:
    return status["status"] == "included" or (status["status"] == "evicted" and bool(status["reason"]))


def height(rpc: JsonRpc) -> int:
    return int(rpc.call("eth_blockNumber"), 16)


def wait_for_blocks(running: ChainProcess, more: int) -> None:
    """Until so many more blocks were executed, whatever dies meanwhile."""
    wanted: int | None = None

    def reached() -> bool:
        nonlocal wanted
        try:
            with contextlib.closing(running.rpc()) as rpc:
                now = height(rpc)
        except (OSError, http.client.HTTPException):
            return False
        wanted = now + more if wanted is None else wanted
        return now >= wanted

    wait_until(reached, f"{more} more blocks")
