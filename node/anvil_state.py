"""Reads the states that anvil writes: `anvil --dump-state FILE`, and what anvil_dumpState answers.

Older versions name the block's members otherwise.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chain.accounts import AccountChange
from chain.anvil_state import NoAnvilState, accounts_in, all_accounts_in, best_block_in, forked_in, unpacked
from chain.fork_schedule import only
from chain.forks import fork_named
from chain.genesis import first_header
from chain.headers import Header
from chain.messages.state_pages import AccountPart, StatePage
from chain.state_head import EARLIER_HEADERS, StateHead
from chain.system_contracts import system_accounts
from chain.types import ZERO_ADDRESS, ZERO_HASH, BlockNumber, Gas, Hash32, Wei
from node.devices import is_device
from node.errors import BadSetting, BadStateFile
from node.remote.blocks import header_in
from node.remote.parsing import NotWhatWasAsked
from node.settings import DEFAULT_BASE_FEE, DEFAULT_CHAIN_ID, DEFAULT_GAS_LIMIT, Settings
from storage.keyvalue import StoreError
from storage.roots import state_root
from storage.state_file import is_state_file

STATE_FILE = "state.json"
"""The name of a state in a folder, as anvil gives it."""
GAS_LIMITS = range(5_000, 2**53)
"""Anvil writes 2**64-1 for no limit."""
CODES_A_PAGE = 100


class BadAnvilState(BadStateFile):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is no state that tandem dump or anvil wrote: {reason}")


class MadeOnAnotherBlock(BadSetting):
    def __init__(self, path: Path, wanted: int, found: int) -> None:
        other = f"block {wanted} of another chain" if wanted == found else f"block {wanted}, not {found}"
        super().__init__(
            f"{path} holds what a fork of {other} has: give the --fork-url and --fork-block it was made with"
        )


class WholeState(BadSetting):
    """It stands by itself, above nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds the whole state of a chain: leave --fork-url out")


@dataclass(frozen=True, slots=True)
class AnvilState:
    """What is taken of a state of anvil, and in words what is not."""

    head: StateHead
    accounts: tuple[AccountChange, ...]
    earlier: tuple[Header, ...]
    """Of the blocks before, the newest last, as far as one follows the other: what BLOCKHASH reads."""
    left: str

    def pages(self) -> Iterator[StatePage]:
        parts = [AccountPart(change.address, change.account, tuple(change.slots.items())) for change in self.accounts]
        codes = tuple({change.code: None for change in self.accounts if change.code})
        for at in range(0, max(len(parts), len(codes)), CODES_A_PAGE):
            end = at + CODES_A_PAGE
            yield StatePage(self.head.root, tuple(parts[at:end]), codes[at:end], b"")


@dataclass(frozen=True, slots=True)
class StateAbove:
    """What stands above the remote's state when a fork begins with it, in words what is not taken, and which block of
    the remote it was made on, if that is said: anvil does not say it.
    """

    accounts: tuple[AccountChange, ...]
    left: str
    number: int | None
    hash: Hash32 | None

    def check(self, path: Path, number: int, block_hash: Hash32) -> None:
        """That the fork goes on from that block. Raises BadSetting."""
        if self.number is not None and (self.number, self.hash) != (number, block_hash):
            raise MadeOnAnotherBlock(path, self.number, number)


def named_state(path: Path) -> Path:
    """The file that is meant: in a folder its state.json. Raises BadStateFile."""
    if is_device(path):
        raise BadStateFile(f"{path} is a device: give a file that tandem dump or anvil wrote")
    return path / STATE_FILE if path.is_dir() else path


