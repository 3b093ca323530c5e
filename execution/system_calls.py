"""What the rules themselves do at the edges of a block: the calls to the system contracts, and the requests."""

import hashlib
from collections.abc import Sequence

from chain.forks import Fork
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY_STORAGE,
    HISTORY_WINDOW_BLOCKS,
    SYSTEM_ADDRESS,
    WITHDRAWAL_REQUESTS,
    SystemContract,
)
from chain.types import Address, Hash32
from execution.errors import InvalidDepositLog, SystemContractFailed
from execution.evm.computation import Computation, TransactionContext
from execution.evm.executor import Executor
from execution.evm.failures import words
from execution.evm.message import Message
from execution.outcome import Slot, StateView, Writes

SYSTEM_CALL_GAS = 30_000_000
DEPOSIT_TOPIC = bytes.fromhex("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5")
DEPOSIT_LOG_SIZE = 576
DEPOSIT_FIELDS = ((0xA0, 48), (0x100, 32), (0x140, 8), (0x180, 96), (0x200, 8))
"""Where the deposit log holds the lengths of its five fields, and what they must be (EIP-6110)."""
DEPOSIT_REQUEST, WITHDRAWAL_REQUEST, CONSOLIDATION_REQUEST = b"\x00", b"\x01", b"\x02"


def block_start(
    computation: type[Computation], environment: BlockEnvironment, parent_beacon_root: Hash32, view: StateView
) -> tuple[Writes, Slot | None]:
    """The beacon root is stored (EIP-4788); the parent's hash gets its slot (EIP-2935), but its value from storage."""
    executor = Executor(computation, environment, view)
    if environment.fork >= Fork.CANCUN and executor.db.get_code(BEACON_ROOTS.address):
        _call(executor, computation, BEACON_ROOTS, parent_beacon_root)  # if this fails, nothing is stored
    if environment.fork < Fork.PRAGUE or not executor.db.get_code(HISTORY_STORAGE.address):
        return executor.db.writes(), None
    return executor.db.writes(), (HISTORY_STORAGE.address, (environment.number - 1) % HISTORY_WINDOW_BLOCKS)


def block_end(
    computation: type[Computation], environment: BlockEnvironment, logs: Sequence[Log], view: StateView
) -> tuple[Writes, Hash32 | None]:
    """The requests of the block (EIP-7685): deposits from its logs, the others from their contracts' queues."""
    if environment.fork < Fork.PRAGUE:
        return Writes(), None
    executor = Executor(computation, environment, view)
    requests = (
        DEPOSIT_REQUEST + b"".join(_deposit(log) for log in logs if _is_deposit(log, environment.deposit_contract)),
        WITHDRAWAL_REQUEST + _dequeue(executor, computation, WITHDRAWAL_REQUESTS),
        CONSOLIDATION_REQUEST + _dequeue(executor, computation, CONSOLIDATION_REQUESTS),
    )
    digests = b"".join(hashlib.sha256(request).digest() for request in requests if len(request) > 1)
    return executor.db.writes(), Hash32(hashlib.sha256(digests).digest())


def _call(executor: Executor, computation: type[Computation], contract: SystemContract, data: bytes) -> Computation:
    message = Message(
        gas=SYSTEM_CALL_GAS,
        sender=SYSTEM_ADDRESS,
        storage_address=contract.address,
        code_address=contract.address,
        value=0,
        data=data,
        code=executor.db.get_code(contract.address),
    )
    return computation.apply_message(executor.state, message, TransactionContext(SYSTEM_ADDRESS, 0))


def _dequeue(executor: Executor, computation: type[Computation], contract: SystemContract) -> bytes:
    if not executor.db.get_code(contract.address):
        raise SystemContractFailed(contract.name, "is not there")
    frame = _call(executor, computation, contract, b"")
    if frame.error is not None:
        raise SystemContractFailed(contract.name, words(frame.error))
    return frame.output


def _is_deposit(log: Log, contract: Address) -> bool:
    return log.address == contract and log.topics[:1] == (DEPOSIT_TOPIC,)


def _deposit(log: Log) -> bytes:
    """Public key, withdrawal credentials, amount, signature and index, out of the event's ABI encoding."""
    data = log.data
    words_ = [int.from_bytes(data[at : at + 32], "big") for at in range(0, 0xA0, 32)]
    lengths = [int.from_bytes(data[at : at + 32], "big") for at, _ in DEPOSIT_FIELDS]
    if (
        len(data) != DEPOSIT_LOG_SIZE
        or words_ != [at for at, _ in DEPOSIT_FIELDS]
        or lengths != [size for _, size in DEPOSIT_FIELDS]
    ):
        raise InvalidDepositLog(len(data))
    return b"".join(data[at + 32 : at + 32 + size] for at, size in DEPOSIT_FIELDS)
