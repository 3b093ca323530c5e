"""What a user can set: each setting once, with its default, its limits and its words."""

import re
from dataclasses import dataclass
from pathlib import Path

from chain.forks import CHAIN_FORKS, UnknownFork, fork_named
from consensus.leaders import MAX_TURNS, turns_of
from consensus.registry import LEADER_SCHEDULES, RULE_SETS
from execution.strategies import STRATEGIES
from node.errors import BadSetting
from node.remote.address import checked as checked_url
from storage.pruning import KEPT_HEIGHTS

DEFAULT_MNEMONIC = "test test test test test test test test test test test junk"
DEFAULT_CHAIN_ID, DEFAULT_GAS_LIMIT, DEFAULT_BASE_FEE = 31337, 30_000_000, 1_000_000_000
MAX_VALIDATORS, MAX_WORKERS, MAX_EXECUTORS, MAX_ACCOUNTS = 64, 64, 8, 1000
EVMS = ("compiled", "interpreter")
MAX_STAKE = 10**18
MIN_GAS_LIMIT = 5_000_000
FULL_HISTORY = "full"
LEAST_HISTORY, MOST_HISTORY = KEPT_HEIGHTS, 10**9
LOCAL_POOL = "local"
DASK_POOL = re.compile(r"dask://([^/\s]+:\d{1,5})/?")


@dataclass(frozen=True, slots=True)
class Settings:
    """One chain's settings. Balances in whole ETH, fees in wei, `block_time_ms` None for blocks when there is work.

    `chain_id`, `gas_limit` and `base_fee` are None where the defaults below hold, or on a fork the remote chain's own.
    `fork_url` is the remote's JSON-RPC server, `fork_block` the block to go on from, None for the newest.
    `history` is how many blocks' states are kept besides the newest one's, None for all.
    `stake` has one number for each validator, or none for a stake of 1 each. `genesis` is a genesis.json of geth.
    `artifacts` are folders that compilers write to. `allow_host` and `allow_origin` are as in rpc.access.
    A new chain begins with the state in the file `load_state`; `dump_state` is written when the chain ends.
    """

    host: str = "127.0.0.1"
    port: int = 8545
    chain_id: int | None = None
    validators: int = 4
    consensus: str = "hotstuff-2"
    stake: tuple[int, ...] = ()
    leaders: str = "weighted"
    executors: int = 1
    workers: int = 2
    pool: str = LOCAL_POOL
    block_time_ms: int | None = None
    data_dir: Path | None = None
    genesis: Path | None = None
    accounts: int = 10
    balance: int = 10_000
    mnemonic: str = DEFAULT_MNEMONIC
    gas_limit: int | None = None
    base_fee: int | None = None
    hardfork: str = "osaka"
    strategy: str = "optimistic"
    evm: str = "compiled"
    max_lag: int = 3
    history: int | None = None
    dev_api: bool = True
    console_log: bool = True
    check_serial: bool = False
    fork_url: str | None = None
    fork_block: int | None = None
    artifacts: tuple[Path, ...] = ()
    allow_host: tuple[str, ...] = ()
    allow_origin: tuple[str, ...] = ("*",)
    load_state: Path | None = None
    dump_state: Path | None = None
    log_level: str = "warning"
    json: bool = False
    quiet: bool = False

    def checked(self) -> "Settings":
        """Itself. Raises BadSetting for the first value out of range."""
        try:
            fork_named(self.hardfork, CHAIN_FORKS)
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
            ("gas_limit", MIN_GAS_LIMIT, 10**12),
            ("base_fee", 0, 10**18),
            ("max_lag", 1, 1000),
            ("fork_block", 0, 2**53 - 1),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadSetting(f"--{name.replace('_', '-')} {value} is out of range: give {low} to {high}")
        for name, known in (
            ("strategy", STRATEGIES),
            ("evm", EVMS),
            ("consensus", RULE_SETS),
            ("leaders", LEADER_SCHEDULES),
        ):
            value = getattr(self, name)
            if value not in known:
                raise BadSetting(f"unknown --{name} {value!r}: choose one of {', '.join(known)}")
        self._check_fork()
        if self.stake:
            _check_stake(self.stake, self.validators)
        if self.pool != LOCAL_POOL and DASK_POOL.fullmatch(self.pool) is None:
            raise BadSetting(f"--pool {self.pool} is not known: give local, or dask://HOST:PORT of a Dask scheduler")
        for site in self.allow_origin:
            if site not in ("*", "null") and _SITE.fullmatch(site) is None:
                raise BadSetting(
                    f"--allow-origin {site} is no site, so no page is of it: give its scheme and name, such as "
                    "http://localhost:3000, without a path, or * for all"
                )
        if self.load_state is not None:
            for name in ("genesis", "gas_limit", "base_fee"):
                if getattr(self, name) is not None and self.fork_url is None:
                    option = "--" + name.replace("_", "-")
                    raise BadSetting(f"{option} does not go with a loaded state, which decides it: leave {option} out")
        return self

    def _check_fork(self) -> None:
        """Raises BadSetting."""
        if self.fork_url is not None:
            checked_url(self.fork_url)
            if self.genesis is not None:
                raise BadSetting(f"--genesis {self.genesis} does not go with --fork-url: leave one of the two out")
            if self.base_fee is not None:
                raise BadSetting("--base-fee does not go with --fork-url: a fork goes on from the remote's base fee")
        elif self.fork_block is not None:
            raise BadSetting(f"--fork-block {self.fork_block} says nothing without --fork-url: give both, or neither")

    @property
    def dask_scheduler(self) -> str | None:
        """The address of the Dask scheduler whose workers run the transactions; None if the chain's own do."""
        match = DASK_POOL.fullmatch(self.pool)
        return None if match is None else f"tcp://{match[1]}"

    @property
    def stakes(self) -> tuple[int, ...]:
        """The stake of every validator."""
        return self.stake or (1,) * self.validators


