"""The data folder: what lies where, who may use it, and whether it fits the settings.

chain.json               format, chain id and the accounts' mnemonic, for people and for the next start
genesis                  the genesis, encoded; its hash names the chain
lock                     held by the supervisor that runs this chain
validator-N/key          32 secret bytes, readable by the owner only
validator-N/db           the validator's safety data, proposals and mempool
storage-N                state, blocks and receipts of executor N
imported-N               imported blocks up to block N, which every executor's storage begins with a copy of
contracts.json           contracts registered by tandem_registerContract
fork.json                on a fork: the URL of the remote chain, and the block of it that this one goes on from
executors.json           executors found wrong, whose storage is not used any more
state                    the state that the chain began with, if that was loaded: every new storage takes it in
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from chain.codec import MessageError, decode_value, encode_value
from chain.genesis import Genesis
from consensus.signatures import Ed25519Signer
from node.accounts import DevelopmentAccount, development_accounts
from node.anvil_state import StateAbove, named_state, read_state_above
from node.errors import BadDataFolder, BadSetting
from node.genesis import WEI_PER_ETH, new_genesis
from node.genesis_file import Start, see_contracts_of, start_from
from node.loaded_state import source_checksum, take_in
from node.remote.base import RemoteBase
from node.remote.source import FILE as FORK_FILE
from node.remote.source import ForkSource, read_source
from node.settings import Settings, stake_text

FORMAT = 10
KEY_BYTES = 32
LOCK = "lock"
STATE = "state"
_HALF_MADE = re.compile(r"genesis|fork.json|state|validator-\d+|.*\.partial")
"""What a folder holds whose making was cut off: `chain.json` is written last, databases come later."""
BORN_WITH = (
    "chain_id",
    "stake",
    "validators",
    "consensus",
    "leaders",
    "hardfork",
    "max_lag",
    "gas_limit",
    "base_fee",
    "mnemonic",
    "accounts",
    "balance",
)
"""Settings that a chain keeps for all its life."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder with a chain in it. `durable` is False for a temporary one, which need not survive a loss of power."""

    path: Path
    genesis: Genesis
    mnemonic: str
    accounts: tuple[DevelopmentAccount, ...]
    durable: bool
    fork: ForkSource | None = None
    not_loaded: str = ""
    """In words, what of the state file that this new chain was made from was not taken."""

    @property
    def loaded_state(self) -> Path | None:
        """The file with the state that the chain began with, if that was loaded."""
        return None if self.genesis.state is None else self.path / STATE

    def balance_at_genesis(self, account: DevelopmentAccount) -> int:
        """In whole ETH."""
        changes = (change for change in self.genesis.accounts if change.address == account.address)
        return sum(change.account.balance for change in changes) // WEI_PER_ETH

    def storage(self, executor: int) -> Path:
        return self.path / f"storage-{executor}"

    def validator_store(self, index: int) -> Path:
        return self.path / f"validator-{index}" / "db"

    def validator_key(self, index: int) -> bytes:
        """The validator's 32 secret bytes. Raises BadDataFolder."""
        path = self.path / f"validator-{index}" / "key"
        key = _read(path)
        if len(key) != KEY_BYTES:
            raise BadDataFolder(f"{path} is damaged: put back a copy, or start anew in another folder")
        return key


def temporary(path: Path, settings: Settings) -> DataFolder:
    """A new chain in a folder that goes when the chain ends."""
    return create(made(path), settings, durable=False)


def reopened(path: Path) -> DataFolder:
    """A new chain that another process made with `temporary`. Raises BadDataFolder."""
    return replace(open_folder(path), durable=False)


def create_or_open(path: Path, settings: Settings, *, imports: bool = False) -> DataFolder:
    """The chain in the folder, made from the settings if there is none yet. Raises BadDataFolder."""
    if _holds_a_chain(path):
        return open_folder(path, settings)
    return create(path, settings, durable=True, imports=imports)


def _holds_a_chain(path: Path) -> bool:
    """Raises BadDataFolder if the folder cannot be used, or holds something else."""
    try:
        names = sorted(entry.name for entry in made(path).iterdir() if entry.name != LOCK)
    except OSError as error:
        raise BadDataFolder(
            f"cannot use the data folder {path}: {error.strerror}; mend that, or give another --data-dir"
        ) from error
    if names and "chain.json" not in names and not all(map(_HALF_MADE.fullmatch, names)):
        raise BadDataFolder(
            f"{path} is not empty and holds no chain ({names[0]} is there): give an empty or new folder as --data-dir"
        )
    return "chain.json" in names


