"""Instructions that touch the frame, its memory or the state, where py-evm's own are slow or read too much.

Each takes the frame, whose static gas has been charged already (see `program`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from eth.exceptions import OutOfBoundsRead, OutOfGas, Revert, WriteProtection

from chain.keccak import keccak256
from chain.receipts import Log
from chain.types import Address, Hash32

if TYPE_CHECKING:
    from execution.evm.computation import Computation

FrameFunction = Callable[["Computation"], None]

ADDRESS_MASK = 2**160 - 1
WARM_GAS = 100  # EIP-2929
COLD_ACCOUNT_GAS = 2_600
COLD_SLOT_GAS = 2_100
SLOT_SET_GAS = 20_000  # EIP-2200
SLOT_RESET_GAS = 2_900
SLOT_CLEAR_REFUND = 4_800  # EIP-3529
SLOT_STIPEND_GAS = 2_300
COPY_WORD_GAS = 3
HASH_WORD_GAS = 6
LOG_BYTE_GAS = 8
LOG_TOPIC_GAS = 375
NEW_ACCOUNT_GAS = 25_000


def pop_address(frame: "Computation") -> Address:
    return Address((frame.stack.pop() & ADDRESS_MASK).to_bytes(20, "big"))


def access_account(frame: "Computation", address: Address) -> None:
    """Charges for touching an account, more the first time in a transaction."""
    frame.charge(COLD_ACCOUNT_GAS if frame.state.db.warm_up(address) else WARM_GAS)


def require_writable(frame: "Computation") -> None:
    if frame.msg.is_static:
        raise WriteProtection("a static call cannot change the state")


def address(frame: "Computation") -> None:
    frame.stack.append(frame.address_word)


def caller(frame: "Computation") -> None:
    frame.stack.append(int.from_bytes(frame.msg.sender, "big"))


def call_value(frame: "Computation") -> None:
    frame.stack.append(frame.msg.value)


def call_data_load(frame: "Computation") -> None:
    frame.stack[-1] = call_data_word(frame, frame.stack[-1])


def call_data_word(frame: "Computation", start: int) -> int:
    data = frame.msg.data[start : start + 32]
    word = int.from_bytes(data, "big")
    return word if len(data) == 32 else word << 8 * (32 - len(data))


def call_data_size(frame: "Computation") -> None:
    frame.stack.append(len(frame.msg.data))


def return_data_size(frame: "Computation") -> None:
    frame.stack.append(len(frame.return_data))


def call_data_copy(frame: "Computation") -> None:
    _copy(frame, frame.msg.data)


def code_copy(frame: "Computation") -> None:
    _copy(frame, frame.msg.code)


def _copy(frame: "Computation", source: bytes) -> None:
    """Copies from code or call data, which go on in zeros for ever."""
    stack = frame.stack
    to, start, size = stack.pop(), stack.pop(), stack.pop()
    frame.extend_memory(to, size)
    frame.charge((size + 31) // 32 * COPY_WORD_GAS)
    if size:
        frame.memory[to : to + size] = source[start : start + size].ljust(size, b"\0")


def return_data_copy(frame: "Computation") -> None:
    stack = frame.stack
    to, start, size = stack.pop(), stack.pop(), stack.pop()
    if start + size > len(frame.return_data):
        raise OutOfBoundsRead(f"{start + size} of {len(frame.return_data)} bytes of return data")
    frame.extend_memory(to, size)
    frame.charge((size + 31) // 32 * COPY_WORD_GAS)
    if size:
        frame.memory[to : to + size] = frame.return_data[start : start + size]


def keccak(frame: "Computation") -> None:
    stack = frame.stack
    start = stack.pop()
    stack[-1] = hash_of_memory(frame, start, stack[-1])


def hash_of_memory(frame: "Computation", start: int, size: int) -> int:
    memory, end = frame.memory, start + size
    if end > len(memory):
        frame.extend_memory(start, size)
    gas = frame.gas - (size + 31) // 32 * HASH_WORD_GAS
    if gas < 0:
        raise OutOfGas("out of gas")
    frame.gas = gas
    return int.from_bytes(keccak256(memory[start:end]), "big")


def balance(frame: "Computation") -> None:
    of = pop_address(frame)
    access_account(frame, of)
    frame.stack.append(frame.state.db.get_balance(of))


def external_code_size(frame: "Computation") -> None:
    of = pop_address(frame)
    access_account(frame, of)
    frame.stack.append(len(frame.state.db.get_code(of)))


def storage_load(frame: "Computation") -> None:
    frame.stack[-1] = load_slot(frame, frame.stack[-1])


def load_slot(frame: "Computation", slot: int) -> int:
    db, owner = frame.state.db, frame.address
    frame.charge(COLD_SLOT_GAS if db.warm_up((owner, slot)) else WARM_GAS)
    return db.get_storage(owner, slot)


def storage_store(frame: "Computation") -> None:
    stack = frame.stack
    slot = stack.pop()
    store_slot(frame, slot, stack.pop())


def store_slot(frame: "Computation", slot: int, value: int) -> None:
    """Net gas metering: EIP-2200 with the prices of EIP-2929 and the refunds of EIP-3529."""
    require_writable(frame)
    if frame.gas <= SLOT_STIPEND_GAS:
        raise OutOfGas("a store needs more gas than the stipend of a transfer")
    db, owner = frame.state.db, frame.address
    current = db.get_storage(owner, slot)
    gas = COLD_SLOT_GAS if db.warm_up((owner, slot)) else 0
    if current == value:
        frame.charge(gas + WARM_GAS)
        return
    original = db.get_storage(owner, slot, from_journal=False)
    if original == current:
        frame.charge(gas + (SLOT_RESET_GAS if original else SLOT_SET_GAS))
    else:
        frame.charge(gas + WARM_GAS)
    refund = _storage_refund(original, current, value)
    if refund:
        db.add_refund(refund)
    db.set_storage(owner, slot, value)


def _storage_refund(original: int, current: int, value: int) -> int:
    if original == current:
        return SLOT_CLEAR_REFUND if original and not value else 0
    refund = 0
    if original:
        refund += SLOT_CLEAR_REFUND * ((value == 0) - (current == 0))
    if original == value:
        refund += (SLOT_RESET_GAS if original else SLOT_SET_GAS) - WARM_GAS
    return refund


def transient_load(frame: "Computation") -> None:
    frame.stack[-1] = frame.state.db.get_transient_storage(frame.address, frame.stack[-1])


def transient_store(frame: "Computation") -> None:
    require_writable(frame)
    slot, value = frame.stack.pop(), frame.stack.pop()
    frame.state.db.set_transient_storage(frame.address, slot, value)


def gas(frame: "Computation") -> None:
    frame.stack.append(frame.gas)


def log(topic_count: int) -> FrameFunction:
    """The instruction that emits an event with so many topics."""

    def emit(frame: "Computation") -> None:
        require_writable(frame)
        stack = frame.stack
        start, size = stack.pop(), stack.pop()
        topics = tuple([Hash32(stack.pop().to_bytes(32, "big")) for _ in range(topic_count)])
        frame.charge(LOG_TOPIC_GAS * topic_count + LOG_BYTE_GAS * size)
        frame.extend_memory(start, size)
        frame.state.db.logs.append(Log(frame.address, topics, bytes(frame.memory[start : start + size])))

    return emit


def return_(frame: "Computation") -> None:
    start, size = frame.stack.pop(), frame.stack.pop()
    frame.extend_memory(start, size)
    frame.output = bytes(frame.memory[start : start + size])


def revert(frame: "Computation") -> None:
    return_(frame)
    raise Revert(frame.output)


def self_destruct(frame: "Computation") -> None:
    """Sends everything to the beneficiary; only a contract of this transaction disappears (EIP-6780)."""
    require_writable(frame)
    db, owner = frame.state.db, frame.address
    beneficiary = pop_address(frame)
    if db.warm_up(beneficiary):
        frame.charge(COLD_ACCOUNT_GAS)
    amount = db.get_balance(owner)
    if amount and db.account_is_empty(beneficiary):
        frame.charge(NEW_ACCOUNT_GAS)
    is_new = owner in db.created
    if beneficiary != owner:
        db.transfer(owner, beneficiary, amount)
    elif is_new:
        db.delta_balance(owner, -amount)  # to itself, and then gone
    if is_new:
        db.destroy_account(owner)


BY_OPCODE: dict[int, FrameFunction] = {
    0x20: keccak,
    0x30: address,
    0x31: balance,
    0x33: caller,
    0x34: call_value,
    0x35: call_data_load,
    0x36: call_data_size,
    0x37: call_data_copy,
    0x39: code_copy,
    0x3B: external_code_size,
    0x3D: return_data_size,
    0x3E: return_data_copy,
    0x54: storage_load,
    0x55: storage_store,
    0x5A: gas,
    0x5C: transient_load,
    0x5D: transient_store,
    0xA0: log(0),
    0xA1: log(1),
    0xA2: log(2),
    0xA3: log(3),
    0xA4: log(4),
    0xF3: return_,
    0xFD: revert,
    0xFF: self_destruct,
}
