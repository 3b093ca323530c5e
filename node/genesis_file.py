"""geth's genesis.json: a chain's rules, its first header and its first state."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from chain.accounts import THERE_WITHOUT_CODE, Account, AccountChange
from chain.errors import ChainError
from chain.fees import BLOB_SCHEDULES, INITIAL_BASE_FEE, BlobSchedule
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import EMPTY_BLOOM, EMPTY_REQUESTS_HASH, Header
from chain.json_fields import Fields, WrongField
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.system_contracts import CONSOLIDATION_REQUESTS, DEPOSIT_CONTRACT, WITHDRAWAL_REQUESTS
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei
from node.devices import is_device
from node.errors import NodeError

BY_NUMBER = {
    "homesteadBlock": Fork.HOMESTEAD,
    "eip150Block": Fork.TANGERINE_WHISTLE,
    "eip158Block": Fork.SPURIOUS_DRAGON,
    "byzantiumBlock": Fork.BYZANTIUM,
    "constantinopleBlock": Fork.CONSTANTINOPLE,
    "petersburgBlock": Fork.PETERSBURG,
    "istanbulBlock": Fork.ISTANBUL,
    "berlinBlock": Fork.BERLIN,
    "londonBlock": Fork.LONDON,
    "mergeNetsplitBlock": Fork.PARIS,
}
GLACIERS = {"muirGlacierBlock": 9_000_000, "arrowGlacierBlock": 10_700_000, "grayGlacierBlock": 11_400_000}
"""By how many blocks they put the difficulty bomb off (EIP-2384, 4345, 5133)."""
BY_TIME = {
    "shanghaiTime": Fork.SHANGHAI,
    "cancunTime": Fork.CANCUN,
    "pragueTime": Fork.PRAGUE,
    "osakaTime": Fork.OSAKA,
    "bpo1Time": Fork.BPO1,
    "bpo2Time": Fork.BPO2,
}
OTHER_NAMES = {"daoForkBlock", "eip155Block", *GLACIERS}
GENESIS_GAS_LIMIT, GENESIS_DIFFICULTY = 4_712_388, 131_072
"""What geth takes where the file says nothing."""


class BadGenesisFile(NodeError):
    """A genesis file that cannot be read, or asks for what Tandem does not have."""

    exit_code = 2

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(f"{path}: {problem}")


class UnknownRules(ChainError):
    """A chain's configuration that names rules which Tandem does not have."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a chain starts with, but for its validators. `state` is as in chain.genesis."""

    chain_id: int
    forks: ForkSchedule
    header: Header
    accounts: tuple[AccountChange, ...]
    state: Hash32 | None = None


def start_from(path: Path) -> Start:
    """What a genesis.json says. Raises BadGenesisFile."""
    try:
        if is_device(path):
            raise BadGenesisFile(path, "is a device: give a genesis.json of geth")
        start = _start(Fields(json.loads(path.read_bytes())))
    except OSError as error:
        raise BadGenesisFile(path, f"cannot be read ({error.strerror}): give a genesis.json of geth") from None
    except ChainError as error:
        raise BadGenesisFile(path, error) from None
    except (ValueError, RecursionError) as error:
        raise BadGenesisFile(path, f"is not JSON ({error}): give a genesis.json of geth") from None
    if not 0 < start.chain_id < 2**63:
        raise BadGenesisFile(path, f"config.chainId: {start.chain_id} is out of range: give 1 to 2**63 - 1")
    addresses = {change.address for change in start.accounts}
    if len(addresses) < len(start.accounts):
        raise BadGenesisFile(path, "alloc: an account stands there twice")
    see_contracts_of(start.forks.at(start.header.number + 1, start.header.timestamp), start.accounts, path)
    return start


def see_contracts_of(fork: Fork, accounts: tuple[AccountChange, ...], path: Path) -> None:
    """That those are there which every block of the fork calls and which must answer. Raises BadGenesisFile."""
    there = {change.address for change in accounts if change.code}
    for contract in (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS):
        if contract.since <= fork and contract.address not in there:
            what = f"0x{contract.address.hex()}, {contract.name}"
            raise BadGenesisFile(path, f"alloc: add the contract {what}: from prague on no block is made without it")