def made(path: Path) -> Path:
    """The folder, which is there now. Raises BadDataFolder."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise BadDataFolder(f"the data folder {path} is a file: give another --data-dir") from error
    except OSError as error:
        raise BadDataFolder(
            f"cannot make the data folder {path}: {error.strerror}; mend that, or give another --data-dir"
        ) from error
    return path


def create(path: Path, settings: Settings, *, durable: bool, imports: bool = False) -> DataFolder:
    """A new chain in an empty folder; `chain.json` is written last, so a half-made folder is not taken for one.

    `imports`: its first blocks are another client's, and may deploy what its later forks need.
    """
    accounts = development_accounts(settings.mnemonic, settings.accounts)
    above = _state_above(settings)
    remote = _remote_base(settings, accounts, None if above is None else above.number)
    if above is not None and remote is not None and settings.load_state is not None:
        above.check(settings.load_state, remote.point.number, remote.point.hash)
    fork = None if remote is None or settings.fork_url is None else ForkSource(settings.fork_url, remote.point)
    try:
        keys = [os.urandom(KEY_BYTES) for _ in range(settings.validators)]
        for index, key in enumerate(keys):
            (path / f"validator-{index}").mkdir(exist_ok=True)
            write_whole(path / f"validator-{index}" / "key", key)
        loaded = None if settings.load_state is None or above else take_in(settings.load_state, path / STATE, settings)
        public_keys = [Ed25519Signer(key).public_key for key in keys]
        genesis = new_genesis(settings, accounts, public_keys, remote, loaded, above.accounts if above else ())
        if settings.genesis is not None and not imports:
            see_contracts_of(genesis.forks.newest, genesis.accounts, settings.genesis)
        write_whole(path / "genesis", encode_value(genesis))
        if fork is not None:
            write_whole(path / FORK_FILE, fork.encode())
        about = {
            "format": FORMAT,
            "chainId": genesis.chain_id,
            "genesis": "0x" + genesis.id().hex(),
            "mnemonic": settings.mnemonic,
            "accounts": settings.accounts,
            "balance": settings.balance,
            "loaded": None if settings.load_state is None else "0x" + source_checksum(settings.load_state).hex(),
        }
        write_whole(path / "chain.json", json.dumps(about, indent=2).encode() + b"\n")
    except OSError as error:
        raise BadDataFolder(
            f"cannot write to the data folder {path}: {error.strerror}; mend that, or give another --data-dir"
        ) from error
    left = next((taken.left for taken in (loaded, above) if taken is not None), "")
    return DataFolder(path, genesis, settings.mnemonic, accounts, durable, fork, left)


def _state_above(settings: Settings) -> StateAbove | None:
    """What a fork begins with besides the remote's state. Raises BadStateFile, BadSetting."""
    if settings.fork_url is None or settings.load_state is None:
        return None
    return read_state_above(named_state(settings.load_state))


def _remote_base(settings: Settings, accounts: Sequence[DevelopmentAccount], made_on: int | None) -> RemoteBase | None:
    """What a fork begins with, after the block that is asked for or that its state was `made_on`; None for a chain of
    its own. Raises BadRemote, BadSetting.
    """
    if settings.fork_url is None:
        return None
    from node.remote.start import examine  # an HTTP client that only forks need

    number = made_on if settings.fork_block is None else settings.fork_block
    return examine(settings.fork_url, number, [account.address for account in accounts])


def open_folder(path: Path, settings: Settings | None = None) -> DataFolder:
    """The chain in the folder. Raises BadDataFolder if it is damaged, newer, or does not fit the settings given."""
    about = _read_about(path)
    try:
        genesis = decode_value(Genesis, _read(path / "genesis"))
    except MessageError as error:
        raise BadDataFolder(
            f"{path / 'genesis'} is damaged: put back a copy, or start anew in another folder"
        ) from error
    if "0x" + replace(genesis, head=None).id().hex() != about.get("genesis"):
        raise BadDataFolder(f"{path / 'genesis'} does not belong to {path / 'chain.json'}: put back a matching copy")
    if settings is not None:
        _check_fit(path, settings, genesis, about)
    mnemonic = str(about["mnemonic"])
    try:
        Settings(accounts=int(about["accounts"])).checked()
        accounts = development_accounts(mnemonic, int(about["accounts"]))
    except BadSetting as error:
        raise BadDataFolder(
            f"{path / 'chain.json'} is damaged ({error}): put back a copy, or give another --data-dir"
        ) from error
    return DataFolder(path, genesis, mnemonic, accounts, durable=True, fork=_fork_in(path, genesis, settings))