def _check_stake(stake: tuple[int, ...], validators: int) -> None:
    """Raises BadSetting."""
    shown = stake_text(stake)
    if len(stake) != validators:
        raise BadSetting(
            f"--stake {shown} has {len(stake)} numbers for {validators} validators: "
            "give one for each, or leave --validators out"
        )
    for each in stake:
        if not 1 <= each <= MAX_STAKE:
            raise BadSetting(f"--stake {shown}: {each} is out of range: give each validator 1 to {MAX_STAKE}")
    if turns_of(stake) > MAX_TURNS:
        raise BadSetting(
            f"--stake {shown}: without their common divisor these sum up to {turns_of(stake)}, more than {MAX_TURNS}: "
            "give rounder numbers in about the same proportion"
        )


def stake_from(text: str) -> tuple[int, ...]:
    """The numbers of "40,30,20,10". Raises BadSetting."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if re.fullmatch(r"[+-]?\d{1,40}", part) is None:
            raise BadSetting(
                f"--stake {text}: {part!r} is not a whole number: give one for each validator, such as 40,30,20,10"
            )
    return tuple(int(part) for part in parts)


def stake_text(stake: tuple[int, ...]) -> str:
    """The stake as one writes it on the command line."""
    return ",".join(map(str, stake))


def history_from(text: str) -> int | None:
    """The blocks of "128", None of "full". Raises BadSetting."""
    if text == FULL_HISTORY:
        return None
    if re.fullmatch(r"\d{1,10}", text) is None or not LEAST_HISTORY <= int(text) <= MOST_HISTORY:
        raise BadSetting(
            f"--history {text} is not known: give {FULL_HISTORY}, or how many blocks' states to keep besides the "
            f"newest one's, {LEAST_HISTORY} to {MOST_HISTORY}"
        )
    return int(text)


_SITE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+/?")
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
