"""Builds the genesis of a new chain from its settings."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from chain.accounts import Account, AccountChange
from chain.fork_schedule import only
from chain.forks import fork_named
from chain.genesis import Forked, Genesis, ValidatorIdentity, first_header
from chain.keccak import keccak256
from chain.system_contracts import system_accounts
from chain.types import Address, Gas, Hash32, Wei
from node.accounts import DevelopmentAccount
from node.deployment_proxy import DEPLOYMENT_PROXY
from node.errors import BadSetting
from node.genesis_file import Start, start_from
from node.loaded_state import LoadedState
from node.remote.base import RemoteBase
from node.settings import DEFAULT_BASE_FEE, DEFAULT_CHAIN_ID, DEFAULT_GAS_LIMIT, MIN_GAS_LIMIT, Settings
from storage.roots import state_root

WEI_PER_ETH = 10**18
MOST_FORKED_GAS_LIMIT = 10**9


def new_genesis(
    settings: Settings,
    accounts: Sequence[DevelopmentAccount],
    validator_keys: Sequence[bytes],
    remote: RemoteBase | None = None,
    loaded: LoadedState | None = None,
    above: Sequence[AccountChange] = (),
) -> Genesis:
    """The genesis of now: funded development accounts, the fork's system contracts, the deployment proxy, validators
    with their stakes; on a fork on top of the remote chain's block, and on those the accounts `above`.

    With a genesis file its rules, its first block and its accounts, and nothing else: hashes would differ. With a
    loaded state that, and the block that it is of. Raises BadGenesisFile and BadSetting.
    """
    start = _start(settings, accounts, loaded)
    if remote is not None:
        start = _with_accounts(_forked(start, settings, remote), above)
    return Genesis(
        chain_id=start.chain_id,
        forks=start.forks,
        header=start.header,
        accounts=start.accounts,
        state=start.state,
        validators=tuple(
            ValidatorIdentity(key, stake, _beneficiary(key))
            for key, stake in zip(validator_keys, settings.stakes, strict=True)
        ),
        max_lag=settings.max_lag,
        rules=settings.consensus,
        leaders=settings.leaders,
        forked=None if remote is None else _forked_with(settings, remote),
        dev_api=settings.dev_api,
    )


def _start(settings: Settings, accounts: Sequence[DevelopmentAccount], loaded: LoadedState | None) -> Start:
    if loaded is not None:
        head = loaded.head
        header = replace(head.header, state_root=head.root)  # another one where operations changed the state after it
        return Start(head.chain_id, head.forks, header, (), loaded.checksum)
    return _new_start(settings, accounts) if settings.genesis is None else _start_of_file(settings, settings.genesis)


def _new_start(settings: Settings, accounts: Sequence[DevelopmentAccount]) -> Start:
    fork = fork_named(settings.hardfork)
    balance = Wei(settings.balance * WEI_PER_ETH)
    funded = tuple(AccountChange(account.address, Account(balance=balance), {}) for account in accounts)
    gas_limit = Gas(settings.gas_limit or DEFAULT_GAS_LIMIT)
    base_fee = Wei(DEFAULT_BASE_FEE if settings.base_fee is None else settings.base_fee)
    header = first_header(fork, int(time.time()), gas_limit, base_fee)
    here = (*system_accounts(fork), DEPLOYMENT_PROXY, *funded)
    return Start(settings.chain_id or DEFAULT_CHAIN_ID, only(fork), header, here)


def _forked(start: Start, settings: Settings, remote: RemoteBase) -> Start:
    """The start on top of the remote's block: what is the remote's already stays as it is, and what the rules do not
    need is the remote's to have.

    Development accounts keep their nonces, so that what they sent there cannot be sent here again, and lose the code
    that somebody may have given them with the keys that everybody knows (EIP-7702).
    """
    here = [
        replace(
            change,
            account=replace(change.account, nonce=remote.nonces.get(change.address, change.account.nonce)),
            clears_storage=True,
        )
        for change in start.accounts
        if change.address not in remote.contracts and change is not DEPLOYMENT_PROXY
    ]
    return Start(settings.chain_id or remote.chain_id, start.forks, remote.header, tuple(here))


def _with_accounts(start: Start, above: Sequence[AccountChange]) -> Start:
    there = {change.address for change in above}
    return replace(start, accounts=(*(each for each in start.accounts if each.address not in there), *above))


def _forked_with(settings: Settings, remote: RemoteBase) -> Forked:
    """The remote's gas limit, unless it is one that means "no limit": blocks must be run in reasonable time."""
    theirs = remote.header.gas_limit
    usable = theirs if MIN_GAS_LIMIT <= theirs <= MOST_FORKED_GAS_LIMIT else DEFAULT_GAS_LIMIT
    return Forked(remote.chain_id, Gas(settings.gas_limit or usable))


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


def first_block_hash(genesis: Genesis) -> Hash32:
    """The hash of the block that the genesis file describes, by which one sees that it is the right file."""
    root = state_root((change.address, change.account, change.slots) for change in genesis.accounts)
    return replace(genesis.header, state_root=root).hash()


def _beneficiary(public_key: bytes) -> Address:
    return Address(keccak256(b"beneficiary" + public_key)[12:])
