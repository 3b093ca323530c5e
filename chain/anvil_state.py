"""The state of a chain as anvil keeps it in JSON: in a file, or gzipped and in hex as anvil_dumpState answers it.

Numbers are JSON's own or in hex, as versions of anvil differ (foundry, crates/anvil/src/eth/backend/db.rs).
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chain.accounts import THERE_WITHOUT_CODE, Account, AccountChange
from chain.errors import DecodeError
from chain.keccak import EMPTY_HASH, keccak256
from chain.types import Address, Hash32, Wei

GZIP = b"\x1f\x8b"
MAX_NONCE = 2**64 - 1
ADDRESS_BYTES = 20
MAX_SHOWN = 80
"""Characters of a wrong value in what is said of it."""
T = TypeVar("T")


class NoAnvilState(DecodeError):
    """Not what anvil writes."""


class StateTooLarge(NoAnvilState):
    def __init__(self, most: int) -> None:
        super().__init__(f"it unpacks to more than {most >> 20} MiB")


@dataclass(frozen=True, slots=True)
class BestBlock:
    """The newest block as far as the file says it: it may have an environment only, or a number only."""

    number: int
    timestamp: int | None
    gas_limit: int | None
    base_fee: Wei | None
    beneficiary: Address | None
    prev_randao: Hash32 | None


def unpacked(data: bytes, most: int | None = None) -> dict[str, Any]:
    """The JSON object, which may be gzipped. Raises NoAnvilState, and StateTooLarge beyond so many bytes."""
    try:
        if data.startswith(GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read() if most is None else packed.read(most + 1)
        if most is not None and len(data) > most:
            raise StateTooLarge(most)
        content = json.loads(data)
    except (ValueError, EOFError, OSError, RecursionError, zlib.error) as error:
        raise NoAnvilState(str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("accounts"), dict):
        raise NoAnvilState("it has no accounts")
    return content


def accounts_in(content: Mapping[str, Any]) -> list[AccountChange]:
    """The accounts that are there; anvil lists those too that were only looked at. Raises NoAnvilState."""
    return [change for change in all_accounts_in(content) if not change.account.is_empty or change.slots]


def all_accounts_in(content: Mapping[str, Any]) -> list[AccountChange]:
    """The empty ones too, which on a fork stand in a remote account's place. Raises NoAnvilState."""
    return [_account(address, record) for address, record in content["accounts"].items()]


def forked_in(content: Mapping[str, Any]) -> tuple[int, Hash32] | tuple[None, None]:
    """Number and hash of the block of the remote that a fork of ours went on from. Raises NoAnvilState."""
    fork = content.get("fork")
    if fork is None:
        return None, None
    place = "fork"
    block_hash = _member(fork, "blockHash", number_in, place)
    return _member(fork, "blockNumber", number_in, place), Hash32(block_hash.to_bytes(32, "big"))


def best_block_in(content: Mapping[str, Any]) -> BestBlock:
    """Raises NoAnvilState."""
    block = content.get("block") or {}
    number = _optional(content, "best_block_number", number_in, "the state")
    place = "block"
    base_fee = _optional(block, "basefee", number_in, place)
    prev_randao = _optional(block, "prevrandao", number_in, place)
    beneficiary = _optional(block, "beneficiary", _address_in, place)
    return BestBlock(
        number=(_optional(block, "number", number_in, place) or 0) if number is None else number,
        timestamp=_optional(block, "timestamp", number_in, place),
        gas_limit=_optional(block, "gas_limit", number_in, place),
        base_fee=None if base_fee is None else Wei(base_fee),
        beneficiary=_optional(block, "coinbase", _address_in, place) if beneficiary is None else beneficiary,
        prev_randao=None if prev_randao is None else Hash32(prev_randao.to_bytes(32, "big")),
    )


def _member(record: Any, name: str, parse: Callable[[Any], T], place: str) -> T:
    """Raises NoAnvilState, which says where what is wrong."""
    found = _optional(record, name, parse, place)
    if found is None:
        raise NoAnvilState(f"{place} has no {name}")
    return found


def _optional(record: Any, name: str, parse: Callable[[Any], T], place: str) -> T | None:
    if not isinstance(record, dict):
        raise NoAnvilState(f"{place} is not an object")
    value = record.get(name)
    try:
        return None if value is None else parse(value)
    except NoAnvilState as error:
        raise NoAnvilState(f"{name} of {place}: {error}") from None


def _account(address: str, record: Any) -> AccountChange:
    place = f"account {address[:MAX_SHOWN]}"
    code = _member(record, "code", _bytes_in, place)
    nonce = _member(record, "nonce", number_in, place)
    if nonce >= MAX_NONCE:
        raise NoAnvilState(f"nonce of {place}: {nonce} is no nonce (EIP-2681)")
    balance = Wei(_member(record, "balance", number_in, place))
    slots = _member(record, "storage", _slots_in, place)
    account = Account(nonce, balance, keccak256(code) if code else EMPTY_HASH)
    if account.is_empty and any(slots.values()):  # as anvil_setStorageAt leaves it
        account = Account(code_hash=THERE_WITHOUT_CODE)
    return AccountChange(_address_in(address), account, slots, code=code or None)


def _bytes_in(value: Any) -> bytes:
    if not isinstance(value, str):
        raise NoAnvilState(f"{_shown(value)} is not bytes in hex")
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise NoAnvilState(f"{_shown(value)} is not bytes in hex") from None


def _address_in(value: Any) -> Address:
    address = _bytes_in(value)
    if len(address) != ADDRESS_BYTES:
        raise NoAnvilState(f"{_shown(value)} is no address of {ADDRESS_BYTES} bytes")
    return Address(address)


def _slots_in(value: Any) -> dict[int, int]:
    if not isinstance(value, dict):
        raise NoAnvilState(f"{_shown(value)} is not an object")
    return {number_in(slot): number_in(word) for slot, word in value.items()}


def number_in(value: Any) -> int:
    """A number as JSON has it, in decimal, or in hex. Raises NoAnvilState."""
    try:
        number = int(value, 16 if value.startswith("0x") else 10) if isinstance(value, str) else value
    except ValueError:
        number = None
    if type(number) is not int or not 0 <= number < 2**256:
        raise NoAnvilState(f"{_shown(value)} is no number below 2**256")
    return number


def _shown(value: Any) -> str:
    """As JSON has it, cut where it is long."""
    return json.dumps(value)[:MAX_SHOWN]


def account_record(account: Account, code: bytes, slots: Mapping[int, int]) -> dict[str, Any]:
    """An account as anvil writes it."""
    return {
        "nonce": account.nonce,
        "balance": hex(account.balance),
        "code": "0x" + code.hex(),
        "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in slots.items()},
    }
