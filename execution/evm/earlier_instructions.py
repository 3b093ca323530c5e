"""Instructions of the forks before Cancun where later ones differ: in prices, refunds, and what self-destruction does.

Each takes the frame, whose static gas has been charged already: before Berlin that is all that touching state costs.
"""

from typing import TYPE_CHECKING

from eth.exceptions import OutOfGas

from chain.types import Address
from execution.evm.instructions import (
    COLD_ACCOUNT_GAS,
    COLD_SLOT_GAS,
    NEW_ACCOUNT_GAS,
    SLOT_SET_GAS,
    SLOT_STIPEND_GAS,
    WARM_GAS,
    FrameFunction,
    pop_address,
    require_writable,
)

if TYPE_CHECKING:
    from execution.evm.computation import Computation

SLOT_RESET_GAS = 5_000
SLOT_CLEAR_REFUND = 15_000
SELF_DESTRUCT_REFUND = 24_000
CONSTANTINOPLE_SLOAD_GAS, ISTANBUL_SLOAD_GAS = 200, 800


def balance(frame: "Computation") -> None:
    frame.stack.append(frame.state.db.get_balance(pop_address(frame)))


def external_code_size(frame: "Computation") -> None:
    frame.stack.append(len(frame.state.db.get_code(pop_address(frame))))


def storage_load(frame: "Computation") -> None:
    frame.stack[-1] = frame.state.db.get_storage(frame.address, frame.stack[-1])


def storage_store(frame: "Computation") -> None:
    """By what the slot holds now: the rule of Frontier, and again of Petersburg."""
    require_writable(frame)
    slot, value = frame.stack.pop(), frame.stack.pop()
    db, owner = frame.state.db, frame.address
    current = db.get_storage(owner, slot)
    frame.charge(SLOT_SET_GAS if value and not current else SLOT_RESET_GAS)
    if current and not value:
        db.add_refund(SLOT_CLEAR_REFUND)
    db.set_storage(owner, slot, value)


def storage_store_of_constantinople(frame: "Computation") -> None:
    """Net gas metering (EIP-1283)."""
    require_writable(frame)
    slot, value = frame.stack.pop(), frame.stack.pop()
    _store_net(frame, slot, value, CONSTANTINOPLE_SLOAD_GAS, SLOT_RESET_GAS)


def storage_store_of_istanbul(frame: "Computation") -> None:
    """Net gas metering that a transfer's stipend does not pay for (EIP-2200)."""
    require_writable(frame)
    slot, value = frame.stack.pop(), frame.stack.pop()
    _require_more_than_stipend(frame)
    _store_net(frame, slot, value, ISTANBUL_SLOAD_GAS, SLOT_RESET_GAS)


def storage_store_of_berlin(frame: "Computation") -> None:
    """The same, with warm and cold slots (EIP-2929)."""
    require_writable(frame)
    slot, value = frame.stack.pop(), frame.stack.pop()
    _require_more_than_stipend(frame)
    frame.charge(COLD_SLOT_GAS if frame.state.db.warm_up((frame.address, slot)) else 0)
    _store_net(frame, slot, value, WARM_GAS, SLOT_RESET_GAS - COLD_SLOT_GAS)


def _require_more_than_stipend(frame: "Computation") -> None:
    if frame.gas <= SLOT_STIPEND_GAS:
        raise OutOfGas("a store needs more gas than the stipend of a transfer")


def _store_net(frame: "Computation", slot: int, value: int, load_gas: int, reset_gas: int) -> None:
    db, owner = frame.state.db, frame.address
    current = db.get_storage(owner, slot)
    if current == value:
        frame.charge(load_gas)
        return
    original = db.get_storage(owner, slot, from_journal=False)
    first_gas = reset_gas if original else SLOT_SET_GAS
    refund = 0
    if original == current:
        frame.charge(first_gas)
        refund = SLOT_CLEAR_REFUND if original and not value else 0
    else:
        frame.charge(load_gas)
        if original:
            refund = SLOT_CLEAR_REFUND * ((value == 0) - (current == 0))
        if original == value:
            refund += first_gas - load_gas
    if refund:
        db.add_refund(refund)
    db.set_storage(owner, slot, value)


def self_destruct(frame: "Computation") -> None:
    """As in Frontier: whom the balance goes to is brought into existence for nothing."""
    beneficiary = pop_address(frame)
    _destroy(frame, beneficiary, SELF_DESTRUCT_REFUND)


def self_destruct_of_tangerine_whistle(frame: "Computation") -> None:
    """Bringing an account into existence costs (EIP-150)."""
    beneficiary, db = pop_address(frame), frame.state.db
    if db.account_is_empty(beneficiary):
        frame.charge(NEW_ACCOUNT_GAS)
    _destroy(frame, beneficiary, SELF_DESTRUCT_REFUND)


def self_destruct_of_spurious_dragon(frame: "Computation") -> None:
    """It costs only if there is a balance to bring it into existence with (EIP-161)."""
    require_writable(frame)
    beneficiary = pop_address(frame)
    _pay_for_new_account(frame, beneficiary)
    _destroy(frame, beneficiary, SELF_DESTRUCT_REFUND)


def self_destruct_of_berlin(frame: "Computation") -> None:
    """With warm and cold accounts (EIP-2929)."""
    _destroy_from_berlin_on(frame, SELF_DESTRUCT_REFUND)


def self_destruct_of_london(frame: "Computation") -> None:
    """Without a refund (EIP-3529)."""
    _destroy_from_berlin_on(frame, 0)


def _destroy_from_berlin_on(frame: "Computation", refund: int) -> None:
    require_writable(frame)
    beneficiary = pop_address(frame)
    if frame.state.db.warm_up(beneficiary):
        frame.charge(COLD_ACCOUNT_GAS)
    _pay_for_new_account(frame, beneficiary)
    _destroy(frame, beneficiary, refund)


def _pay_for_new_account(frame: "Computation", beneficiary: Address) -> None:
    db = frame.state.db
    if db.get_balance(frame.address) and db.account_is_empty(beneficiary):
        frame.charge(NEW_ACCOUNT_GAS)


def _destroy(frame: "Computation", beneficiary: Address, refund: int) -> None:
    db, owner = frame.state.db, frame.address
    db.touch(beneficiary)
    amount = db.get_balance(owner)
    if beneficiary == owner:
        db.delta_balance(owner, -amount)
    else:
        db.transfer(owner, beneficiary, amount)
    if refund and not db.is_destroyed(owner):
        db.add_refund(refund)
    db.destroy_account(owner)


BEFORE_BERLIN: dict[int, FrameFunction] = {0x31: balance, 0x3B: external_code_size, 0x54: storage_load}
"""What is the same in all forks in which touching state has one price."""
