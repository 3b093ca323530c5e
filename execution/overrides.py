"""State that calls pretend: geth's state overrides (internal/ethapi/override), as changes that come before the call."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chain.addresses import checksummed
from chain.messages.calls import AccountOverride
from chain.types import Address, Wei
from execution.errors import ExecutionError
from execution.outcome import StateView, Writes

BEFORE_CALLS = -1


class OverridableView(StateView, Protocol):
    """A view that shows what is merged into it."""

    def merge(self, index: int, writes: Writes, fee: Wei) -> None: ...


class OverrideRefused(ExecutionError):
    """Overrides that contradict each other or the fork; the words are geth's."""


def apply_overrides(
    overrides: Sequence[AccountOverride], precompiled: Mapping[Address, Any], view: OverridableView
) -> dict[Address, Any]:
    """Merge the overrides into the view. Gives the precompiles as the overrides place them. Raises OverrideRefused."""
    ordered = sorted(overrides, key=lambda override: override.address)
    moved = _moved(ordered, precompiled)
    writes = Writes(cleared=tuple(override.address for override in ordered if override.replaces_storage))
    for override in ordered:
        address = override.address
        if override.nonce is not None:
            writes.nonces[address] = override.nonce
        if override.code is not None:
            writes.codes[address] = override.code
        if override.balance is not None:
            writes.balances[address] = override.balance - view.account(address).balance
        writes.slots.update(((address, slot), value) for slot, value in override.slots.items())
    view.merge(BEFORE_CALLS, writes, Wei(0))
    return moved


def _moved(overrides: Sequence[AccountOverride], precompiled: Mapping[Address, Any]) -> dict[Address, Any]:
    """Where precompiles are: any override of one takes it away from its own address."""
    moved, targets = dict(precompiled), set()
    named = {override.address for override in overrides}
    for override in overrides:
        address, target = override.address, override.precompile_moves_to
        if address in targets:
            raise OverrideRefused(f"account {checksummed(address)} has already been overridden by a precompile")
        precompile = moved.get(address)
        if target is not None:
            if precompile is None:
                raise OverrideRefused(f"account {checksummed(address)} is not a precompile")
            if target in named:
                raise OverrideRefused(f"account {checksummed(target)} is already overridden")
            moved[target] = precompile
            targets.add(target)
        if precompile is not None:
            del moved[address]
    return moved
