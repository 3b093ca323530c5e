"""What the terminal shows: a banner, a line a block, a line when something is wrong; or the same as JSON objects.

Processes print their own lines: one write of one line each, so that lines of different processes do not mix.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from chain.addresses import checksummed
from chain.console_log import ConsoleLogs
from chain.forks import Fork
from chain.messages.calls import CallMessage
from chain.messages.execution import BlockNews
from chain.messages.storage import ApplyBlock
from execution.assembly import ExecutedBlock
from node.accounts import DevelopmentAccount
from node.console_lines import block_console_facts, block_console_lines, call_console_facts, call_console_text
from node.folder import DataFolder
from node.settings import DEFAULT_MNEMONIC, Settings, stake_text

MAX_TRANSACTION_LINES = 5


class Output:
    """Prints for people, or for programs with `--json`. With `--quiet` only what is wrong.

    With `console_log` also what contracts log.
    """

    def __init__(self, *, json_lines: bool, quiet: bool, console_log: bool = True) -> None:
        self._json = json_lines
        self._quiet = quiet
        self._console_log = console_log

    def event(self, name: str, text: str, facts: Mapping[str, Any]) -> None:
        """Something that happened, unless quiet."""
        if self._json:
            self._line(sys.stdout, json.dumps({"event": name, **facts}))
        elif not self._quiet:
            self._line(sys.stdout, text)

    def trouble(self, text: str, **facts: Any) -> None:
        """Something that is wrong, on standard error, quiet or not."""
        if self._json:
            self._line(sys.stdout, json.dumps({"event": "trouble", "text": text, **facts}))
        else:
            self._line(sys.stderr, f"tandem: {text}")

    def block(self, news: BlockNews, executed: ExecutedBlock) -> None:
        """One line for an executed block, and one for each contract created or transaction failed, up to a few; and
        what its transactions logged."""
        block = executed.apply
        console = executed.console if self._console_log else ()
        failed = sum(not receipt.succeeded for receipt in block.receipts)
        facts = {
            "number": news.number,
            "hash": "0x" + news.hash.hex(),
            "transactions": len(news.included),
            "failed": failed,
            "leftOut": len(news.left_out),
            "gasUsed": news.gas_used,
            "lag": news.committed - news.height,
            "retries": news.retries,
            "strategy": news.strategy,
            "executionUs": news.execution_us,
        }
        lines = [_block_line(news, failed), *_transaction_lines(news, block)]
        if not self._json:
            lines += block_console_lines(console)
        self.event("block", "\n".join(lines), facts)
        for logged in block_console_facts(news.number, console) if self._json else ():
            self.event("console", "", logged)

    def call_logged(self, method: str, call: CallMessage, logs: ConsoleLogs) -> None:
        """What a call logged that no transaction stands for."""
        if self._console_log:
            self.event("console", call_console_text(method, call, logs), call_console_facts(method, call, logs))

    @staticmethod
    def _line(stream: Any, text: str) -> None:
        try:
            os.write(stream.fileno(), (text + "\n").encode())
        except OSError:  # nobody reads any more; the chain goes on
            return


def _transaction_lines(news: BlockNews, block: ApplyBlock) -> list[str]:
    lines: list[str] = []
    for hash, receipt in zip(news.included, block.receipts, strict=True):
        if not receipt.succeeded:
            lines.append(f"          0x{hash.hex()} failed after {receipt.gas_used:,} gas")
        elif receipt.contract is not None:
            lines.append(f"          0x{hash.hex()} created {checksummed(receipt.contract)}")
    if len(lines) > MAX_TRANSACTION_LINES:
        more = len(lines) - MAX_TRANSACTION_LINES
        return [*lines[:MAX_TRANSACTION_LINES], f"          and {more} more such transactions"]
    return lines


def _block_line(news: BlockNews, failed: int) -> str:
    used = 100 * news.gas_used / news.gas_limit
    parts = [
        time.strftime("%H:%M:%S"),
        f"block {news.number:<6}",
        f"{len(news.included):>4} tx",
        f"{news.gas_used:>11,} gas ({used:4.1f} %)",
        f"{news.execution_us / 1000:7.1f} ms",
        f"lag {news.committed - news.height}",
        f"retries {news.retries}",
    ]
    if failed:
        parts.append(f"failed {failed}")
    if news.left_out:
        parts.append(f"left out {len(news.left_out)}")
    return "  ".join(parts)


def ready_facts(
    settings: Settings, folder: DataFolder, port: int, processes: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """What a program needs of a chain that is ready."""
    return {
        "http": f"http://{reachable(settings.host)}:{port}",
        "ws": f"ws://{reachable(settings.host)}:{port}",
        "chainId": folder.genesis.chain_id,
        "notLoaded": folder.not_loaded,
        "dataDir": str(folder.path),
        **_forked_facts(folder),
        "processes": dict(processes),
        "accounts": account_facts(folder),
        "seconds": round(seconds, 3),
    }


def _forked_facts(folder: DataFolder) -> dict[str, Any]:
    if folder.fork is None:
        return {}
    point = folder.fork.point
    return {"forkedFrom": {"url": folder.fork.shown, "block": point.number, "hash": "0x" + point.hash.hex()}}


def reachable(host: str) -> str:
    """The host as it stands in an address to open: every address of the machine includes its own."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def account_facts(folder: DataFolder) -> list[dict[str, str]]:
    return [
        {"address": checksummed(account.address), "privateKey": "0x" + account.private_key.hex()}
        for account in folder.accounts
    ]


