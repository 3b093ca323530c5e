"""Builds the genesis of a new chain from its settings."""

import time
from collections.abc import Sequence
from pathlib import Path

from chain.accounts import Account, AccountChange
from chain.fork_schedule import only
from chain.forks import fork_named
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.keccak import keccak256
from chain.system_contracts import system_accounts
from chain.types import Address, Gas, Wei
from node.accounts import DevelopmentAccount
from node.errors import BadSetting
from node.genesis_file import Start, start_from
from node.settings import Settings

WEI_PER_ETH = 10**18


def new_genesis(settings: Settings, accounts: Sequence[DevelopmentAccount], validator_keys: Sequence[bytes]) -> Genesis:
    """The genesis of now: funded development accounts, the fork's system contracts, validators with their stakes.

    With a genesis file its rules, its first block and its accounts, and nothing else: hashes would differ.
    Raises BadGenesisFile and BadSetting.
    """
    start = _new_start(settings, accounts) if settings.genesis is None else _start_of_file(settings, settings.genesis)
    return Genesis(
        chain_id=start.chain_id,
        forks=start.forks,
        header=start.header,
        accounts=start.accounts,
        validators=tuple(
            ValidatorIdentity(key, stake, _beneficiary(key))
            for key, stake in zip(validator_keys, settings.stakes, strict=True)
        ),
        max_lag=settings.max_lag,
        rules=settings.consensus,
        leaders=settings.leaders,
    )


def _new_start(settings: Settings, accounts: Sequence[DevelopmentAccount]) -> Start:
    fork = fork_named(settings.hardfork)
    balance = Wei(settings.balance * WEI_PER_ETH)
    funded = tuple(AccountChange(account.address, Account(balance=balance), {}) for account in accounts)
    header = first_header(fork, int(time.time()), Gas(settings.gas_limit), Wei(settings.base_fee))
    return Start(settings.chain_id, only(fork), header, (*system_accounts(fork), *funded))


def _start_of_file(settings: Settings, path: Path) -> Start:
    """Raises BadGenesisFile, and BadSetting for a setting that the file decides."""
    start, defaults = start_from(path), Settings()
    header, fork = start.header, start.forks.newest
    said = {
        "chain_id": start.chain_id,
        "hardfork": fork.label,
        "gas_limit": header.gas_limit,
        "base_fee": header.base_fee,
    }
    for name, has in (*said.items(), ("balance", defaults.balance)):
        asked = getattr(settings, name)
        if asked not in (has, getattr(defaults, name)):
            option = "--" + name.replace("_", "-")
            raise BadSetting(
                f"{option} {asked} does not go with --genesis {path}, which decides it: leave {option} out"
            )
    return start


def _beneficiary(public_key: bytes) -> Address:
    return Address(keccak256(b"beneficiary" + public_key)[12:])
