"""Calls and creations (EIP-150, 161, 211, 1014, 2929, 3860, 6780, 7610, 7702).

py-evm's own read the caller's balance and whether the callee exists at every call; here only a call that moves value
does, because what a transaction reads decides what it conflicts with.
"""

from typing import TYPE_CHECKING

from eth.exceptions import OutOfGas, Revert, WriteProtection

from chain import rlp
from chain.intrinsic_gas import INIT_CODE_WORD_GAS, MAX_INIT_CODE_SIZE
from chain.keccak import keccak256
from chain.types import Address
from execution.evm.failures import InitCodeTooLarge
from execution.evm.instructions import (
    HASH_WORD_GAS,
    NEW_ACCOUNT_GAS,
    FrameFunction,
    access_account,
    pop_address,
    require_writable,
)
from execution.evm.message import Message

if TYPE_CHECKING:
    from execution.evm.computation import Computation

CALL_VALUE_GAS = 9_000
CALL_STIPEND_GAS = 2_300
MAX_DEPTH = 1024
MAX_NONCE = 2**64 - 1
DELEGATION_PREFIX = b"\xef\x01\x00"


def delegate_of(code: bytes) -> Address | None:
    """The account whose code runs in place of this one, if it is a delegation (EIP-7702)."""
    return Address(code[3:]) if len(code) == 23 and code.startswith(DELEGATION_PREFIX) else None


def code_to_run(frame: "Computation", source: Address) -> tuple[bytes, Address, bool]:
    """The code of an account, charging for the access; whose it is, and whether by delegation."""
    access_account(frame, source)
    code = frame.state.db.get_code(source)
    delegate = delegate_of(code) if frame.follows_delegations else None
    if delegate is None:
        return code, source, False
    access_account(frame, delegate)
    return frame.state.db.get_code(delegate), delegate, True


def all_but_a_64th(gas: int) -> int:
    return gas - gas // 64


def value_gas(frame: "Computation", value: int, recipient: Address | None) -> int:
    """What sending value costs besides, more if it brings the recipient (None for oneself) into existence (EIP-161)."""
    if not value:
        return 0
    if recipient is not None and frame.state.db.account_is_empty(recipient):
        return CALL_VALUE_GAS + NEW_ACCOUNT_GAS
    return CALL_VALUE_GAS


def call(frame: "Computation") -> None:
    gas, to, value = frame.stack.pop(), pop_address(frame), frame.stack.pop()
    if value and frame.msg.is_static:
        raise WriteProtection("a static call cannot send value")
    data, output_at, output_size = _call_memory(frame)
    code, code_address, delegated = frame.code_to_run(to)
    child_gas = frame.pass_gas(gas, value, frame.value_gas(value, to))
    message = Message(
        gas=child_gas,
        sender=frame.address,
        storage_address=to,
        code_address=code_address,
        value=value,
        data=data,
        code=code,
        depth=frame.msg.depth + 1,
        is_static=frame.msg.is_static,
        is_delegation=delegated,
    )
    _call_child(frame, message, output_at, output_size)


def call_code(frame: "Computation") -> None:
    gas, source, value = frame.stack.pop(), pop_address(frame), frame.stack.pop()
    data, output_at, output_size = _call_memory(frame)
    code, code_address, delegated = frame.code_to_run(source)
    child_gas = frame.pass_gas(gas, value, frame.value_gas(value, None))
    message = Message(
        gas=child_gas,
        sender=frame.address,
        storage_address=frame.address,
        code_address=code_address,
        value=value,
        data=data,
        code=code,
        depth=frame.msg.depth + 1,
        is_static=frame.msg.is_static,
        is_delegation=delegated,
    )
    _call_child(frame, message, output_at, output_size)


def delegate_call(frame: "Computation") -> None:
    gas, source = frame.stack.pop(), pop_address(frame)
    data, output_at, output_size = _call_memory(frame)
    code, code_address, delegated = frame.code_to_run(source)
    child_gas = frame.pass_gas(gas, 0, 0)
    message = Message(
        gas=child_gas,
        sender=frame.msg.sender,
        storage_address=frame.address,
        code_address=code_address,
        value=frame.msg.value,
        data=data,
        code=code,
        depth=frame.msg.depth + 1,
        is_static=frame.msg.is_static,
        is_delegation=delegated,
        should_transfer_value=False,
    )
    _call_child(frame, message, output_at, output_size)