def _balance(folder: DataFolder, account: DevelopmentAccount) -> str:
    if folder.loaded_state is not None:
        return "as in the loaded state"
    return f"{folder.balance_at_genesis(account):,} ETH at genesis"


def account_lines(folder: DataFolder) -> list[str]:
    """The development accounts, and what else a wallet asks for."""
    genesis = folder.genesis
    has_some = folder.loaded_state is not None or any(map(folder.balance_at_genesis, folder.accounts))
    lines = _development_accounts(folder) if has_some else []
    lines += [f"Chain id    {genesis.chain_id}"]
    if folder.genesis.base.number:
        lines += [f"Begins      after block {genesis.base.number}, 0x{genesis.base.hash().hex()}"]
    if folder.not_loaded:
        lines += [f"Not taken   {folder.not_loaded} of the state file"]
    if genesis.next_fork(int(time.time())) < Fork.PARIS:
        lines += ["Read only   its rules are from before the merge, when miners made the blocks"]
    return [*lines, f"Hardfork    {genesis.forks.newest.label}", f"Gas limit   {genesis.gas_limit:,}"]


def _development_accounts(folder: DataFolder) -> list[str]:
    """A genesis file may give them nothing, and then there is nothing to show."""
    lines = ["Accounts", "========"]
    for i, account in enumerate(folder.accounts):
        lines.append(f"({i}) {checksummed(account.address)} ({_balance(folder, account)})")
    lines += ["", "Private keys", "============"]
    lines += [f"({i}) 0x{account.private_key.hex()}" for i, account in enumerate(folder.accounts)]
    if folder.mnemonic == DEFAULT_MNEMONIC:
        lines += ["", "These keys are known to everyone: never use them on a public chain."]
    return [*lines, "", f"Mnemonic    {folder.mnemonic}"]


def banner(settings: Settings, folder: DataFolder, port: int, processes: Mapping[str, int], seconds: float) -> str:
    """What people see when the chain is ready."""
    lines = ["", "Tandem: consensus orders blocks, execution follows in parallel", ""]
    lines += account_lines(folder)
    if folder.fork is not None:
        lines += [f"Forked      {folder.fork.shown} at block {folder.fork.point.number:,}"]
    lines += [f"Consensus   {_consensus(folder)}"]
    kept = "kept" if folder.durable else "temporary, removed at the end"
    lines += [f"Data        {folder.path} ({kept})"]
    lines += ["Processes   " + _wrapped([f"{name} {pid}" for name, pid in processes.items()], indent=12)]
    lines += ["", f"RPC         http://{reachable(settings.host)}:{port}"]
    lines += [f"WebSocket   ws://{reachable(settings.host)}:{port}"]
    lines += [f"Page        http://{reachable(settings.host)}:{port}/ in a browser: blocks, conflicts, hot variables"]
    lines += [f"Status      scripts/tandem status --port {port}"]
    return "\n".join([*lines, "", f"Ready in {seconds:.2f} s. Ctrl-C ends it.", ""])


def successor_line(
    settings: Settings, folder: DataFolder, port: int, processes: Mapping[str, int], seconds: float
) -> str:
    """What people see of a chain that took another one's place: its accounts and addresses are those shown before."""
    fork = folder.fork
    name = "another chain" if fork is None else f"a fork of {fork.shown} at block {fork.point.number:,}"
    return f"{time.strftime('%H:%M:%S')}  {name}, chain id {folder.genesis.chain_id}: {seconds:.2f} s"


def _consensus(folder: DataFolder) -> str:
    """The rule set, and the stakes unless they are equal."""
    genesis = folder.genesis
    stakes = tuple(identity.stake for identity in genesis.validators)
    if len(set(stakes)) == 1:
        return f"{genesis.rules}, {len(stakes)} validators"
    return f"{genesis.rules}, stake {stake_text(stakes)}, {genesis.leaders} leaders"


def _wrapped(items: list[str], indent: int, width: int = 100) -> str:
    rows: list[str] = [""]
    for item in items:
        if len(rows[-1]) + len(item) + 2 > width - indent:
            rows.append("")
        rows[-1] += (", " if rows[-1] else "") + item
    return (",\n" + " " * indent).join(rows)
