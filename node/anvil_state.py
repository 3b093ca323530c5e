"""Reads the states that anvil writes: `anvil --dump-state FILE`, and what anvil_dumpState answers.

Older versions name the block's members otherwise.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chain.accounts import AccountChange
from chain.anvil_state import NoAnvilState, accounts_in, best_block_in, unpacked
from chain.fork_schedule import only
from chain.forks import fork_named
from chain.genesis import first_header
from chain.headers import Header
from chain.messages.state_pages import AccountPart, StatePage
from chain.state_head import StateHead
from chain.system_contracts import system_accounts
from chain.types import ZERO_ADDRESS, ZERO_HASH, BlockNumber, Gas, Wei
from node.errors import BadStateFile
from node.settings import DEFAULT_BASE_FEE, DEFAULT_CHAIN_ID, DEFAULT_GAS_LIMIT, Settings
from storage.roots import state_root

STATE_FILE = "state.json"
"""The name of a state in a folder, as anvil gives it."""
GAS_LIMITS = range(5_000, 2**53)
"""Anvil writes 2**64-1 for no limit."""
CODES_A_PAGE = 100


class BadAnvilState(BadStateFile):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is no state that tandem dump or anvil wrote: {reason}")


@dataclass(frozen=True, slots=True)
class AnvilState:
    """What is taken of a state of anvil, and in words what is not."""

    head: StateHead
    accounts: tuple[AccountChange, ...]
    left: str

    def pages(self) -> Iterator[StatePage]:
        parts = [AccountPart(change.address, change.account, tuple(change.slots.items())) for change in self.accounts]
        codes = tuple({change.code: None for change in self.accounts if change.code})
        for at in range(0, max(len(parts), len(codes)), CODES_A_PAGE):
            end = at + CODES_A_PAGE
            yield StatePage(self.head.root, tuple(parts[at:end]), codes[at:end], b"")


def named_state(path: Path) -> Path:
    """The file that is meant: in a folder its state.json."""
    return path / STATE_FILE if path.is_dir() else path


def read_anvil_state(path: Path, settings: Settings) -> AnvilState:
    """The state in the file. Its chain id and fork are not there, so the settings say. Raises BadAnvilState."""
    content, fork = _content(path), fork_named(settings.hardfork)
    try:
        accounts = [_without_empty_slots(change) for change in accounts_in(content)]
        header = _header(content, settings)
    except NoAnvilState as error:
        raise BadAnvilState(path, str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadAnvilState(path, f"{type(error).__name__}: {error}") from error
    there = {change.address for change in accounts if not change.account.is_empty}
    accounts = [change for change in accounts if change.address in there]
    accounts += [change for change in system_accounts(fork) if change.address not in there]
    root = state_root((change.address, change.account, change.slots) for change in accounts)
    head = StateHead(settings.chain_id or DEFAULT_CHAIN_ID, only(fork), replace(header, state_root=root), root)
    return AnvilState(head, tuple(accounts), _left(content))


def _content(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadAnvilState(path, error.strerror or str(error)) from error
    text = data.strip().strip(b'"')
    try:
        return unpacked(bytes.fromhex(text[2:].decode()) if text.startswith(b"0x") else data)
    except (ValueError, NoAnvilState) as error:
        raise BadAnvilState(path, str(error)) from error


def _without_empty_slots(change: AccountChange) -> AccountChange:
    return replace(change, slots={slot: value for slot, value in change.slots.items() if value})


def _header(content: dict[str, Any], settings: Settings) -> Header:
    """A header for the newest block. Anvil's own would have another state root: it lets states change after a block."""
    best = best_block_in(content)
    header = first_header(
        fork_named(settings.hardfork),
        best.timestamp or int(time.time()),
        Gas(best.gas_limit if best.gas_limit is not None and best.gas_limit in GAS_LIMITS else DEFAULT_GAS_LIMIT),
        Wei(DEFAULT_BASE_FEE) if best.base_fee is None else best.base_fee,
    )
    return replace(
        header,
        number=BlockNumber(best.number),
        beneficiary=best.beneficiary or ZERO_ADDRESS,
        prev_randao=best.prev_randao or ZERO_HASH,
    )


def _left(content: dict[str, Any]) -> str:
    """What is not taken, in words; nothing if all is."""
    counts = [(name, len(content.get(name) or ())) for name in ("blocks", "transactions", "historical_states")]
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts if count)
