"""Builds the genesis of a new chain from its settings."""

import time
from collections.abc import Sequence

from chain.accounts import Account, AccountChange
from chain.fork_schedule import only
from chain.forks import fork_named
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.keccak import keccak256
from chain.system_contracts import system_accounts
from chain.types import Address, Gas, Wei
from node.accounts import DevelopmentAccount
from node.settings import Settings

WEI_PER_ETH = 10**18


def new_genesis(settings: Settings, accounts: Sequence[DevelopmentAccount], validator_keys: Sequence[bytes]) -> Genesis:
    """The genesis of now: funded development accounts, the fork's system contracts, validators with their stakes."""
    fork = fork_named(settings.hardfork)
    balance = Wei(settings.balance * WEI_PER_ETH)
    funded = tuple(AccountChange(account.address, Account(balance=balance), {}) for account in accounts)
    return Genesis(
        chain_id=settings.chain_id,
        forks=only(fork),
        header=first_header(fork, int(time.time()), Gas(settings.gas_limit), Wei(settings.base_fee)),
        accounts=(*system_accounts(fork), *funded),
        validators=tuple(
            ValidatorIdentity(key, stake, _beneficiary(key))
            for key, stake in zip(validator_keys, settings.stakes, strict=True)
        ),
        max_lag=settings.max_lag,
        rules=settings.consensus,
        leaders=settings.leaders,
    )


def _beneficiary(public_key: bytes) -> Address:
    return Address(keccak256(b"beneficiary" + public_key)[12:])