def _fork_in(path: Path, genesis: Genesis, settings: Settings | None) -> ForkSource | None:
    """Where the chain in the folder was forked from; another URL that leads there takes the place of the one before.

    Raises BadDataFolder, BadRemote.
    """
    url, number = (None, None) if settings is None else (settings.fork_url, settings.fork_block)
    if genesis.forked is None:
        if url is not None:
            raise BadDataFolder(
                f"{path} holds a chain that is no fork: leave --fork-url out, or give another --data-dir"
            )
        return None
    source = read_source(path)
    if number not in (None, source.point.number):
        raise BadDataFolder(
            f"{path} holds a fork of block {source.point.number}, not {number}: "
            "leave --fork-block out, or give another --data-dir"
        )
    if url is None or url == source.url:
        return source
    from node.remote.start import see_that_it_is

    see_that_it_is(url, source.point)
    source = ForkSource(url, source.point)
    try:
        write_whole(path / FORK_FILE, source.encode())
    except OSError as error:
        raise BadDataFolder(f"cannot write to the data folder {path}: {error.strerror}; mend that") from error
    return source


def lock(path: Path) -> IO[bytes]:
    """Holds the folder for this process until the file is closed. Raises BadDataFolder if another chain runs in it."""
    _holds_a_chain(path)
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(open(path / LOCK, "ab"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadDataFolder(f"another Tandem runs in {path}: stop it, or give another --data-dir") from None
        except OSError as error:
            raise BadDataFolder(
                f"cannot use the data folder {path}: {error.strerror}; mend that, or give another --data-dir"
            ) from error
        opened.pop_all()
    return file


def _check_fit(path: Path, settings: Settings, genesis: Genesis, about: Mapping[str, Any]) -> None:
    """A setting that a chain is born with may be left at its default, but not be asked to differ."""
    if settings.genesis is not None:
        wanted = start_from(settings.genesis)
        if wanted != Start(genesis.chain_id, genesis.forks, genesis.header, genesis.accounts):
            raise BadDataFolder(
                f"{path} holds a chain that began otherwise than {settings.genesis} says: "
                "leave --genesis out, or give another --data-dir"
            )
    defaults = Settings()
    born_with = replace(
        defaults,
        chain_id=genesis.chain_id,
        validators=len(genesis.validators),
        consensus=genesis.rules,
        stake=tuple(identity.stake for identity in genesis.validators),
        leaders=genesis.leaders,
        hardfork=genesis.forks.newest.label,
        max_lag=genesis.max_lag,
        gas_limit=genesis.gas_limit,
        base_fee=genesis.base_fee,
        mnemonic=about["mnemonic"],
        accounts=about["accounts"],
        balance=about["balance"],
    )
    for name in BORN_WITH:
        asked, has = getattr(settings, name), getattr(born_with, name)
        if asked not in (has, getattr(defaults, name)):
            option = "--" + name.replace("_", "-")
            raise BadDataFolder(
                f"{path} holds a chain made with {option} {_shown(has)}, not {_shown(asked)}: "
                f"leave {option} out, or give another --data-dir"
            )

    if settings.load_state is not None and about.get("loaded") != "0x" + source_checksum(settings.load_state).hex():
        raise BadDataFolder(
            f"{path} holds a chain that did not begin with {settings.load_state}: leave that out to go on with the "
            "chain, or give another --data-dir"
        )


def _shown(value: Any) -> str:
    return stake_text(value) if isinstance(value, tuple) else str(value)


def _read_about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(_read(path / "chain.json"))
        found = int(about["format"])
        str(about["mnemonic"]), int(about["accounts"]), int(about["balance"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadDataFolder(f"{path / 'chain.json'} is damaged: put back a copy, or give another --data-dir") from error
    if found < FORMAT:
        raise BadDataFolder(
            f"{path} has data format {found}, which this version of Tandem cannot read (it reads {FORMAT}): "
            "use the older version that wrote it, or give another --data-dir"
        )
    if found > FORMAT:
        raise BadDataFolder(
            f"{path} has data format {found}, this version of Tandem knows up to {FORMAT}: "
            "use the newer version that wrote it, or give another --data-dir"
        )
    return dict(about)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadDataFolder(f"cannot read {path}: {error.strerror}; mend that, or give another --data-dir") from error


def write_whole(path: Path, data: bytes) -> None:
    """All of the file or nothing, on disk when this returns."""
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