def read_anvil_state(path: Path, settings: Settings) -> AnvilState:
    """The state in the file. Its chain id and fork are not there, so the settings say. Raises BadAnvilState."""
    content, fork = _content(path), fork_named(settings.hardfork)
    try:
        accounts = [_without_empty_slots(change) for change in accounts_in(content)]
        headers = _headers(content)
        header = _header(content, headers, settings)
        left = _left(content)
    except NoAnvilState as error:
        raise BadAnvilState(path, str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadAnvilState(path, f"{type(error).__name__}: {error}") from error
    there = {change.address for change in accounts if not change.account.is_empty}
    accounts = [change for change in accounts if change.address in there]
    accounts += [change for change in system_accounts(fork) if change.address not in there]
    root = state_root((change.address, change.account, change.slots) for change in accounts)
    head = StateHead(settings.chain_id or DEFAULT_CHAIN_ID, only(fork), replace(header, state_root=root), root)
    return AnvilState(head, tuple(accounts), _before(header, headers), left)


def read_state_above(path: Path) -> StateAbove:
    """What a fork is to have above the remote's state. An empty account and a slot that is zero take away the remote's.

    Raises BadAnvilState.
    """
    content = _content(path)
    try:
        accounts = tuple({change.address: change for change in all_accounts_in(content)}.values())
        number, block_hash = forked_in(content)
        left = _left(content)
    except NoAnvilState as error:
        raise BadAnvilState(path, str(error)) from error
    return StateAbove(accounts, left, number, block_hash)


def _content(path: Path) -> dict[str, Any]:
    try:
        if is_state_file(path):
            raise WholeState(path)
        data = path.read_bytes()
    except (StoreError, OSError) as error:
        raise BadAnvilState(path, str(error)) from error
    text = data.strip().strip(b'"')
    try:
        return unpacked(bytes.fromhex(text[2:].decode()) if text.startswith(b"0x") else data)
    except (ValueError, NoAnvilState) as error:
        raise BadAnvilState(path, str(error)) from error


def _without_empty_slots(change: AccountChange) -> AccountChange:
    return replace(change, slots={slot: value for slot, value in change.slots.items() if value})


def _header(content: dict[str, Any], headers: Mapping[int, Header], settings: Settings) -> Header:
    """A header for the newest block: anvil's, if it is of this fork, with what the file says of the block besides.

    Its state root is another one, for anvil lets states change after a block.
    """
    best, fork = best_block_in(content), fork_named(settings.hardfork)
    gas_limit = Gas(
        best.gas_limit if best.gas_limit is not None and best.gas_limit in GAS_LIMITS else DEFAULT_GAS_LIMIT
    )
    base_fee = Wei(DEFAULT_BASE_FEE) if best.base_fee is None else best.base_fee
    header = first_header(fork, best.timestamp or int(time.time()), gas_limit, base_fee)
    header = replace(
        header,
        number=BlockNumber(best.number),
        beneficiary=best.beneficiary or ZERO_ADDRESS,
        prev_randao=best.prev_randao or ZERO_HASH,
    )
    theirs = headers.get(best.number)
    if theirs is None or _members(theirs) != _members(header):
        return header
    said = {
        name: getattr(header, name) for name in ("timestamp", "gas_limit", "base_fee", "beneficiary", "prev_randao")
    }
    return replace(theirs, gas_used=min(theirs.gas_used, gas_limit), **said)


def _members(header: Header) -> list[bool]:
    """Which of the members that forks have added it has."""
    return [
        member is not None
        for member in (header.base_fee, header.withdrawals_root, header.parent_beacon_root, header.requests_hash)
    ]


def _headers(content: dict[str, Any]) -> dict[int, Header]:
    """The blocks' headers by number. What is none, as in versions that name their members otherwise, is left out."""
    found: dict[int, Header] = {}
    for block in content.get("blocks") or ():
        named = block.get("header") if isinstance(block, dict) else None
        if isinstance(named, dict):
            with contextlib.suppress(NotWhatWasAsked):
                header = header_in(named)
                found[header.number] = header
    return found


def _before(header: Header, headers: Mapping[int, Header]) -> tuple[Header, ...]:
    earlier: list[Header] = []
    parent = header.parent_hash
    while len(earlier) < EARLIER_HEADERS:
        before = headers.get(header.number - len(earlier) - 1)
        if before is None or before.hash() != parent:
            break
        earlier.append(before)
        parent = before.parent_hash
    return tuple(reversed(earlier))


def _left(content: dict[str, Any]) -> str:
    """What is not taken, in words; nothing if all is. Raises NoAnvilState."""
    left = []
    for name in ("blocks", "transactions", "historical_states"):
        rows = content.get(name) or ()
        if not isinstance(rows, list | dict | tuple):
            raise NoAnvilState(f"its {name} are no list")
        left += [f"{len(rows)} {name.replace('_', ' ')}"] if rows else []
    return ", ".join([*left, "what only the remote chain has"] if content.get("fork") else left)