def static_call(frame: "Computation") -> None:
    gas, to = frame.stack.pop(), pop_address(frame)
    data, output_at, output_size = _call_memory(frame)
    code, code_address, delegated = frame.code_to_run(to)
    child_gas = frame.pass_gas(gas, 0, 0)
    message = Message(
        gas=child_gas,
        sender=frame.address,
        storage_address=to,
        code_address=code_address,
        value=0,
        data=data,
        code=code,
        depth=frame.msg.depth + 1,
        is_static=True,
        is_delegation=delegated,
    )
    _call_child(frame, message, output_at, output_size)


def _call_memory(frame: "Computation") -> tuple[bytes, int, int]:
    """The call data, and where the output goes, with memory extended for both."""
    stack = frame.stack
    data_at, data_size, output_at, output_size = stack.pop(), stack.pop(), stack.pop(), stack.pop()
    frame.extend_memory(data_at, data_size)
    frame.extend_memory(output_at, output_size)
    return bytes(frame.memory[data_at : data_at + data_size]), output_at, output_size


def pass_gas(frame: "Computation", requested: int, value: int, extra: int) -> int:
    """Charges `extra` and takes the child's gas out of the frame: at most all but a 64th (EIP-150), and the stipend."""
    available = frame.gas - extra
    if available < 0:
        raise OutOfGas("out of gas")
    child_gas = min(requested, all_but_a_64th(available))
    frame.gas = available - child_gas
    return child_gas + CALL_STIPEND_GAS if value else child_gas


def _call_child(frame: "Computation", message: Message, output_at: int, output_size: int) -> None:
    too_deep = message.depth > MAX_DEPTH
    moves = message.value if message.should_transfer_value else 0
    if too_deep or not frame.state.db.can_pay(frame.address, moves):
        frame.return_data = b""
        frame.gas += message.gas
        frame.stack.append(0)
        return
    child = frame.apply_message(frame.state, message, frame.transaction_context)
    frame.return_data = output = child.output
    frame.gas += child.gas
    written = min(output_size, len(output))
    if written:
        frame.memory[output_at : output_at + written] = output[:written]
    frame.stack.append(0 if child.error else 1)


def gas_for_creation(frame: "Computation") -> int:
    """What a creation is given of the gas left (EIP-150)."""
    return all_but_a_64th(frame.gas)


def create(frame: "Computation") -> None:
    _create(frame, salted=False)


def create2(frame: "Computation") -> None:
    _create(frame, salted=True)


def _create(frame: "Computation", *, salted: bool) -> None:
    require_writable(frame)
    stack, db, creator = frame.stack, frame.state.db, frame.address
    value, start, size = stack.pop(), stack.pop(), stack.pop()
    salt = stack.pop() if salted else None
    words = (size + 31) // 32
    if frame.limits_init_code:
        if size > MAX_INIT_CODE_SIZE:
            raise InitCodeTooLarge(f"init code of {size} bytes")
        frame.charge(words * INIT_CODE_WORD_GAS)
    frame.charge(words * HASH_WORD_GAS if salted else 0)
    frame.extend_memory(start, size)
    frame.return_data = b""
    if frame.msg.depth >= MAX_DEPTH or not db.can_pay(creator, value) or db.get_nonce(creator) >= MAX_NONCE:
        stack.append(0)
        return
    init_code = bytes(frame.memory[start : start + size])
    child_gas = frame.gas_for_creation()
    frame.gas -= child_gas
    created = created_address(creator, db.get_nonce(creator), init_code, salt)
    db.increment_nonce(creator)
    db.warm_up(created)
    if db.is_taken(created):
        stack.append(0)
        return
    message = Message(
        gas=child_gas,
        sender=creator,
        storage_address=created,
        code_address=created,
        value=value,
        data=b"",
        code=init_code,
        depth=frame.msg.depth + 1,
        is_create=True,
    )
    child = frame.apply_create_message(frame.state, message, frame.transaction_context)
    frame.gas += child.gas
    if isinstance(child.error, Revert):
        frame.return_data = child.output
    stack.append(0 if child.error else int.from_bytes(created, "big"))


def created_address(creator: Address, nonce: int, init_code: bytes, salt: int | None) -> Address:
    """Where a creation puts its contract: by the creator's nonce, or by the code and a salt (EIP-1014)."""
    if salt is None:
        return contract_address(creator, nonce)
    return Address(keccak256(b"\xff" + creator + salt.to_bytes(32, "big") + keccak256(init_code))[12:])


def contract_address(creator: Address, nonce: int) -> Address:
    """Where a contract that `creator` makes with this nonce lies."""
    return Address(keccak256(rlp.encode_list([rlp.encode_bytes(creator), rlp.encode_int(nonce)]))[12:])


BY_OPCODE: dict[int, FrameFunction] = {
    0xF0: create,
    0xF1: call,
    0xF2: call_code,
    0xF4: delegate_call,
    0xF5: create2,
    0xFA: static_call,
}
