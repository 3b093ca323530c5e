"""What a user can set: each setting once, with its default, its limits and its words."""

import re
from dataclasses import dataclass
from pathlib import Path

from chain.forks import UnknownFork, fork_named
from node.errors import BadSetting

DEFAULT_MNEMONIC = "test test test test test test test test test test test junk"
MAX_VALIDATORS, MAX_WORKERS, MAX_EXECUTORS, MAX_ACCOUNTS = 64, 64, 8, 1000
STRATEGIES = ("optimistic", "serial")


@dataclass(frozen=True, slots=True)
class Settings:
    """One chain's settings. Balances in whole ETH, fees in wei, `block_time_ms` None for blocks when there is work."""

    host: str = "127.0.0.1"
    port: int = 8545
    chain_id: int = 31337
    validators: int = 4
    executors: int = 1
    workers: int = 2
    block_time_ms: int | None = None
    data_dir: Path | None = None
    accounts: int = 10
    balance: int = 10_000
    mnemonic: str = DEFAULT_MNEMONIC
    gas_limit: int = 30_000_000
    base_fee: int = 1_000_000_000
    hardfork: str = "prague"
    strategy: str = "optimistic"
    max_lag: int = 3
    check_serial: bool = False
    log_level: str = "warning"
    json: bool = False
    quiet: bool = False

    def checked(self) -> "Settings":
        """Itself. Raises BadSetting for the first value out of range."""
        try:
            fork_named(self.hardfork)
        except UnknownFork as error:
            raise BadSetting(str(error)) from error
        for name, low, high in (
            ("port", 0, 65_535),
            ("chain_id", 1, 2**53 - 1),
            ("validators", 1, MAX_VALIDATORS),
            ("executors", 1, MAX_EXECUTORS),
            ("workers", 0, MAX_WORKERS),
            ("accounts", 1, MAX_ACCOUNTS),
            ("balance", 0, 10**12),
            ("gas_limit", 5_000_000, 10**12),
            ("base_fee", 0, 10**18),
            ("max_lag", 1, 1000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadSetting(f"--{name.replace('_', '-')} {value} is out of range: give {low} to {high}")
        if self.strategy not in STRATEGIES:
            raise BadSetting(f"unknown strategy {self.strategy!r}: choose one of {', '.join(STRATEGIES)}")
        return self


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


def block_time_from(text: str) -> int | None:
    """Milliseconds of "auto" (None), "400ms" or "2s". Raises BadSetting."""
    if text == "auto":
        return None
    match = _DURATION.fullmatch(text)
    milliseconds = round(float(match[1]) * (1000 if match[2] == "s" else 1)) if match else 0
    if not 10 <= milliseconds <= 3_600_000:
        raise BadSetting(
            f"block time {text!r} is not known: give auto, or a number with ms or s, such as 400ms or 2s, 10ms to 3600s"
        )
    return milliseconds
