"""The state of a chain as anvil keeps it in JSON: in a file, or gzipped and in hex as anvil_dumpState answers it.

Numbers are JSON's own or in hex, as versions of anvil differ (foundry, crates/anvil/src/eth/backend/db.rs).
"""

import gzip
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.accounts import Account, AccountChange
from chain.errors import DecodeError
from chain.keccak import EMPTY_HASH, keccak256
from chain.types import Address, Hash32, Wei

GZIP = b"\x1f\x8b"
MAX_NONCE = 2**64 - 1


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
    try:
        changes = [_account(address, record) for address, record in content["accounts"].items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnvilState(f"{type(error).__name__}: {error}") from error
    return [change for change in changes if not change.account.is_empty or change.slots]


def best_block_in(content: Mapping[str, Any]) -> BestBlock:
    """Raises NoAnvilState."""
    try:
        block = content.get("block") or {}
        number = content.get("best_block_number")
        beneficiary, prev_randao = block.get("beneficiary") or block.get("coinbase"), block.get("prevrandao")
        base_fee = _number_or_none(block.get("basefee"))
        return BestBlock(
            number=number_in(block.get("number") or 0) if number is None else number_in(number),
            timestamp=_number_or_none(block.get("timestamp")),
            gas_limit=_number_or_none(block.get("gas_limit")),
            base_fee=None if base_fee is None else Wei(base_fee),
            beneficiary=None if beneficiary is None else address_in(beneficiary),
            prev_randao=None if prev_randao is None else Hash32(number_in(prev_randao).to_bytes(32, "big")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnvilState(f"{type(error).__name__}: {error}") from error


def _number_or_none(value: Any) -> int | None:
    return None if value is None else number_in(value)


def _account(address: str, record: dict[str, Any]) -> AccountChange:
    code = bytes.fromhex(record["code"].removeprefix("0x"))
    nonce = number_in(record["nonce"])
    if nonce >= MAX_NONCE:
        raise ValueError(f"{nonce} is no nonce (EIP-2681)")
    account = Account(nonce, Wei(number_in(record["balance"])), keccak256(code) if code else EMPTY_HASH)
    slots = {number_in(slot): number_in(value) for slot, value in record["storage"].items()}
    return AccountChange(address_in(address), account, slots, code=code or None)


def address_in(text: str) -> Address:
    address = bytes.fromhex(text.removeprefix("0x"))
    if len(address) != 20:
        raise ValueError(f"{text} is no address")
    return Address(address)


def number_in(value: Any) -> int:
    """A number as JSON has it, in decimal, or in hex."""
    number = int(value, 16 if value.startswith("0x") else 10) if isinstance(value, str) else value
    if type(number) is not int or not 0 <= number < 2**256:
        raise ValueError(f"{value!r} is no number")
    return number


def account_record(account: Account, code: bytes, slots: Mapping[int, int]) -> dict[str, Any]:
    """An account as anvil writes it."""
    return {
        "nonce": account.nonce,
        "balance": hex(account.balance),
        "code": "0x" + code.hex(),
        "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in slots.items()},
    }