def _start(fields: Fields) -> Start:
    config, alloc = fields.object("config"), fields.object("alloc")
    difficulty = _difficulty(fields, config)
    forks = schedule_of(config, difficulty)
    accounts = tuple(_account(alloc, name) for name in alloc.names())
    return Start(_config_number(config, "chainId"), forks, _header(fields, forks, difficulty), accounts)


def schedule_of(config: Fields, difficulty: int) -> ForkSchedule:
    """The forks of geth's chain configuration; `difficulty` is that of genesis. Raises WrongField and UnknownRules."""
    _refuse_unknown(config)
    by_number = _activations(config, BY_NUMBER)
    if config.get("petersburgBlock") is None:  # geth takes it together with Constantinople then
        by_number = [(at, Fork.PETERSBURG if fork is Fork.CONSTANTINOPLE else fork) for at, fork in by_number]
    by_time = _activations(config, BY_TIME)
    for (before, fork), (after, later) in (*pairwise(by_number), *pairwise(by_time)):
        if after < before:
            raise UnknownRules(f"config: {later.label} at {after} comes before {fork.label} at {before}")
    if config.get("mergeNetsplitBlock") is None and _is_merged(config, difficulty):
        by_number.append((0, Fork.PARIS))
    if by_time and Fork.PARIS not in (fork for _, fork in by_number):
        raise UnknownRules(
            f"config: {by_time[0][1].label} needs the merge; give terminalTotalDifficulty 0, or mergeNetsplitBlock"
        )
    deposits = Address(_data(config, "depositContractAddress", DEPOSIT_CONTRACT))
    return ForkSchedule(tuple(by_number), tuple(by_time), tuple(_glaciers(config)), deposits)


def _is_merged(config: Fields, difficulty: int) -> bool:
    """Whether the merge was before block 1. Raises UnknownRules if it comes later, at a block that is not told."""
    merge = config.get("terminalTotalDifficulty")
    if merge is None:
        return False
    if _config_number(config, "terminalTotalDifficulty") > difficulty:
        raise UnknownRules(
            f"config.terminalTotalDifficulty {merge} is reached after genesis: "
            "give the number of the first block after the merge as config.mergeNetsplitBlock"
        )
    return True


def _glaciers(config: Fields) -> list[tuple[int, int]]:
    there = [name for name in GLACIERS if config.get(name) is not None]
    return [(_config_number(config, name), GLACIERS[name]) for name in there]


def _activations(config: Fields, names: dict[str, Fork]) -> list[tuple[int, Fork]]:
    return [(_config_number(config, name), fork) for name, fork in names.items() if config.get(name) is not None]


def _refuse_unknown(config: Fields) -> None:
    """Raises UnknownRules for forks that Tandem does not have, and for blobs that a fork has otherwise."""
    known = BY_NUMBER.keys() | BY_TIME.keys() | OTHER_NAMES
    for name in config.names():
        if name.endswith(("Block", "Time")) and name not in known and config.get(name) is not None:
            raise UnknownRules(f"config.{name}: Tandem knows the forks up to {max(Fork).label}, not this one")
    if config.get("daoForkSupport") and config.get("daoForkBlock") is not None:
        raise UnknownRules("config.daoForkSupport: Tandem does not make the DAO fork's change of the state")
    blobs = config.optional("blobSchedule")
    for name in () if blobs is None else blobs.names():
        row = blobs.object(name) if blobs is not None else config
        found = BlobSchedule(*[_config_number(row, part) for part in ("target", "max", "baseFeeUpdateFraction")])
        fork = next((fork for fork in BLOB_SCHEDULES if fork.label == name.lower()), None)
        if fork is None or found != BLOB_SCHEDULES[fork]:
            wanted = "no such fork" if fork is None else f"{tuple(BLOB_SCHEDULES[fork])} there"
            raise UnknownRules(f"config.blobSchedule.{name}: {tuple(found)}, Tandem knows {wanted}")


def _header(fields: Fields, forks: ForkSchedule, difficulty: int) -> Header:
    """As geth's Genesis.ToBlock makes it, but for the state root."""
    number, timestamp = _uint64(fields, "number"), _uint64(fields, "timestamp")
    fork = forks.at(number, timestamp)
    base_fee = Wei(_number(fields, "baseFeePerGas", INITIAL_BASE_FEE))
    return Header(
        parent_hash=Hash32(_data(fields, "parentHash", ZERO_HASH)),
        beneficiary=Address(_data(fields, "coinbase", ZERO_ADDRESS)),
        state_root=ZERO_HASH,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=EMPTY_BLOOM,
        number=BlockNumber(number),
        gas_limit=Gas(_uint64(fields, "gasLimit") or GENESIS_GAS_LIMIT),
        gas_used=Gas(_uint64(fields, "gasUsed")),
        timestamp=timestamp,
        prev_randao=Hash32(_data(fields, "mixHash", ZERO_HASH)),
        base_fee=base_fee if fork >= Fork.LONDON else None,
        extra_data=fields.data("extraData") if fields.get("extraData") else b"",
        withdrawals_root=EMPTY_ROOT if fork >= Fork.SHANGHAI else None,
        blob_gas_used=Gas(_uint64(fields, "blobGasUsed")) if fork >= Fork.CANCUN else None,
        excess_blob_gas=Gas(_uint64(fields, "excessBlobGas")) if fork >= Fork.CANCUN else None,
        parent_beacon_root=ZERO_HASH if fork >= Fork.CANCUN else None,
        requests_hash=EMPTY_REQUESTS_HASH if fork >= Fork.PRAGUE else None,
        difficulty=difficulty,
        nonce=_uint64(fields, "nonce").to_bytes(8, "big"),
    )


def _difficulty(fields: Fields, config: Fields) -> int:
    """Where nothing is said, that of a miner's chain, or zero."""
    mined = config.get("ethash") is not None and not any(_data(fields, "mixHash", ZERO_HASH))
    return _number(fields, "difficulty", GENESIS_DIFFICULTY if mined else 0)


def _account(alloc: Fields, name: str) -> AccountChange:
    """An account that says nothing is there all the same."""
    fields, place = alloc.object(name), alloc.place(name)
    try:
        address = bytes.fromhex(name.removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20:
        raise WrongField(place, "an address of 20 bytes in hex", name)
    code = fields.data("code") if fields.get("code") else b""
    account = Account(_number(fields, "nonce"), Wei(_number(fields, "balance")), keccak256(code))
    if account.is_empty:
        account = Account(code_hash=THERE_WITHOUT_CODE)
    storage = fields.optional("storage")
    slots = {} if storage is None else {_slot(key, place): _slot(storage.get(key), place) for key in storage.names()}
    return AccountChange(
        Address(address), account, {key: value for key, value in slots.items() if value}, code=code or None
    )


def _slot(value: Any, place: str) -> int:
    """A storage key or value: up to 32 bytes in hex, with or without 0x."""
    digits = value.removeprefix("0x") if isinstance(value, str) else "?"
    if not digits.isalnum() or not 0 < len(digits) <= 64:
        raise WrongField(f"{place}.storage", "32 bytes in hex", value)
    try:
        return int(digits, 16)
    except ValueError:
        raise WrongField(f"{place}.storage", "32 bytes in hex", value) from None


def _config_number(fields: Fields, name: str) -> int:
    """A plain number of any size, as the configuration has them."""
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise WrongField(fields.place(name), "a whole number", value)
    return value


def _number(fields: Fields, name: str, otherwise: int = 0, bits: int = 256) -> int:
    """A number in 0x hex or decimal digits, or a plain one; `otherwise` if there is none."""
    value = fields.get(name)
    if value is None or value == "":
        return otherwise
    if type(value) is int and value >= 0:
        number = value
    elif isinstance(value, str) and value.isdecimal() and len(value) <= 78:
        number = int(value)
    else:
        number = fields.word(name)
    if number >= 2**bits:
        raise WrongField(fields.place(name), f"a number of at most {bits} bits", value)
    return number


def _uint64(fields: Fields, name: str) -> int:
    return _number(fields, name, bits=64)


def _data(fields: Fields, name: str, otherwise: bytes) -> bytes:
    return otherwise if not fields.get(name) else fields.data(name, len(otherwise))
